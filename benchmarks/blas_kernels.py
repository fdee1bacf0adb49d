"""How many counts of a specimen change with the kernels that OpenBLAS takes for a processor, through the flat field.

    python benchmarks/blas_kernels.py [tier]

A specimen of limited-angle-segmentation is made in one process for each of OpenBLAS's kinds of kernels, and with BLAS
held to one thread; each is compared with the first.
"""

import os
import subprocess
import sys

import numpy as np

KINDS = ("Haswell", "Zen", "SkylakeX")
CHILD = """
import sys, numpy as np
from sxtbench.benchmark.task import get_task
from sxtbench.datasets.build import family_of
recipe = get_task("limited-angle-segmentation", sys.argv[1]).dataset_spec.recipe
sys.stdout.buffer.write(np.ascontiguousarray(family_of(recipe).content(recipe, "test", 0)["counts"]).tobytes())
"""


def counts(tier: str, **environment: str) -> np.ndarray:
    command = [sys.executable, "-c", CHILD, tier]
    made = subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, check=True)
    return np.frombuffer(made.stdout, np.uint32)


def main(tier: str) -> None:
    first = counts(tier, OPENBLAS_CORETYPE=KINDS[0])
    others = [{"OPENBLAS_CORETYPE": kind} for kind in KINDS[1:]]
    for environment in [*others, {"OPENBLAS_CORETYPE": KINDS[0], "OPENBLAS_NUM_THREADS": "1"}]:
        differ = int(np.count_nonzero(counts(tier, **environment) != first))
        named = " ".join(f"{key}={value}" for key, value in environment.items())
        print(f"{tier}, {named}: {differ} of {first.size} counts differ from OPENBLAS_CORETYPE={KINDS[0]}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "small")
