from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from sxtbench import labels
from sxtbench.errors import InputError
from sxtbench.geometry import VolumeGrid
from sxtbench.specimens.bacteria import Bacteria, BacteriaParameters, draw_bacteria, render_bacteria
from sxtbench.specimens.rods import segment_distance
from sxtbench.specimens.shapes import Shape

SMALL = VolumeGrid((16, 416, 416), 20.0)
TINY = VolumeGrid((8, 208, 208), 40.0)


def _draw(parameters: BacteriaParameters, stages: Any, seed: int, field: VolumeGrid = SMALL) -> Bacteria:
    return draw_bacteria(parameters, field=field, generator_of=stages(seed))


def _rods(b: Bacteria) -> list[Shape]:
    return [body.shapes[0] for body in b.bodies if body.kind == "bacterium"]


def _distance(p: NDArray[Any], d: NDArray[Any], q: NDArray[Any], e: NDArray[Any]) -> float:
    """Distance of the segments p +- d and q +- e: the least over the square's interior and its four edges."""
    found = []
    a = np.array([[d @ d, -d @ e], [-d @ e, e @ e]])
    if np.linalg.det(a) > 1e-9:
        s, t = np.linalg.solve(a, [(q - p) @ d, (p - q) @ e])
        if abs(s) <= 1 and abs(t) <= 1:
            found.append(p + s * d - q - t * e)
    for sign in (-1.0, 1.0):
        t = np.clip((p + sign * d - q) @ e / max(e @ e, 1e-30), -1, 1)
        s = np.clip((q + sign * e - p) @ d / max(d @ d, 1e-30), -1, 1)
        found += [p + sign * d - q - t * e, p + s * d - q - sign * e]
    return float(min(np.linalg.norm(v) for v in found))


def test_distance_of_segments() -> None:
    rng = np.random.default_rng(0)
    for _ in range(500):
        p, d, q, e = rng.standard_normal((4, 3))
        assert segment_distance(p, d, q, e) == pytest.approx(_distance(p, d, q, e), abs=1e-9)
    p, d = np.zeros(3), np.array([0.0, 0.0, 1.0])
    for q, e, expected in (
        ([1.0, 0, 0], [0, 0, 2.0], 1.0),
        ([0, 0, 4.0], [0, 0, 1.0], 2.0),
        ([0, 0, 0.5], [0, 1.0, 0], 0.0),
        ([0, 3.0, 5.0], [0, 0, 0], 5.0),
    ):
        assert segment_distance(p, d, np.array(q), np.array(e, float)) == pytest.approx(expected)


@pytest.mark.parametrize(("tier", "low", "high"), [("tiny", 12, 20), ("small", 20, 32)])
def test_numbers_of_rods_and_of_those_that_touch(
    bacteria: Any, stages: Any, tiers: Any, tier: str, low: int, high: int
) -> None:
    field = TINY if tier == "tiny" else SMALL
    parameters = bacteria(tiers("tiny", "bacteria") if tier == "tiny" else {})
    shares, crossing = [], []
    for seed in range(6):
        b = _draw(parameters, stages, seed, field)
        rods = _rods(b)
        near = [abs(r.centre_um[0]) - abs(r.radii_um[0] * r.rotation[0, 0]) - r.radii_um[1] for r in rods]
        crossing.append(sum(n < field.size_um[0] / 2 for n in near))
        assert low <= crossing[-1] <= high
        assert len(rods) > crossing[-1] + 4
        assert max(near) <= field.size_um[0] / 2 + 1.0
        shares.append(b.touching.mean())
        for rod in rods:
            assert 0.35 <= rod.radii_um[1] <= 0.45
            assert 1.5 <= 2 * (rod.radii_um[0] + rod.radii_um[1]) <= 3.5
        if tier == "tiny":
            grains = [body.shapes[0].reach_um for body in b.bodies if body.kind == "granule"]
            assert min(grains) >= 0.20
    assert len(set(crossing)) > 2
    assert np.mean(shares) == pytest.approx(0.3, abs=0.03)
    assert min(shares) > 0.2


