"""Whether a specimen comes out the same on other processors: each array, bit by bit, of every task.

    python benchmarks/other_processors.py [tier]

The first specimen of each task's test split is made in one process for each kind of processor, as far as this one can
act as another: NumPy without its AVX-512 code, numba for an older target, OpenBLAS with the kernels for another
processor or with one thread. The last is none that the data are promised for: without fused multiply-add.
"""

import io
import os
import subprocess
import sys

import numpy as np

from sxtbench.benchmark.task import list_tasks

KINDS = {
    "NumPy with AVX2": {"NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR"},
    "numba for Haswell": {"NUMBA_CPU_NAME": "haswell"},
    "OpenBLAS for AVX2": {"OPENBLAS_CORETYPE": "Haswell"},
    "OpenBLAS for AVX-512": {"OPENBLAS_CORETYPE": "SkylakeX"},
    "OpenBLAS, one thread": {"OPENBLAS_NUM_THREADS": "1"},
    "no fused multiply-add": {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""},
}
CHILD = """
import sys
import numpy as np
from sxtbench.benchmark.task import get_task
from sxtbench.datasets.build import family_of
recipe = get_task(sys.argv[1], sys.argv[2]).dataset_spec.recipe
np.savez(sys.stdout.buffer, **family_of(recipe).content(recipe, "test", 0))
"""


def content(task: str, tier: str, environment: dict[str, str]) -> dict[str, np.ndarray]:
    command = [sys.executable, "-c", CHILD, task, tier]
    made = subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, check=True)
    return dict(np.load(io.BytesIO(made.stdout)))


def main(tier: str) -> None:
    for task in list_tasks():
        usual = content(task, tier, {})
        print(f"{task}, {tier}: {len(usual)} arrays")
        for kind, environment in KINDS.items():
            made = content(task, tier, environment)
            differ = {
                name: f"{np.count_nonzero(made[name] != value)} of {value.size}"
                for name, value in usual.items()
                if made[name].tobytes() != value.tobytes()
            }
            print(f"  {kind:<22} {', '.join(f'{name}: {count}' for name, count in differ.items()) or 'the same bits'}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "small")
