"""Runnable experiments: the figures of the interior-tomography paper, and the simulator against its recipe.

A study is a module with `SIZES` and `run` (`sxtbench.studies.study` says what they are). It is listed here with what a
reader wants to know before it is loaded; its module is imported when it runs.
"""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from sxtbench.errors import InputError

if TYPE_CHECKING:
    from sxtbench.studies.study import StudyModule


@dataclass(frozen=True)
class Entry:
    """A study, before it is loaded.

    Parameters
    ----------
    title : str
        What it shows, one line.
    figure : str
        Figure of Ekman et al. 2025 that it belongs to; "" for none.
    module : str
        Its module in `sxtbench.studies`.
    minutes : float
        About how long the default size takes on two cores.
    phantoms : bool
        Whether it takes a `phantom.PhantomSource`; it is given the simulator of a recipe otherwise.
    """

    title: str
    figure: str
    module: str
    minutes: float
    phantoms: bool = True


STUDIES = {
    "interior-nullspace": Entry(
        "how many full views make the region stable: PSNR and null space", "2", "interior_nullspace", 5
    ),
    "interior-psf": Entry(
        "what the depth of field costs, with and without full views: PSNR by radius, ring correlation",
        "3",
        "interior_psf",
        3,
    ),
    "dose-map": Entry("where three schemes of equal dose put it", "4", "dose_map", 1),
    "dose-optimisation": Entry(
        "full views against interior exposure at one dose, direct and deconvolved", "5", "dose_optimisation", 5
    ),
    "alignment-anchors": Entry("how many full views align an interior scan", "9", "alignment_anchors", 8),
    "dual-energy": Entry("a second energy in the light: found and taken out", "10", "dual_energy", 1),
    "sampling-power": Entry("how much of the signal a number of views collects", "11", "sampling_power", 1),
    "dose-fractionation": Entry("one dose in 51 to 881 views: ring correlation", "12", "dose_fractionation", 8),
    "simulator-fidelity": Entry(
        "the simulator against its recipe, another seed, a real series", "", "simulator_fidelity", 4, phantoms=False
    ),
}
"""Every study: those of the paper in the order of its figures, then our own."""


def load_study(name: str) -> "StudyModule":
    """Import a study.

    Parameters
    ----------
    name : str
        As in `STUDIES`.

    Returns
    -------
    StudyModule

    Raises
    ------
    InputError
        For a name that is none.
    """
    if name not in STUDIES:
        raise InputError(f"there is no study {name!r}, expected one of: {', '.join(STUDIES)}")
    return cast("StudyModule", importlib.import_module(f"sxtbench.studies.{STUDIES[name].module}"))