def test_rods_do_not_overlap_and_stay_in_the_bore(bacteria: Any, stages: Any) -> None:
    b = _draw(bacteria(), stages, 1)
    rods = _rods(b)
    touched = np.zeros(len(rods), bool)
    for i in range(len(rods)):
        for j in range(i):
            p, d, q, e = (v for r in (rods[i], rods[j]) for v in (r.centre_um, r.radii_um[0] * r.rotation[0]))
            if np.linalg.norm(p - q) > 4.5:
                continue
            gap = segment_distance(p, d, q, e) - rods[i].radii_um[1] - rods[j].radii_um[1]
            assert gap >= -1e-9
            assert gap < 1e-9 or gap >= 0.03 - 1e-9
            if gap < 1e-9:
                touched[[i, j]] = True
    assert np.array_equal(touched, b.touching)
    for rod in rods:
        for sign in (-1, 1):
            end = rod.centre_um + sign * rod.radii_um[0] * rod.rotation[0]
            assert np.hypot(end[1], end[2]) + rod.radii_um[1] + b.deformation.largest_um <= 3.5


def test_what_is_in_a_rod(bacteria: Any, stages: Any) -> None:
    b = _draw(bacteria({"rods.lac_per_um": 0.45}), stages, 2)
    grains: Counter[int] = Counter()
    for number, rod in enumerate(_rods(b), 1):
        own = {body.kind: body for body in b.bodies if body.cell == number and body.kind != "granule"}
        assert set(own) == {"bacterium", "cytoplasm", "nucleoid"}
        assert own["bacterium"].lac_per_um == pytest.approx(0.60)
        assert own["cytoplasm"].lac_per_um == pytest.approx(0.45)
        assert own["nucleoid"].lac_per_um == pytest.approx(0.40)
        inner = own["cytoplasm"].shapes[0]
        assert rod.radii_um[1] - inner.radii_um[1] == pytest.approx(0.04)
        balls = [body.shapes[0] for body in b.bodies if body.cell == number and body.kind == "granule"]
        grains[len(balls)] += 1
        for k, ball in enumerate(balls):
            assert 0.08 <= ball.reach_um <= 0.20
            assert inner.contains(ball.surface_um(200)).all()
            for other in balls[:k]:
                assert np.linalg.norm(ball.centre_um - other.centre_um) > ball.reach_um + other.reach_um
    assert set(grains) == {0, 1, 2, 3}


def test_lac_labels_and_masks(bacteria: Any, stages: Any) -> None:
    changes = {"texture.sd_per_um": 0.0, "rods.lac_per_um": 0.45, "granules.lac_per_um": 0.75}
    b = _draw(bacteria(changes), stages, 0)
    s = render_bacteria(b, SMALL)
    assert set(np.unique(s.labels)) == {0, labels.BACTERIUM, labels.GLASS}
    assert np.array_equal(s.masks["cells"], s.labels == labels.BACTERIUM)
    for name, lac in (("nucleoid", 0.40), ("granules", 0.75)):
        assert s.masks[name].sum() > 1000
        assert (s.labels[s.masks[name]] == labels.BACTERIUM).all()
        assert np.median(s.lac[s.masks[name]]) == pytest.approx(lac, abs=1e-5)
    plain = s.masks["cells"] & ~s.masks["nucleoid"] & ~s.masks["granules"]
    kinds = np.array(["", *[body.kind for body in b.bodies]])[s.bodies]
    assert np.median(s.lac[kinds == "cytoplasm"]) == pytest.approx(0.45, abs=1e-5)
    assert np.percentile(s.lac[kinds == "bacterium"], 75) == pytest.approx(0.60, abs=0.01)
    assert s.lac[plain].max() <= 0.7501
    _, y, x = s.grid.axes_um()
    away = np.broadcast_to(np.hypot(y[:, None], x[None, :]), s.grid.shape)
    assert not s.lac[away > 3.72].any()
    assert not s.masks["cells"][away > 3.5].any()
    assert (s.labels[(away > 3.501) & (away < 3.699)] == labels.GLASS).all()
    ice = (s.labels == 0) & (away < 3.5)
    assert np.median(s.lac[ice]) == pytest.approx(0.103, abs=1e-5)
    assert s.coverage.sum(dtype=float) / 16 * 0.02**2 == pytest.approx(np.pi * 3.5**2, rel=0.002)
    crossing = {row["cell"] for row in s.objects if row["visible_volume_um3"] > 0}
    assert 20 <= len(crossing) + 2
    assert len(crossing) <= 34


