"""Print delta, beta and LAC of the materials that `sxtbench.enhancement.materials` ships, from the Henke tables.

Run: pip install "sxtbench[bench]"; python benchmarks/materials.py

Sources: B. L. Henke, E. M. Gullikson and J. C. Davis, X-ray interactions, At. Data Nucl. Data Tables 54 (1993) 181, doi
10.1006/adnd.1993.1013, as the package periodictable holds them; compositions and densities as named in FORMULAS.
"""

import math

ENERGIES_EV = (500, 510, 517, 520)
FORMULAS = {  # formula, density in g/cm3
    "ice": ("H2O", 0.92),  # vitreous
    "water": ("H2O", 1.00),
    "protein": ("C30H50N9O10S", 1.35),  # CXRO's
    "triolein": ("C57H104O6", 0.91),  # core of a lipid droplet
    "cholesteryl oleate": ("C45H78O2", 0.95),
    "membrane": ("C40H80NO8P", 1.02),  # DPPC
    "DNA": ("C39H49N15O24P4", 1.70),
    "glycogen": ("C6H10O5", 1.5),
    "carbon": ("C", 2.0),
    "glass": ("SiO2", 2.2),
    "silicon nitride": ("Si3N4", 3.44),
    "gold": ("Au", 19.3),
}


def optical_constants(formula: str, density: float, energy_ev: float) -> tuple[float, float]:
    """Return delta and beta of n = 1 - delta + i beta."""
    from periodictable import xsf

    index = xsf.index_of_refraction(formula, density=density, energy=energy_ev / 1000)
    return float(1 - index.real), abs(float(index.imag))


if __name__ == "__main__":
    for name, (formula, density) in FORMULAS.items():
        print(f"    {name!r}: {{  # {formula}, {density:g} g/cm3")
        for energy in ENERGIES_EV:
            delta, beta = optical_constants(formula, density, energy)
            lac = 4 * math.pi * beta / (1.23984198 / energy)
            print(f"        {energy}: ({delta:.4e}, {beta:.4e}),  # LAC {lac:.4f}/um")
        print("    },")
