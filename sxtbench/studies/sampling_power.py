"""Figure 11: how much of a point's signal a number of views collects, for two lenses.

The projections of a point at radius R make a Fourier spectrum of the shape of a bowtie, `J_k(2 pi R f)` over angular
frequency k and column frequency f (Rattey and Lindgren). The lens multiplies it by its transfer function; N views over
180 degrees carry the angular frequencies up to N. All of it is computed; nothing is drawn at random.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import jv

from sxtbench.acquisition.optics import frequency_of_otf_power, incoherent_otf, otf_power
from sxtbench.studies.figures import COLOURS, new_figure
from sxtbench.studies.study import Check, Findings, Report, Size, markdown_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sxtbench.studies.phantom import PhantomSource

_PAPER = {"columns": 801, "radius_px": 400, "pixel_size_nm": 20.0}
SIZES: Mapping[str, Size] = {"fast": _PAPER, "default": _PAPER, "paper": _PAPER}
DISAGREEMENTS = (6,)

LENSES_NM = (60, 35)
VIEWS = (25, 51, 101, 201, 301, 401, 499, 656, 881)
SHARES = (0.5, 0.9, 0.98)

PUBLISHED_VIEWS = {60: 656, 35: 1256}
"""The paper's numbers of views for 98 % of the transfer function's power; the second is another quantity."""

TABLE = {
    60: (0.230, 0.363, 0.543, 0.758, 0.876, 0.941, 0.974, 0.996, 1.00),
    35: (0.155, 0.252, 0.393, 0.587, 0.717, 0.807, 0.870, 0.935, 0.981),
}
"""Power at `VIEWS` by the published method, to three digits."""

TABLE_VIEWS = {60: (88, 332, 525), 35: (151, 561, 875)}
"""Views for `SHARES` of the power by the published method."""

_ON_BLACK = {60: "#6db7f2", 35: COLOURS["35"]}
_CUTOFF = 1.22  # the code's cut-off times the zone width: it takes the zone width for the Rayleigh resolution
_TABLED = 50  # points up to Nyquist between which the code inverts the cumulative power


@dataclass(frozen=True, eq=False)
class Sampling:
    """What one lens needs.

    Parameters
    ----------
    zone_width_nm : float, nm
        Outermost zone width.
    cutoff : float, cycles per pixel
        Where the transfer function ends.
    frequency_98 : float, cycles per pixel
        Frequency below which 98 % of the transfer function's power lie, by the code's table.
    exact_98 : float, cycles per pixel
        The same without the table.
    spectrum : ndarray, shape (k_theta, k_u), float64
        Absolute value of the blurred point's spectrum.
    power : ndarray, shape (k_theta,), float64
        Share of the signal's power in the angular frequencies up to each.
    """

    zone_width_nm: float
    cutoff: float
    frequency_98: float
    exact_98: float
    spectrum: NDArray[np.float64]
    power: NDArray[np.float64]

    def views(self, share: float) -> int:
        """Return the least number of views with that share of the power."""
        return int(np.searchsorted(self.power, share))


def tabled_frequency(share: float, cutoff: float) -> float:
    """Return the frequency below which a share of the transfer function's power lies, as the paper's code finds it.

    It interpolates between 50 points from 0 to Nyquist, which moves the result up by about 0.1 % of
    `frequency_of_otf_power`, and ends at Nyquist.

    Parameters
    ----------
    share : float
        Between 0 and 1.
    cutoff : float, cycles per pixel
        Where the transfer function ends.

    Returns
    -------
    float, cycles per pixel

    Examples
    --------
    >>> round(tabled_frequency(0.98, 1.22 / 3), 5), round(frequency_of_otf_power(0.98, 1.22 / 3), 5)
    (0.26104, 0.26079)
    """
    table = np.linspace(0, 0.5, _TABLED)
    return float(np.interp(share, otf_power(table, cutoff), table))


def point_spectrum(columns: int, radius_px: float) -> NDArray[np.float64]:
    """Return the absolute spectrum of a point's projections, `|J_k(2 pi R f)|`.

    Parameters
    ----------
    columns : int
        Detector columns L; f are the whole numbers over L below Nyquist.
    radius_px : float, pixels
        The point's distance R from the axis.

    Returns
    -------
    ndarray, shape (k_theta, k_u), float64
        Angular frequencies up to that of Nyquist at the point, and two more.

    References
    ----------
    Rattey and Lindgren (1981), IEEE Trans. Acoust. Speech Signal Process. 29, 994.

    Examples
    --------
    >>> spectrum = point_spectrum(81, 40)
    >>> spectrum.shape, bool(spectrum[100:, :30].max() < 0.01)
    ((128, 40), True)
    """
    k_u, k_theta = np.arange(columns // 2), np.arange(int(np.pi * radius_px) + 3)
    return np.abs(jv(k_theta[:, None], 2 * np.pi * radius_px * k_u / columns))


def sample_lens(
    zone_width_nm: float,
    point: NDArray[np.float64],
    *,
    columns: int,
    radius_px: float,
    pixel_size_nm: float,
    cutoff_zones: float = _CUTOFF,
) -> Sampling:
    """Blur a point's spectrum by a lens, and add up its power.

    As in the paper's code, power is relative to what lies below the frequency of 99.9 % of the transfer function's
    power and below the angular frequency that belongs to it; it may end a thousandth above 1.

    Parameters
    ----------
    zone_width_nm : float, nm
        Outermost zone width.
    point : ndarray, shape (k_theta, k_u), float64
        Of `point_spectrum` with the same columns and radius.
    columns : int
        Detector columns L; frequencies are whole numbers over L.
    radius_px : float, pixels
        The point's distance from the axis.
    pixel_size_nm : float, nm
        Edge of a detector pixel.
    cutoff_zones : float
        Cut-off times the zone width: 1.22 in the paper's code, 1 for a zone plate at its design energy.

    Returns
    -------
    Sampling
    """
    cutoff = cutoff_zones * pixel_size_nm / zone_width_nm
    limit = tabled_frequency(0.999, cutoff)
    last_angular = int(2 * np.pi * limit * radius_px + 2)
    last_column = min(int(columns * limit), columns // 2 - 1)
    spectrum = point * incoherent_otf(np.arange(columns // 2) / columns, 1 / cutoff)
    power = spectrum**2
    reference = power[: last_angular + 1, : last_column + 1].sum()
    return Sampling(
        zone_width_nm=zone_width_nm,
        cutoff=cutoff,
        frequency_98=tabled_frequency(0.98, cutoff),
        exact_98=frequency_of_otf_power(0.98, cutoff),
        spectrum=spectrum,
        power=np.cumsum(power.sum(axis=1)) / reference,
    )


def run(size: Size, *, source: "PhantomSource", seed: int, report: Report) -> Findings:
    """Compute figure 11; neither specimen nor seed has a part in it."""
    columns, radius, pixel = size["columns"], size["radius_px"], size["pixel_size_nm"]
    report("spectrum of a point")
    point = point_spectrum(columns, radius)
    common: dict[str, Any] = {"columns": columns, "radius_px": radius, "pixel_size_nm": pixel}
    lenses = {width: sample_lens(width, point, **common) for width in LENSES_NM}
    plates = {width: sample_lens(width, point, **common, cutoff_zones=1.0) for width in LENSES_NM}
    limits = pd.DataFrame(
        [
            {
                "lens [nm]": width,
                "cut-off [1/px]": lens.cutoff,
                "98 % of OTF power below [1/px]": lens.frequency_98,
                "views = 2 pi f R": 2 * np.pi * lens.frequency_98 * radius,
                "published": PUBLISHED_VIEWS[width],
                "views, f without the code's table": 2 * np.pi * lens.exact_98 * radius,
                "views, cut-off 1/dr": 2 * np.pi * plates[width].exact_98 * radius,
                **{f"views for {100 * share:.0f} % of the signal": lens.views(share) for share in SHARES},
            }
            for width, lens in lenses.items()
        ]
    )
    most = int(np.pi * radius) + 2
    power = pd.DataFrame({"views": np.arange(most + 1)})
    for width in LENSES_NM:
        power[f"power_{width}"] = lenses[width].power
        power[f"power_{width}_cutoff_1"] = plates[width].power
    published = {key: size[key] for key in _PAPER} == _PAPER
    return Findings(
        text=_text(lenses, limits, radius, pixel),
        tables={"sampling_power": power, "sampling_limits": limits},
        figures={"sampling_power": _figure(lenses, plates, columns, radius)},
        checks=_checks(lenses, radius) if published else (),
        fluence="No photons are drawn: this is the limit of a measurement without noise. At the experiment's fluence "
        "noise hides the highest frequencies first, and far fewer views do (`dose-fractionation`).",
        captions={
            "sampling_power": f"a) Spectrum of a point at the rim ({radius * pixel / 1000:g} um from the axis), "
            "blurred by the 60 nm lens, log scale. The corner of each rectangle is the frequency below which 98 % of "
            "the transfer function's power lie, and the number of views that reaches it at the rim; the dotted line "
            "is pi R, the paper's number for 35 nm. b) Share of the signal that N views collect: most of it comes "
            "with few views, the rest needs ever more. Dots: 50, 90 and 98 %. Thin lines: with the cut-off of a "
            "zone plate, 1/dr, instead of 1.22/dr."
        },
    )


def _checks(lenses: Mapping[int, Sampling], radius: float) -> tuple[Check, ...]:
    checks = []
    for width, lens in lenses.items():
        views = 2 * np.pi * lens.frequency_98 * radius
        wanted = {60: 656, 35: 1124}[width]
        checks.append(
            Check(
                f"views for 98 % of the OTF's power, {width} nm",
                round(views),
                f"exactly {wanted}",
                round(views) == wanted,
                "exact",
                f"{PUBLISHED_VIEWS[width]}" + ("" if width == 60 else " (pi R, disagreement 6)"),
            )
        )
        worst = float(np.max(np.abs(lens.power[list(VIEWS)] - TABLE[width])))
        checks.append(
            Check(f"power at {len(VIEWS)} numbers of views, {width} nm", worst, "within 1e-3", worst <= 1e-3, "exact")
        )
        off = max(abs(lens.views(share) - n) for share, n in zip(SHARES, TABLE_VIEWS[width], strict=True))
        at = "/".join(map(str, TABLE_VIEWS[width]))
        checks.append(Check(f"views for 50/90/98 % of the signal, {width} nm", off, f"exactly {at}", off == 0, "exact"))
    rho = np.linspace(0, 1, 20_001)
    squared = incoherent_otf(rho, 1.0) ** 2
    summed = np.concatenate([[0.0], np.cumsum((squared[1:] + squared[:-1]) / 2)])
    worst = float(np.max(np.abs(summed / summed[-1] - otf_power(rho, 1.0))))
    checks.append(Check("closed form of the OTF's power against its sum", worst, "within 1e-6", worst < 1e-6, "exact"))
    nyquist = np.pi * radius
    checks.append(
        Check("pi R, Nyquist at the rim", int(nyquist), "exactly 1256", int(nyquist) == 1256, "exact", "1256 for 35 nm")
    )
    return tuple(checks)


def _text(lenses: Mapping[int, Sampling], limits: pd.DataFrame, radius: float, pixel: float) -> str:
    table = pd.DataFrame({"views": VIEWS})
    for width, lens in lenses.items():
        table[f"{width} nm"] = [f"{lens.power[min(n, lens.power.size - 1)]:.3f}" for n in VIEWS]
    shown = limits.round(5).T.reset_index()
    shown.columns = pd.Index(["", *(f"{width} nm" for width in lenses)])
    rows = shown.iloc[1:].map(lambda value: f"{value:g}" if isinstance(value, float) else str(value))
    f60, f35 = (2 * np.pi * lens.frequency_98 * radius for lens in lenses.values())
    return f"""How many views does a specimen need before any noise? A point {radius * pixel / 1000:g} um from the axis
