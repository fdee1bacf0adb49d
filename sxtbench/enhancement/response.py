"""What a chain of filters does to each spatial frequency, as arrays and as a figure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.enhancement.phase import paganin_transfer
from sxtbench.enhancement.unsharp import unsharp_transfer
from sxtbench.errors import InputError
from sxtbench.files import atomic_path


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Paganin's filter, then an unsharp mask; either may be left out.

    Parameters
    ----------
    pixel_size_nm : float, nm
        Edge of a pixel.
    length_nm : float, nm
        Of Paganin's filter (`paganin_length_nm`); 0 leaves it out.
    sigma_px : float, pixels
        Of the unsharp mask.
    amount : float
        Of the unsharp mask; 0 leaves it out.

    Examples
    --------
    >>> chain = Chain(pixel_size_nm=20, length_nm=40, sigma_px=3.0, amount=1.5)
    >>> chain.transfer([0, 1 / 400, 1 / 40]).round(3).tolist()
    [1.0, 1.103, 0.062]
    """

    pixel_size_nm: float
    length_nm: float = 0.0
    sigma_px: float = 1.0
    amount: float = 0.0

    def __post_init__(self) -> None:
        if not self.pixel_size_nm > 0 or not self.length_nm >= 0:
            raise InputError(
                f"pixel_size_nm is {self.pixel_size_nm} and length_nm {self.length_nm}, expected a positive size and a "
                "length of at least 0"
            )

    def transfer(self, frequency_per_nm: ArrayLike) -> NDArray[np.float64]:
        """Return the product of both transfers at some spatial frequencies, cycles per nm."""
        f = np.asarray(frequency_per_nm, np.float64)
        smooth = paganin_transfer(f, length_nm=self.length_nm)
        return smooth * unsharp_transfer(f * self.pixel_size_nm, sigma_px=self.sigma_px, amount=self.amount)

    def frequencies(self, count: int = 200) -> NDArray[np.float64]:
        """Return equally spaced frequencies from 0 to Nyquist, cycles per nm."""
        return np.linspace(0, 0.5 / self.pixel_size_nm, count)

    def white_noise_gain(self, axes: int = 2) -> float:
        """Return by what the standard deviation of white noise in an image (or volume) is multiplied.

        Of projections this is the noise before reconstruction; that of a reconstruction is not white.
        """
        f = np.meshgrid(*[np.fft.fftfreq(128)] * axes, indexing="ij")
        magnitude = np.sqrt(sum(np.square(part) for part in f)) / self.pixel_size_nm
        return float(np.sqrt(np.mean(self.transfer(magnitude) ** 2)))


def transfer_figure(chains: Mapping[str, Chain], path: Path) -> Path:
    """Draw the transfers of some chains against spatial frequency.

    Parameters
    ----------
    chains : mapping of Chain
        By the name in the legend.
    path : Path
        The PNG to write.

    Returns
    -------
    Path
        Of the figure.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not chains:
        raise InputError("there is no chain to draw")
    figure = Figure(figsize=(5.2, 3.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    panel = figure.subplots()
    for name, chain in chains.items():
        f = chain.frequencies()
        panel.plot(1000 * f, chain.transfer(f), label=name)
    panel.axhline(0.5, color="0.7", linestyle=":", zorder=0)
    panel.axhline(1.0, color="0.7", linewidth=0.8, zorder=0)
    panel.set(xlabel="spatial frequency, cycles per µm", ylabel="transfer", ylim=(0, None), xlim=(0, None))
    panel.legend(fontsize=8, frameon=False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
    return path
