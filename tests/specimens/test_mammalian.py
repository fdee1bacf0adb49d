from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from sxtbench import labels
from sxtbench.errors import InputError
from sxtbench.geometry import VolumeGrid
from sxtbench.specimens.mammalian import Mammalian, MammalianParameters, draw_mammalian, render_mammalian
from sxtbench.specimens.shapes import Shape, directions
from sxtbench.specimens.specimen import Specimen

CUBE = VolumeGrid((64, 64, 64), 160.0)
FEW = {"mitochondria.count": {"min": 30, "max": 45}}
EMPTY = {"mitochondria.count": 0, "endosomes.count": 0, "droplets.count": 0, "endoplasmic_reticulum.count": 0}


def _draw(parameters: MammalianParameters, stages: Any, seed: int, field: VolumeGrid = CUBE) -> Mammalian:
    return draw_mammalian(parameters, field=field, generator_of=stages(seed))


def _same(a: Specimen, b: Specimen) -> bool:
    volumes = ("labels", "bodies", "lac", "coverage")
    return all(np.array_equal(getattr(a, v), getattr(b, v)) for v in volumes) and a.objects == b.objects


def _surface(shape: Shape) -> np.ndarray:
    along = np.linspace(-1, 1, 3)[:, None] * (shape.radii_um[0] * shape.rotation[0] if shape.form else np.zeros(3))
    return (shape.centre_um + along[:, None] + directions(64) * shape.radii_um[1]).reshape(-1, 3)


def test_what_the_recipe_says_is_what_is_drawn(mammalian: Any, stages: Any) -> None:
    parameters = mammalian(FEW)
    counts: Counter[str] = Counter()
    for seed in range(4):
        m = _draw(parameters, stages, seed)
        own = Counter(b.kind for b in m.bodies)
        counts += own
        assert own["cell"] == own["nucleus"] == 1
        assert own["heterochromatin"] == 2
        assert 3 <= own["endoplasmic reticulum"] <= 6
        assert 1 <= own["nucleolus"] <= 2
        points = m.cell.surface_um
        widest = np.linalg.norm(points[::4, None, 1:] - points[None, ::4, 1:], axis=2).max()
        assert 0.87 * 7.0 < widest <= 8.0
        assert np.linalg.norm(points[:, 1:], axis=1).max() < 8.6 / 2
        assert 0.85 * 2.0 * 0.95**4 < m.nucleus.radius_um < 1.15 * 2.5
        assert (m.cell.depth_um(m.nucleus.surface_um) > 0.2).all()
        for body in m.bodies:
            if body.kind == "mitochondrion":
                assert len(body.shapes) >= 2
                assert 0.15 <= body.shapes[0].radii_um[1] <= 0.225
                assert body.label == labels.MITOCHONDRION
                ends = [{tuple(np.round(s.centre_um + k * s.radii_um[0] * s.rotation[0], 6) + 0.0) for k in (-1, 1)}
                        for s in body.shapes]  # fmt: skip
                assert all(a & b for a, b in pairwise(ends))
            if body.kind == "droplet":
                assert 0.2 <= body.shapes[0].reach_um <= 0.5
                assert body.texture_sd_per_um == 0.0
            if body.kind == "endosome":
                assert 0.15 <= body.shapes[0].reach_um <= 0.4
                assert 0.30 <= body.lac_per_um <= 0.40
    assert 4 * 27 <= counts["mitochondrion"] <= 4 * 45
    assert 4 * 6 <= counts["droplet"] <= 4 * 20
    assert 4 * 5 <= counts["endosome"] <= 4 * 15


def test_organelles_lie_in_the_cytoplasm_and_keep_apart(mammalian: Any, stages: Any) -> None:
    m = _draw(mammalian(FEW), stages, 1)
    things = [b for b in m.bodies if b.kind in ("mitochondrion", "droplet", "endosome")]
    surfaces = [np.concatenate([_surface(s) for s in b.shapes]) for b in things]
    points = np.concatenate(surfaces)
    assert (m.cell.depth_um(points) > 0.0).all()
    assert (m.nucleus.depth_um(points) < 0.0).all()
    for k, thing in enumerate(things):
        others = np.concatenate([s for j, s in enumerate(surfaces) if j != k])
        for shape in thing.shapes:
            assert not shape.contains(others).any()
    for body in (b for b in m.bodies if b.kind == "nucleolus"):
        assert body.region is not None
        assert (m.nucleus.depth_um(body.region.bands[0].field.surface_um) > 0.0).all()


