"""Refraction and absorption of what soft X-ray tomography looks at: a small table, and nothing to install for it.

Values are those of the Henke tables (doi 10.1006/adnd.1993.1013) for the compositions and densities in the table, as
`benchmarks/materials.py` prints them. The tables know no fine structure of absorption edges; near that of oxygen, 543
eV, delta is uncertain by more than its digits.
"""

from dataclasses import dataclass

import numpy as np

from sxtbench.errors import InputError

_HC_EV_UM = 1.23984198


@dataclass(frozen=True)
class Material:
    """Refractive index `n = 1 - delta + i beta` at one energy.

    Parameters
    ----------
    delta, beta : float
        Decrement of refraction, and absorption.
    energy_ev : float, eV
        Photon energy.

    Examples
    --------
    >>> ice, protein = material("ice", 500), material("protein", 500)
    >>> round(ice.lac_per_um, 4), round(protein.less(ice).delta_over_beta, 2)
    (0.1117, 1.81)
    """

    delta: float
    beta: float
    energy_ev: float

    @property
    def lac_per_um(self) -> float:
        """Linear attenuation coefficient 4 pi beta / lambda, 1/um."""
        return 4 * np.pi * self.beta * self.energy_ev / _HC_EV_UM

    @property
    def delta_over_beta(self) -> float:
        """Ratio of refraction to absorption."""
        return self.delta / self.beta

    def less(self, surroundings: "Material") -> "Material":
        """Return the difference to what it displaces: what contrast is made of."""
        if surroundings.energy_ev != self.energy_ev:
            raise InputError(
                f"materials are at {self.energy_ev:g} and {surroundings.energy_ev:g} eV, expected one energy"
            )
        return Material(self.delta - surroundings.delta, self.beta - surroundings.beta, self.energy_ev)


def material(name: str, energy_ev: float) -> Material:
    """Return a material of the table at one of its energies.

    Parameters
    ----------
    name : str
        A key of `TABLE`.
    energy_ev : float, eV
        500, 510, 517 or 520.

    Returns
    -------
    Material

    Raises
    ------
    InputError
        For a material or an energy that the table does not have.
    """
    if name not in TABLE:
        raise InputError(f"no material is called {name!r}; there are {', '.join(TABLE)}")
    energies = TABLE[name]
    if energy_ev not in energies:
        raise InputError(f"energy_ev is {energy_ev:g}, the table has {', '.join(map(str, energies))} eV")
    return Material(*energies[int(energy_ev)], float(energy_ev))


TABLE: dict[str, dict[int, tuple[float, float]]] = {
    "ice": {  # H2O, 0.92 g/cm3
        500: (5.6984e-04, 2.2036e-05),  # LAC 0.1117/um
        510: (5.2435e-04, 2.0537e-05),  # LAC 0.1062/um
        517: (4.8889e-04, 1.9564e-05),  # LAC 0.1025/um
        520: (4.7124e-04, 1.9165e-05),  # LAC 0.1010/um
    },
    "water": {  # H2O, 1 g/cm3
        500: (6.1939e-04, 2.3953e-05),  # LAC 0.1214/um
        510: (5.6994e-04, 2.2323e-05),  # LAC 0.1154/um
        517: (5.3141e-04, 2.1265e-05),  # LAC 0.1114/um
        520: (5.1221e-04, 2.0832e-05),  # LAC 0.1098/um
    },
    "protein": {  # C30H50N9O10S, 1.35 g/cm3
        500: (1.0649e-03, 2.9487e-04),  # LAC 1.4943/um
        510: (1.0215e-03, 2.7539e-04),  # LAC 1.4235/um
        517: (9.9026e-04, 2.6274e-04),  # LAC 1.3767/um
        520: (9.7607e-04, 2.5754e-04),  # LAC 1.3574/um
    },
    "triolein": {  # C57H104O6, 0.91 g/cm3
        500: (8.1556e-04, 1.9294e-04),  # LAC 0.9778/um
        510: (7.8375e-04, 1.7992e-04),  # LAC 0.9300/um
        517: (7.6174e-04, 1.7147e-04),  # LAC 0.8985/um
        520: (7.5218e-04, 1.6800e-04),  # LAC 0.8854/um
    },
    "cholesteryl oleate": {  # C45H78O2, 0.95 g/cm3
        500: (8.7284e-04, 2.1452e-04),  # LAC 1.0871/um
        510: (8.4062e-04, 2.0004e-04),  # LAC 1.0340/um
        517: (8.1864e-04, 1.9065e-04),  # LAC 0.9990/um
        520: (8.0926e-04, 1.8680e-04),  # LAC 0.9845/um
    },
    "membrane": {  # C40H80NO8P, 1.02 g/cm3
        500: (8.7729e-04, 2.0282e-04),  # LAC 1.0278/um
        510: (8.4106e-04, 1.8919e-04),  # LAC 0.9779/um
        517: (8.1560e-04, 1.8034e-04),  # LAC 0.9450/um
        520: (8.0431e-04, 1.7671e-04),  # LAC 0.9314/um
    },
    "DNA": {  # C39H49N15O24P4, 1.7 g/cm3
        500: (1.2386e-03, 3.3877e-04),  # LAC 1.7168/um
        510: (1.1827e-03, 3.1646e-04),  # LAC 1.6358/um
        517: (1.1417e-03, 3.0197e-04),  # LAC 1.5823/um
        520: (1.1226e-03, 2.9601e-04),  # LAC 1.5601/um
    },
    "glycogen": {  # C6H10O5, 1.5 g/cm3
        500: (1.0746e-03, 2.0014e-04),  # LAC 1.0142/um
        510: (1.0142e-03, 1.8662e-04),  # LAC 0.9647/um
        517: (9.6920e-04, 1.7785e-04),  # LAC 0.9319/um
        520: (9.4777e-04, 1.7425e-04),  # LAC 0.9184/um
    },
    "carbon": {  # C, 2 g/cm3
        500: (1.6753e-03, 5.4050e-04),  # LAC 2.7391/um
        510: (1.6179e-03, 5.0403e-04),  # LAC 2.6054/um
        517: (1.5791e-03, 4.8036e-04),  # LAC 2.5171/um
        520: (1.5628e-03, 4.7066e-04),  # LAC 2.4806/um
    },
    "glass": {  # SiO2, 2.2 g/cm3
        500: (1.3853e-03, 2.3378e-04),  # LAC 1.1847/um
        510: (1.2985e-03, 2.1806e-04),  # LAC 1.1272/um
        517: (1.2332e-03, 2.0785e-04),  # LAC 1.0892/um
        520: (1.2019e-03, 2.0367e-04),  # LAC 1.0734/um
    },
    "silicon nitride": {  # Si3N4, 3.44 g/cm3
        500: (2.5772e-03, 9.3252e-04),  # LAC 4.7258/um
        510: (2.5000e-03, 8.7181e-04),  # LAC 4.5064/um
        517: (2.4467e-03, 8.3233e-04),  # LAC 4.3614/um
        520: (2.4241e-03, 8.1612e-04),  # LAC 4.3013/um
    },
    "gold": {  # Au, 19.3 g/cm3
        500: (4.8574e-03, 4.7580e-03),  # LAC 24.1124/um
        510: (4.7609e-03, 4.5898e-03),  # LAC 23.7253/um
        517: (4.6947e-03, 4.4763e-03),  # LAC 23.4559/um
        520: (4.6665e-03, 4.4288e-03),  # LAC 23.3419/um
    },
}
"""(delta, beta) by name and energy in eV."""
