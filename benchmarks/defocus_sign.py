"""Print the CNR gain of a method of contrast-enhancement by the sign of the defocus, under both kinds of light.

Run: python benchmarks/defocus_sign.py [METHOD] [TIER]
"""

import sys

import numpy as np

from sxtbench.benchmark.result import load_result
from sxtbench.benchmark.task import get_task
from sxtbench.content import content_folder


def main() -> None:
    """Print a line for each light and sign, and the correlation of gain and defocus."""
    method, tier = (*sys.argv[1:], *("paganin-unsharp", "small")[len(sys.argv) - 1 :])
    path = content_folder("leaderboard") / "results" / "contrast-enhancement" / tier / f"{method}.json"
    gains: dict[tuple[object, str], float] = {}
    for row in load_result(path).rows:
        if row.metric == "cnr_gain_matched@1" and row.class_ is None:
            gains[row.condition["illumination"], row.group] = row.value
    data = get_task("contrast-enhancement", tier).dataset("test", targets=True).at_reference
    defocus = {sample.group: float(sample.targets["defocus_um"][0]) for sample in data}
    distance = np.array(list(defocus.values()))
    for light in ("incoherent", "partially_coherent"):
        logarithms = np.log2([gains[light, group] for group in defocus])
        for name, chosen in (("above", distance > 0), ("below", distance < 0)):
            print(f"{light}, defocus {name} 0: {2 ** logarithms[chosen].mean():.3f} ({chosen.sum()} specimens)")
        print(f"{light}, correlation of log gain and defocus: {np.corrcoef(distance, logarithms)[0, 1]:.2f}")


if __name__ == "__main__":
    main()