def test_lac_and_labels(mammalian: Any, stages: Any) -> None:
    quiet = mammalian({**FEW, "texture.sd_per_um": 0.0, "cell.cytosol_lac_per_um": 0.22, "cell.membrane": None,
                       "mitochondria.lac_per_um": 0.36, "endosomes.lac_per_um": 0.31, "droplets.lac_per_um": 0.65,
                       "endoplasmic_reticulum.labelled": True})  # fmt: skip
    s = render_mammalian(_draw(quiet, stages, 0), VolumeGrid((16, 224, 224), 40.0))
    assert set(np.unique(s.labels)) <= {0, 1, 3, 4, 5, 6, 7, 8, 10}
    assert {0, 1, 3, 4, 6, 7, 10} <= set(np.unique(s.labels))
    pure = {1: 0.22, 3: 0.65, 5: 0.33, 6: 0.36, 8: 0.31}
    for label, lac in pure.items():
        if (s.labels == label).sum() > 200:
            assert np.median(s.lac[s.labels == label]) == pytest.approx(lac, abs=1e-5), label
    nucleus = s.lac[s.labels == 4]
    assert (np.isclose(nucleus, 0.27, atol=1e-5) | np.isclose(nucleus, 0.34, atol=1e-5)).mean() > 0.7
    dense = s.masks["heterochromatin"]
    assert 0.2 < dense.sum() / (s.labels == 4).sum() < 0.6
    assert (s.labels[dense] == 4).all()
    assert np.median(s.lac[dense]) == pytest.approx(0.34, abs=1e-5)
    assert np.array_equal(s.masks["endoplasmic_reticulum"], s.labels == 7)
    assert np.array_equal(s.masks["cells"], s.bodies > 0)
    assert (s.labels[s.bodies == 0] % 10 == 0).all()
    _, y, x = s.grid.axes_um()
    away = np.broadcast_to(np.hypot(y[:, None], x[None, :]), s.grid.shape)
    assert not s.lac[away > 4.55].any()
    assert (s.labels[away > 4.501] == 0).all()
    assert (s.labels[(away > 4.301) & (away < 4.499)] == 10).all()
    assert not (s.bodies[away > 4.3] > 0).any()
    np.testing.assert_allclose(s.lac[(away > 4.35) & (away < 4.45)], 1.09, rtol=1e-5)
    ice = (s.labels == 0) & (away < 4.25)
    assert np.median(s.lac[ice]) == pytest.approx(0.103, abs=1e-5)
    assert s.coverage.sum(dtype=float) / 16 * 0.04**2 == pytest.approx(np.pi * 4.3**2, rel=0.002)
    assert s.half_depth_um == pytest.approx(4.5)


def test_unlabelled_reticulum_has_a_mask_of_its_own(mammalian: Any, stages: Any) -> None:
    grid = VolumeGrid((8, 224, 224), 40.0)
    marked, plain = (
        render_mammalian(_draw(mammalian({**FEW, "endoplasmic_reticulum.labelled": on}), stages, 0), grid)
        for on in (True, False)
    )
    sheet = plain.masks["endoplasmic_reticulum"]
    assert sheet.sum() > 500
    assert (plain.labels[sheet] == 1).all()
    assert (marked.labels[sheet] == 7).all()
    assert np.array_equal(marked.lac, plain.lac)


def test_texture_and_membrane(mammalian: Any, stages: Any) -> None:
    grid = VolumeGrid((12, 448, 448), 20.0)
    still = {**EMPTY, "texture.sd_per_um": 0.0}
    rough = render_mammalian(_draw(mammalian(EMPTY), stages, 4, grid), grid)
    smooth, bare = (
        render_mammalian(_draw(mammalian({**still, **change}), stages, 4, grid), grid)
        for change in ({}, {"cell.membrane": None})
    )
    inside = (bare.labels == 1) & (smooth.lac == bare.lac)
    assert (rough.lac - smooth.lac)[inside].std() == pytest.approx(0.03, rel=0.1)
    extra = smooth.lac - bare.lac
    flat = (1.0 - 0.22) * 8 / 20
    assert flat < extra.max() < 1.5 * flat
    cross_section = (bare.masks["cells"].sum(axis=(1, 2)) * 0.02**2).mean()
    outline = 2.0 * np.sqrt(np.pi * cross_section)
    assert 1.0 <= extra.sum(dtype=float) / 12 * 0.02**2 / (0.008 * (1.0 - 0.19) * outline) < 1.12


def test_seed_and_threads(mammalian: Any, stages: Any) -> None:
    parameters = mammalian(FEW)
    grid = VolumeGrid((20, 112, 112), 80.0)
    first = render_mammalian(_draw(parameters, stages, 0), grid, workers=1)
    assert _same(first, render_mammalian(_draw(parameters, stages, 0), grid, workers=3))
    assert not np.array_equal(first.labels, render_mammalian(_draw(parameters, stages, 1), grid).labels)


