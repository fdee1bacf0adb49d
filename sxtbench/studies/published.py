"""What the paper published: its tables, numbers decoded from its figures, and where its text and code disagree.

The tables are those behind the figures (doi 10.5281/zenodo.18009677, MIT, (c) 2025 Axel Ekman); `reference/` holds them
with their notice.
"""

from functools import cache
from pathlib import Path

import pandas as pd

CITATION = (
    "Ekman et al., *Interior soft x-ray tomography with sparse global sampling*, Phys. Scr. **100** (2025) 126008"
)
EXPERIMENT_PHOTONS = 600
"""Photons per 20-nm pixel and image that match the noise of the experiments: 150 per (10 nm)^2 (the appendix)."""

TABLES = {
    "nullspace": "interior_nullspace.csv",
    "psf": "XM2_janelia_noiseless.csv",
    "frc": "XM2_janelia_noiseless_frc.csv",
    "fractionation": "dose_fractionation.csv",
}

DOSE_RATIO = 2.294312200191294
"""D_full / D_ROI of the paper's phantom ("2.3" in its text), for figure 5."""

DOSE_OPTIMISATION = {
    "n_full": (11, 23, 47, 97, 199, 307, 389),
    "volume": (17.67, 18.95, 19.94, 20.75, 21.30, 21.50, 21.44),
    "direct": (20.76, 21.00, 20.96, 21.00, 20.90, 20.76, 20.57),
    "deconvolved": (21.85, 21.90, 21.94, 21.92, 21.85, 21.70, 21.48),
}
"""PSNR of figure 5, dB, decoded from the vector paths of the published figure to 0.01 dB: there is no table."""

DOSE_REFERENCE = 20.43
"""PSNR of figure 5's red line, dB: the full scan through the 35 nm lens with its real depth of field, in the region."""

DISAGREEMENTS = {
    1: "Null space: the text has Wilson-Barrett iterations and |x_null| / |x_0|; the code ran CGNE with y = 0 from the "
    "phantom, 200 iterations, and the table holds ratios of *squared* norms (the norm ratio is the square root).",
    2: "Figure 5's red line: the text calls it a reference of infinite depth of field; the code used the 35 nm lens "
    "with its real one.",
    3: "Figure 5's blue line: the text says full-field reconstruction; the code scored the *combined* reconstruction "
    "on the whole volume.",
    4: "Positivity: the code applies it to reconstructions from a single operator only, where it turns conjugate "
    "gradients into projected steepest descent; combined ones are plain CGNE. On a synthetic specimen that is worth "
    "about 0.2 dB, as much as some published gaps. Here all are plain CGNE, unless the page says otherwise.",
    5: "Ring correlation: one slice, no window, against the phantom, read at 1/7, which is a threshold for half sets.",
    6: "Sampling: 1256 views for the 35 nm lens is pi times R in pixels (Nyquist), not 98 % of the OTF's power, which "
    "gives 1124.",
    7: "Photons: the appendix matches the experiment at 150 per (10 nm)^2, 600 per 20-nm pixel; figure 5 has 1000 and "
    "figure 3 has 10000.",
    8: "Numerical aperture: the code computes it from the wavelength at 550 eV and uses it at 517 eV (0.0322 for "
    "35 nm; at 517 eV it would be 0.0343).",
    9: "Kernels are cut to 11 x 11 pixels of 20 nm, so that what is far out of focus is blurred too little.",
    10: "Figure 3's 'noiseless' data have Poisson noise of 10000 photons a pixel.",
    11: "LAC: the code gives the endoplasmic reticulum 0.29 and mitochondria 0.33; its comment has them the other way "
    "round.",
    12: "Figure 2's band limit, 60/40 = 1.5 pixels, is applied on 160-nm pixels: 240 nm, not 60.",
}
"""Where the paper's text and its code differ, or where a number is not what it is called."""


@cache
def published_path(name: str) -> Path:
    """Return the file of a published table.

    >>> published_path("nullspace").name
    'interior_nullspace.csv'
    """
    return Path(__file__).resolve().parent / "reference" / "interior_sxt" / TABLES[name]


def published_table(name: str) -> pd.DataFrame:
    """Return a published table.

    Parameters
    ----------
    name : str
        "nullspace" (figure 2), "psf", "frc" (figure 3) or "fractionation" (figure 12).

    Returns
    -------
    DataFrame
        Columns as published; the notice beside the file says what they are.

    >>> published_table("nullspace").n_full.tolist()[:3]
    [2, 3, 9]
    """
    return pd.read_csv(published_path(name))
