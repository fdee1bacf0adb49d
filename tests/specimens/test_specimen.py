import time
from typing import Any

import numpy as np
import pytest

from sxtbench.geometry import VolumeGrid
from sxtbench.specimens.specimen import Specimen, Yeast, make_yeast, render_yeast
from sxtbench.specimens.yeast import YeastParameters

TINY = VolumeGrid((64, 64, 64), 90.0)


def _make(parameters: YeastParameters, stages: Any, seed: int, extended: VolumeGrid = TINY) -> Yeast:
    return make_yeast(parameters, field=TINY, extended=extended, ice_lac_per_um=0.106, generator_of=stages(seed))


def _same(a: Specimen, b: Specimen) -> bool:
    volumes = ("labels", "bodies", "lac", "coverage")
    return all(np.array_equal(getattr(a, v), getattr(b, v)) for v in volumes) and a.objects == b.objects


def test_seed_and_threads(parameters: YeastParameters, stages: Any) -> None:
    first = render_yeast(_make(parameters, stages, 0), TINY, workers=1)
    assert _same(first, render_yeast(_make(parameters, stages, 0), TINY, workers=3))
    assert not np.array_equal(first.labels, render_yeast(_make(parameters, stages, 1), TINY).labels)


def test_a_place_looks_the_same_on_every_grid(with_changes: Any, stages: Any) -> None:
    wide = VolumeGrid((64, 64, 100), 90.0)
    parameters = with_changes({"cells.neighbour_count": 2})
    yeast = _make(parameters, stages, 2, wide)
    small, large = render_yeast(yeast, TINY), render_yeast(yeast, wide)
    assert np.array_equal(small.labels, large.labels[:, :, 18:82])
    assert np.array_equal(small.masks["nucleus"], large.masks["nucleus"][:, :, 18:82])
    np.testing.assert_allclose(small.lac, large.lac[:, :, 18:82], atol=1e-6)
    assert large.labels[:, :, :18].any() or large.labels[:, :, 82:].any()
    middle = render_yeast(yeast, wide, columns=64)
    assert np.array_equal(middle.labels, small.labels)
    assert np.array_equal(middle.bodies, small.bodies)
    assert middle.objects == small.objects
    assert np.array_equal(middle.masks["mitochondria"], small.masks["mitochondria"])
    assert np.array_equal(middle.lac, large.lac)

    fine = render_yeast(yeast, TINY.refined(2))
    mean = fine.lac.reshape(64, 2, 64, 2, 64, 2).mean(axis=(1, 3, 5))
    assert np.sqrt(np.mean((mean - small.lac) ** 2)) < 0.01
    assert fine.half_depth_um == small.half_depth_um


def test_what_a_cell_looks_like(parameters: YeastParameters, stages: Any) -> None:
    seen = []
    for seed in range(12):
        yeast = _make(parameters, stages, seed)
        s = render_yeast(yeast, TINY)
        seen.append({1, 2, 3} <= set(np.unique(s.labels)))
        assert s.labels.dtype == np.uint8
        assert s.lac.dtype == s.coverage.dtype == np.float32
        assert set(np.unique(s.labels)) <= {0, 1, 2, 3}
        for mask in s.masks.values():
            assert mask.any()
            assert (s.labels[mask] == 1).all()
        assert not (s.masks["nucleus"] & s.masks["mitochondria"]).any()
        inside = s.labels > 0
        assert not inside[:, 0].any()
        assert not inside[:, -1].any()
        deepest = np.abs(TINY.axes_um()[1][inside.any(axis=(0, 2))]).max()
        assert deepest - 0.02 <= s.half_depth_um <= deepest + 0.09
        assert s.lac.min() >= 0
        assert s.lac.max() < 0.9
    assert sum(seen) >= 10


def test_the_wall_is_there(with_changes: Any, stages: Any) -> None:
    quiet = with_changes({"texture.cytoplasm_sd_per_um": 0.0, "cells.cytoplasm_lac_per_um": 0.30, "droplets.count": 0})
    grid = VolumeGrid((128, 128, 128), 45.0)
    s = render_yeast(_make(quiet, stages, 0), grid)
    wall = s.bodies == 1
    assert (s.labels[wall] == 1).all()
    assert np.percentile(s.lac[wall & (s.coverage > 0.99)], 75) == pytest.approx(0.45, abs=0.02)
    volume = s.objects[0]["visible_volume_um3"]
    area = 4 * np.pi * (s.objects[0]["volume_um3"] / (4 / 3 * np.pi)) ** (2 / 3)
    assert volume / area == pytest.approx(0.12, rel=0.15)


def test_table_of_objects_agrees_with_the_voxels(parameters: YeastParameters, stages: Any) -> None:
    grid = TINY.refined(2)
    s = render_yeast(_make(parameters, stages, 3), grid)
    assert [row["id"] for row in s.objects] == list(range(1, len(s.objects) + 1))
    axes = grid.axes_um()
    for row in s.objects:
        if row["kind"] not in ("droplet", "nucleus"):
            continue
        where = np.nonzero(s.bodies == row["id"])
        centre = [axes[a][where[a]].mean() for a in range(3)]
        np.testing.assert_allclose(centre, [row["z_um"], row["y_um"], row["x_um"]], atol=0.05)
        assert row["visible_volume_um3"] == pytest.approx(row["volume_um3"], rel=0.35)
    for kind in ("nucleus", "mitochondrion"):
        ids = [row["id"] for row in s.objects if row["kind"] == kind]
        name = "nucleus" if kind == "nucleus" else "mitochondria"
        assert np.array_equal(np.isin(s.bodies, ids), s.masks[name])


def test_time_at_128(parameters: YeastParameters, stages: Any) -> None:
    yeast = _make(parameters, stages, 0)
    render_yeast(yeast, TINY)
    start = time.perf_counter()
    render_yeast(yeast, TINY.refined(2))
    print(f"128^3 rendered in {time.perf_counter() - start:.2f} s")
