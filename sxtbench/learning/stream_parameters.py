"""How slabs are cut from specimens: what a training configuration says of its stream."""

from typing import Literal

from pydantic import Field, model_validator

from sxtbench.distributions import Parameters
from sxtbench.learning.augment import AugmentParameters
from sxtbench.learning.inputs import TILT_SERIES, Scaling


class StreamParameters(Parameters):
    """How slabs are cut from specimens.

    Parameters
    ----------
    inputs : tuple of str
        Reconstructions that become channels: `fbp`, `cgne`, `tv` (of a flat grid, by `regularised`). Or `tilt_series`
        alone: the measured views as `sinogram` makes them, with rows for a series of which no view is lost; these are
        neither cut nor augmented.
    scaling : str
        As in `normalise`.
    slices : int
        Slices of a slab; odd.
    target : str
        "centre": the target is the slab's middle slice; "slab": all of it.
    window : int or None
        Side of the in-plane window, voxels; the whole field by default.
    views_per_specimen : int
        Levels of the task's axes at which each specimen is reconstructed.
    reference_share : float
        Share of views at the reference level; the others are drawn evenly from the levels of each axis.
    slabs_per_specimen, specimens_per_block : int
        A block is what is shuffled.
    background_kept : float
        Share of the slices without any target that is kept; the SimAQ paper's code discards 98 %.
    augment : AugmentParameters or None
        Applied to each slab.
    labelled_share : float
        Share of the slabs that come from labelled volumes, where there are any; the SimAQ paper's is 0.15.
    scored_only : bool
        Of a LAC: the target is NaN where the task does not score, which the loss leaves out. Slices and windows are
        then chosen as those with cells are for labels.
    artefacts : bool
        Simulate as the recipe says; false leaves out what `without_artefacts` names.
    imaged_axes : int
        3: each specimen is imaged along its three axes, each time with an acquisition of its own (`TurnedSpecimens`);
        three consecutive numbers then are one specimen, and `specimens_per_block` is best a multiple of 3.
    """

    inputs: tuple[str, ...] = Field(default=("fbp",), min_length=1)
    scaling: Scaling = "lac"
    slices: int = Field(default=7, ge=1)
    target: str = Field(default="centre", pattern="^(centre|slab)$")
    window: int | None = Field(default=None, ge=16)
    views_per_specimen: int = Field(default=2, ge=1)
    reference_share: float = Field(default=0.5, ge=0, le=1)
    slabs_per_specimen: int = Field(default=64, ge=1)
    specimens_per_block: int = Field(default=4, ge=1)
    background_kept: float = Field(default=0.02, ge=0, le=1)
    augment: AugmentParameters | None = None
    labelled_share: float = Field(default=0.15, gt=0, le=1)
    scored_only: bool = False
    artefacts: bool = True
    imaged_axes: Literal[1, 3] = 1

    @model_validator(mode="after")
    def _odd(self) -> "StreamParameters":
        if self.slices % 2 == 0 and self.target == "centre":
            raise ValueError(f"slices is {self.slices}, expected an odd number: the target is the middle one")
        if TILT_SERIES in self.inputs and (len(self.inputs) > 1 or self.window is not None or self.augment is not None):
            raise ValueError("inputs hold tilt_series, expected it alone, without window and augment")
        return self

    @property
    def slabs_per_block(self) -> int:
        """Slabs in a block."""
        return self.slabs_per_specimen * self.specimens_per_block
