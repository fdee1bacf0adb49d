"""Codecs for a sample's chunks: seconds of one core and megabytes, on the arrays of a stored sample.

Use: python benchmarks/store_codecs.py DATASET/inputs/test/test-00000.zarr.zip DATASET/targets/test/test-00000.zarr.zip
"""

import itertools
import sys
from pathlib import Path
from time import thread_time

import numpy as np
import zarr
from numcodecs import blosc
from numpy.typing import NDArray

from sxtbench.datasets.store import open_hierarchy

CODECS = [("zstd", 1), ("zstd", 3), ("zstd", 5), ("lz4", 1), ("lz4", 5), ("blosclz", 1)]
CHUNK = 64


def chunks_of(path: Path) -> list[NDArray[np.generic]]:
    """Return the chunks of all volumes and tilt series of a file that are not zero."""
    found = []
    with open_hierarchy(path) as root:
        for _, member in root.members(max_depth=None):
            if not isinstance(member, zarr.Array) or member.ndim != 3:
                continue
            array = np.asarray(member[...])
            for corner in itertools.product(*(range(0, n, CHUNK) for n in array.shape)):
                part = np.ascontiguousarray(array[tuple(slice(a, a + CHUNK) for a in corner)])
                if part.any():
                    found.append(part)
    return found


def main(paths: list[str]) -> None:
    """Print a line a codec."""
    blosc.use_threads = False
    chunks = [chunk for path in paths for chunk in chunks_of(Path(path))]
    print(f"{len(chunks)} chunks, {sum(chunk.nbytes for chunk in chunks) / 1e6:.0f} MB")
    for name, level in CODECS:
        codec = blosc.Blosc(cname=name, clevel=level, shuffle=blosc.Blosc.BITSHUFFLE)
        start = thread_time()
        size = sum(len(codec.encode(chunk)) for chunk in chunks)
        print(f"{name} {level}: {thread_time() - start:.2f} s, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