asks for most. Its projections hold angular frequencies up to `2 pi f R` at column frequency f and nothing beyond; f
ends where the lens does.

**What came out.** 98 % of the transfer function's power lie below {lenses[60].frequency_98:.5f} cycles a pixel for the
60 nm lens: {f60:.0f} views, as published. For 35 nm the same rule gives {f35:.0f}; the paper's 1256 is pi R, Nyquist at
the rim. Half of the signal is there after {lenses[60].views(0.5)} and {lenses[35].views(0.5)} views. Share of the
signal at some numbers of views:

{markdown_table(table)}

{markdown_table(rows)}

Three things to know about these numbers:

- The code takes the zone width for the Rayleigh resolution, so that its transfer function ends at 1.22/dr. A zone
  plate's ends at 1/dr, which needs 18 % fewer views (thin lines, row *cut-off 1/dr*).
- It inverts the cumulative power between 50 tabled points, which moves 655.4 to 656.1.
- Power is relative to what lies below the frequency of 99.9 % of the transfer function's power and below the angular
  frequency that belongs to it, so that a curve may end at 1.001."""


def _figure(lenses: Mapping[int, Sampling], plates: Mapping[int, Sampling], columns: int, radius: float) -> "Figure":
    from matplotlib.colors import LogNorm

    figure = new_figure(9.2, 4.2)
    left, right = figure.subplots(1, 2, width_ratios=(1.12, 1))
    spectrum = lenses[60].spectrum.T
    most = spectrum.shape[1] - 0.5
    shown = left.imshow(
        np.maximum(spectrum, 1e-9),
        norm=LogNorm(1e-4, 1),
        cmap="gray",
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=(-0.5, most, -0.5 / columns, (columns // 2 - 0.5) / columns),
    )
    figure.colorbar(shown, ax=left, label="$|J_k(2πRf)|$ · OTF, 60 nm lens", extend="min")
    places = {60: (2 * np.pi * lenses[60].frequency_98 * radius + 0.015 * most, 0.06), 35: (0.015 * most, 0.452)}
    for width, lens in lenses.items():
        f = lens.frequency_98
        views, colour = 2 * np.pi * f * radius, _ON_BLACK[width]
        left.plot([0, views, views], [f, f, 0], color=colour, linewidth=1.8)
        left.text(*places[width], f"{width} nm: {views:.0f} views", color=colour, fontsize=9, fontweight="bold")
    left.axvline(np.pi * radius, color=_ON_BLACK[35], linestyle=":", linewidth=1.4)
    left.text(
        np.pi * radius - 0.005 * most,
        0.2,
        f"πR = {int(np.pi * radius)}",
        color=_ON_BLACK[35],
        fontsize=8,
        rotation=90,
        ha="right",
    )
    left.set(
        xlabel="angular frequency $k$ = number of views over 180°",
        ylabel="column frequency $f$ [cycles/pixel]",
        xlim=(0, most),
        ylim=(0, 0.499),
    )
    left.set_title("a) a point at the rim: its spectrum, and 98 % of the OTF's power", fontsize=9)
    for width, lens in lenses.items():
        colour = COLOURS[str(width)]
        right.plot(100 * lens.power, color=colour, label=f"{width} nm lens")
        right.plot(100 * plates[width].power, color=colour, linewidth=0.8, alpha=0.7)
        for share in SHARES:
            n = lens.views(share)
            right.plot(n, 100 * share, "o", color=colour, markersize=4.5)
            right.annotate(f"{n}", (n, 100 * share), (6, -9), textcoords="offset points", fontsize=8, color=colour)
    right.plot([], [], color="#555555", linewidth=0.8, label="cut-off 1/dr")
    right.set(
        xlabel="number of views over 180°", ylabel="share of the signal's power [%]", xlim=(0, most), ylim=(0, 104)
    )
    right.grid(alpha=0.3)
    right.legend(loc="lower right", fontsize=9, frameon=False)
    right.set_title("b) signal that N views collect", fontsize=9)
    return figure