def test_a_place_looks_the_same_on_every_grid(mammalian: Any, stages: Any) -> None:
    m = _draw(mammalian(FEW), stages, 2, VolumeGrid((128, 128, 128), 80.0))
    slab, cube = VolumeGrid((8, 128, 128), 80.0), VolumeGrid((64, 128, 128), 80.0)
    thin, thick = render_mammalian(m, slab), render_mammalian(m, cube)
    assert np.array_equal(thin.labels, thick.labels[28:36])
    assert np.array_equal(thin.bodies, thick.bodies[28:36])
    np.testing.assert_allclose(thin.lac, thick.lac[28:36], atol=1e-6)
    fine = render_mammalian(m, slab.refined(4))
    mean = fine.lac.reshape(8, 4, 128, 4, 128, 4).mean(axis=(1, 3, 5))
    inside = thin.masks["cells"]
    assert np.sqrt(np.mean((mean - thin.lac)[inside] ** 2)) < 0.004
    assert np.sqrt(np.mean((mean - thin.lac) ** 2)) < 0.02
    assert mean.sum(dtype=float) == pytest.approx(thin.lac.sum(dtype=float), rel=0.002)
    np.testing.assert_allclose(
        fine.coverage.reshape(8, 4, 128, 4, 128, 4).mean(axis=(1, 3, 5)), thin.coverage, atol=0.25
    )


def test_slabs_cut_the_cell_off_its_middle(mammalian: Any, stages: Any, tiers: Any) -> None:
    parameters = mammalian({**EMPTY, **tiers("slabs", "mammalian")})
    heights = [_draw(parameters, stages, seed).cell.shape.centre_um[0] for seed in range(8)]
    assert min(heights) < -0.3
    assert max(heights) > 0.3
    assert np.abs(heights).max() <= 1.5


def test_tiers_change_what_the_protocol_says(mammalian: Any, tiers: Any) -> None:
    tiny, full = mammalian(tiers("tiny", "mammalian")), mammalian(tiers("full", "mammalian"))
    assert (tiny.mitochondria.diameter_um.min, tiny.mitochondria.diameter_um.max) == (0.40, 0.50)
    assert full.endoplasmic_reticulum.labelled
    assert not tiny.endoplasmic_reticulum.labelled


def test_without_a_capillary_any_size_goes(mammalian: Any, stages: Any) -> None:
    parameters = mammalian({**FEW, "capillary": None, "cell.diameter_um": 17.0, "nucleus.diameter_um": 7.0,
                            "cell.irregularity": {"sd_um": 0.5, "correlation_um": 6.0}})  # fmt: skip
    m = _draw(parameters, stages, 0)
    s = render_mammalian(m, VolumeGrid((4, 160, 160), 110.0))
    assert 15.0 < 0.11 * np.sqrt(4 / np.pi * (s.labels[2] > 0).sum()) < 17.1
    assert not (s.labels == labels.GLASS).any()
    assert not s.lac[s.coverage == 0].max() > 0.1
    assert s.lac[:, :3, :3].max() == 0.0
    np.testing.assert_allclose(m.cell.surface_um[:, 1:].max(axis=0), 8.5, atol=1.0)
    assert s.half_depth_um == pytest.approx(8.5, abs=0.6)


def test_table_of_objects_agrees_with_the_voxels(mammalian: Any, stages: Any) -> None:
    s = render_mammalian(_draw(mammalian(FEW), stages, 3), VolumeGrid((140, 140, 140), 70.0))
    assert [row["id"] for row in s.objects] == list(range(1, len(s.objects) + 1))
    axes = s.grid.axes_um()
    for row in s.objects:
        where = np.nonzero(s.bodies == row["id"])
        if row["kind"] in ("droplet", "endosome", "nucleolus"):
            centre = [axes[a][where[a]].mean() for a in range(3)]
            np.testing.assert_allclose(centre, [row["z_um"], row["y_um"], row["x_um"]], atol=0.1)
            assert row["visible_volume_um3"] == pytest.approx(row["volume_um3"], rel=0.3)
        assert len(where[0]) * 0.07**3 == pytest.approx(row["visible_volume_um3"], rel=0.1, abs=0.01)
        assert (row["volume_um3"] is None) == (row["kind"] in ("heterochromatin", "endoplasmic reticulum"))
        assert (s.labels[where] == row["label"]).all()


def test_bad_recipes_are_refused_in_one_line(mammalian: Any, stages: Any) -> None:
    with pytest.raises(InputError, match=r"cell of 9\.00 um for a bore of 8\.60 um.*may be at most 8\.52"):
        _draw(mammalian({"cell.diameter_um": 9.0}), stages, 0)
    with pytest.raises(InputError, match=r"nucleus of 9\.00 um .* finds no room in a cell of \d\.\d\d um"):
        _draw(mammalian({"nucleus.diameter_um": 9.0}), stages, 0)
    with pytest.raises(ValidationError, match="expected 0 < shortest <= longest"):
        mammalian({"texture.correlation_um": [0.2, 0.1]})
    with pytest.raises(ValidationError, match="share"):
        mammalian({"endoplasmic_reticulum.share": 1.5})
