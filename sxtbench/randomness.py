"""Seeds: one root, one branch a (split, index, stage), so that no stage can disturb another.

`STAGES` is append-only: a number never changes its meaning, or every dataset would change.
"""

import numpy as np

SPLITS = {"train": 0, "validation": 1, "test": 2, "private": 3, "stream": 4, "study": 5, "shifted": 6}

STAGES = {
    "specimen": 0,
    "deformation": 1,
    "texture": 2,
    "ice": 3,
    "cracks": 4,
    "impurities": 5,
    "fiducials": 6,
    "tilt": 7,
    "misalignment": 8,
    "illumination": 9,
    "counts": 10,
    "region": 11,
    "interior_counts": 12,
    "full_counts": 13,
    "interior_thinned": 14,
    "full_thinned": 15,
    "interior_360_counts": 16,
    "full_360_counts": 17,
    "misalignment_360": 18,
}


def seed_sequence(root: int, split: str, index: int, stage: str) -> np.random.SeedSequence:
    """Return the branch of `root` that belongs to one stage of one specimen."""
    return np.random.SeedSequence(root, spawn_key=(SPLITS[split], index, STAGES[stage]))


def generator(root: int, split: str, index: int, stage: str) -> np.random.Generator:
    """Return a generator for one stage of one specimen.

    >>> generator(7, "test", 0, "tilt").integers(1000) == generator(7, "test", 0, "tilt").integers(1000)
    np.True_
    """
    return np.random.Generator(np.random.PCG64(seed_sequence(root, split, index, stage)))


def stage_key(root: int, split: str, index: int, stage: str) -> int:
    """Return the 64-bit key of one stage, for counter-based generators (one draw a pixel, in any order)."""
    return int(seed_sequence(root, split, index, stage).generate_state(1, np.uint64)[0])