@pytest.mark.parametrize("edge_nm", [20.0, 80.0])
def test_the_envelope_keeps_its_mass_on_every_grid(bacteria: Any, stages: Any, edge_nm: float) -> None:
    still = {"capillary": None, "bundle_um": 7.0, "texture.sd_per_um": 0.0, "deformation.sd_um": 0.0, "rods.count": 3,
             "rods.reach_um": 0.0, "granules.count": 0, "rods.lac_per_um": 0.0,
             "nucleoid.lac_below_cytoplasm_per_um": 0.0}  # fmt: skip
    b = _draw(bacteria(still), stages, 0)
    n, across = int(5600 / edge_nm), int(7040 / edge_nm)
    s = render_bacteria(b, VolumeGrid((n, across, across), edge_nm))
    expected = 0.0
    for outer, inner in zip(b.bodies[::3], b.bodies[1::3], strict=True):
        expected += 0.15 * (outer.shapes[0].volume_um3 - inner.shapes[0].volume_um3)
    assert s.lac.sum(dtype=float) * s.grid.voxel_size_um**3 == pytest.approx(expected, rel=0.01)


def test_seed_threads_and_grids(bacteria: Any, stages: Any) -> None:
    b = _draw(bacteria(), stages, 3)
    one, many = render_bacteria(b, SMALL, workers=1), render_bacteria(b, SMALL, workers=3)
    for name in ("labels", "bodies", "lac", "coverage"):
        assert np.array_equal(getattr(one, name), getattr(many, name))
    again = _draw(bacteria(), stages, 3)
    assert [body.lac_per_um for body in again.bodies] == [body.lac_per_um for body in b.bodies]
    assert not np.array_equal(one.labels, render_bacteria(_draw(bacteria(), stages, 4), SMALL).labels)
    tall = render_bacteria(b, VolumeGrid((40, 416, 416), 20.0))
    assert np.array_equal(tall.labels[12:28], one.labels)
    coarse = render_bacteria(b, VolumeGrid((4, 104, 104), 80.0))
    mean = one.lac.reshape(4, 4, 104, 4, 104, 4).mean(axis=(1, 3, 5))
    inside = coarse.masks["cells"]
    assert np.sqrt(np.mean((mean - coarse.lac)[inside] ** 2)) < 0.02


def test_bad_recipes_are_refused_in_one_line(bacteria: Any, stages: Any) -> None:
    with pytest.raises(InputError, match=r"drew 30 rods that cross a field of 0\.32 um, and no more than \d+ found"):
        _draw(bacteria({"rods.count": 30, "capillary.bore_um": 3.5}), stages, 0)
    with pytest.raises(InputError, match=r"a rod 2\.00 um wide and 1\.00 um long"):
        _draw(bacteria({"rods.width_um": 2.0, "rods.length_um": 1.0}), stages, 0)
    with pytest.raises(InputError, match=r"envelope of 0\.5 um does not fit a rod of 0\.\d\d um"):
        _draw(bacteria({"envelope.thickness_um": 0.5}), stages, 0)
    with pytest.raises(InputError, match=r"a nucleoid of 1\.20 of a rod's width"):
        _draw(bacteria({"nucleoid.width_fraction": 1.2}), stages, 0)
    for change in ({"capillary": None}, {"bundle_um": 5.0}):
        with pytest.raises(ValidationError, match="either a capillary or bundle_um"):
            bacteria(change)
