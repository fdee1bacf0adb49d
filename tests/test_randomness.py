"""The tables behind every seed never change their meaning."""

from sxtbench.randomness import SPLITS, STAGES, generator, stage_key


def test_splits_and_stages_are_append_only() -> None:
    assert SPLITS == {"train": 0, "validation": 1, "test": 2, "private": 3, "stream": 4, "study": 5, "shifted": 6}
    committed = (
        "specimen deformation texture ice cracks impurities fiducials tilt misalignment illumination counts".split()
    )
    assert [name for name, _ in sorted(STAGES.items(), key=lambda item: item[1])][: len(committed)] == committed
    assert sorted(STAGES.values()) == list(range(len(STAGES)))


def test_draws_are_what_they_were() -> None:
    assert stage_key(20261121, "test", 0, "counts") == COUNTS_KEY
    assert generator(20261121, "train", 3, "specimen").integers(0, 10**9, 3).tolist() == DRAWS


def test_branches_differ() -> None:
    keys = {stage_key(1, split, index, stage) for split in SPLITS for index in range(3) for stage in STAGES}
    assert len(keys) == len(SPLITS) * 3 * len(STAGES)


COUNTS_KEY = 4421215883715714772
DRAWS = [631716623, 1965048, 243532941]
