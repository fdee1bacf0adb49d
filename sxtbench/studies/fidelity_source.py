"""The simulator under test: where its specimens come from, and what is read of them and of a real tilt series."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sxtbench.acquisition.series import AcquisitionParameters
from sxtbench.studies.fidelity_draws import YeastRecipe
from sxtbench.studies.fidelity_images import Appearance, Series, appearance, binned_series, reconstruct
from sxtbench.studies.fidelity_physics import Imaged, Light, Rendered, read_light, read_rendered, transfer
from sxtbench.studies.study import Report

_SOFT_CUTOFF = 0.4  # cycles per pixel: of the lens that shows its transfer function below Nyquist
_BAND_SHARES = (0.1, 0.25, 0.5, 1.0)  # of Nyquist


@dataclass(frozen=True, kw_only=True)
class SimulatorSource:
    """A simulator, and what is set beside it.

    Parameters
    ----------
    recipe : YeastRecipe
        What is stated, and drawn from.
    image : callable
        (acquisition, seed, index) -> a specimen of the split "study" with its tilt series.
    filter : str
        Of filtered backprojections.
    description : str
        For the page.
    series : Series, optional
        A real tilt series.
    series_name : str
        Names it on the page.
    series_energy_ev : float, optional
        Its photon energy.
    """

    recipe: YeastRecipe
    image: Callable[[AcquisitionParameters, int, int], Imaged]
    filter: str
    description: str
    series: Series | None = None
    series_name: str = ""
    series_energy_ev: float | None = None


@dataclass(frozen=True, eq=False)
class Group:
    """Specimens of one seed.

    Parameters
    ----------
    looks, lights, rendered : list
        What is read of each: its tilt series and reconstruction, its photons, its voxels.
    """

    looks: list[Appearance]
    lights: list[Light]
    rendered: list[Rendered]

    def summaries(self) -> pd.DataFrame:
        """Return a row a specimen: what a real one has too, and volume fractions."""
        return pd.DataFrame(
            [look.summary | made.fractions for look, made in zip(self.looks, self.rendered, strict=True)]
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Binned:
    projections: NDArray[np.float32]
    angles_deg: NDArray[np.float64]
    pixel_size_nm: float


def image_group(source: SimulatorSource, root: int, number: int, rng: np.random.Generator, report: Report) -> Group:
    """Image the first specimens of a root seed and read them; fresh exposures are drawn from `rng`."""
    bands = _bands(source.recipe)
    group = Group([], [], [])
    for index in range(number):
        report(f"imaging specimen {index + 1} of {number}, seed {root}")
        imaged = source.image(source.recipe.acquisition, root, index)
        series = imaged.exposure.series
        volume = reconstruct(series, source.filter)
        group.looks.append(appearance(series, filter=source.filter, bands_per_um=bands, volume=volume))
        group.lights.append(read_light(imaged, rng))
        group.rendered.append(read_rendered(imaged.specimen, volume))
    return group


def read_real(source: SimulatorSource) -> Appearance | None:
    """Read the real series, where there is one, on pixels about as large as the simulated ones."""
    series = source.series
    if series is None:
        return None
    factor = binning(series, source.recipe)
    if factor >= 2:
        series = _Binned(
            projections=binned_series(series.projections, factor),
            angles_deg=series.angles_deg,
            pixel_size_nm=series.pixel_size_nm * factor,
        )
    return appearance(series, filter=source.filter, bands_per_um=_bands(source.recipe))


def binning(series: Series, recipe: YeastRecipe) -> int:
    """Return how many pixels of a series make one about as wide as the simulated ones; 0 if its own are wider."""
    return round(recipe.grid.target.voxel_size_nm / series.pixel_size_nm)


def soft_lens(source: SimulatorSource, root: int) -> dict[str, Any]:
    """Image one specimen once more, through a lens that ends below Nyquist.

    Returns
    -------
    dict
        What `transfer` found, and of that lens `soft_nm` (outermost zone) and `cutoff_per_um`.
    """
    acquisition = source.recipe.acquisition
    soft = source.recipe.grid.target.voxel_size_nm / _SOFT_CUTOFF
    other = acquisition.model_copy(update={"outer_zone_width_nm": soft})
    sharp, blurred = (source.image(settings, root, 0).exposure for settings in (acquisition, other))
    zone = acquisition.outer_zone_width_nm
    return {"soft_nm": soft, "cutoff_per_um": 1000 / soft, **transfer(sharp, blurred, zone, soft)}


def lens_errors(lens: dict[str, Any]) -> tuple[float, float]:
    """Return the largest error below the cutoff, and the largest value beyond it."""
    below = lens["frequency_per_um"] <= lens["cutoff_per_um"]
    error = np.abs(lens["measured"] - lens["predicted"])
    return float(error[below].max()), float(np.abs(lens["measured"][~below]).max())


def _bands(recipe: YeastRecipe) -> tuple[tuple[float, float], ...]:
    nyquist = 500.0 / recipe.grid.target.voxel_size_nm
    edges = [float(np.floor(100 * share * nyquist) / 100) for share in _BAND_SHARES]
    return tuple(pairwise(edges))
