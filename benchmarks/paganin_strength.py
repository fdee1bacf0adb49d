"""Print the gain of Paganin's filter, alone and before an unsharp mask, against its distance (validation).

Run: python benchmarks/paganin_strength.py [--tier tiny] [--unsharp SIGMA_PX AMOUNT]
"""

import argparse

from sxtbench.benchmark.method import fit_method, load_method
from sxtbench.benchmark.scoring import score_contrast_sample
from sxtbench.benchmark.statistics import mean_on_scale
from sxtbench.benchmark.task import get_task
from sxtbench.enhancement import material, paganin_length_nm

DISTANCES_UM = (1.5, 5.0, 15.0, 30.0, 60.0, 120.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tier", default="tiny")
    parser.add_argument("--unsharp", nargs=2, type=float, default=(1.5, 1.0), metavar=("SIGMA_PX", "AMOUNT"))
    given = parser.parse_args()
    task = get_task("contrast-enhancement", given.tier)
    train, validation = (task.dataset(split, targets=True) for split in ("train", "validation"))
    protein = material("protein", 500).less(material("ice", 500))
    sigma, amount = given.unsharp
    lights = task.protocol.axes["illumination"].levels
    heads = [f"{method}, {light}" for method in ("Paganin", "with unsharp mask") for light in lights]
    print("| distance, um | length, nm | " + " | ".join(heads) + " |\n|" + "---|" * (2 + len(heads)))
    for distance in DISTANCES_UM:
        length = paganin_length_nm(distance_um=distance, energy_ev=500, delta=protein.delta, beta=protein.beta)
        cells = []
        constants = {"distance_um": distance}
        for name, own in (
            ("paganin", constants),
            ("paganin-unsharp", constants | {"sigma_px": sigma, "amount": amount}),
        ):
            method = load_method(name, tiers={given.tier: own}, specimens=4)
            fit_method(method, train, validation)
            for light in lights:
                gains = [
                    score_contrast_sample(sample, method.predict(sample))[0][2]
                    for sample in validation.at({"illumination": light})
                ]
                cells.append(f"{mean_on_scale(gains, 'log2'):.3f}")
        print(f"| {distance:g} | {length:.0f} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
