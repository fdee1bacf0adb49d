from collections import Counter
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from sxtbench.errors import InputError
from sxtbench.specimens.shapes import Body, Shape, directions
from sxtbench.specimens.yeast import YeastGeometry, YeastParameters, draw_yeast
from sxtbench.specimens.yeast_parameters import draw_count

FIELD = (5.76, 5.76, 5.76)
ICE = 0.106


def _draw(parameters: YeastParameters, seed: int, *, field: float = 5.76, extended: float = 0.0) -> YeastGeometry:
    return draw_yeast(
        parameters,
        field_um=(field, field, field),
        extended_x_um=max(field, extended),
        ice_lac_per_um=ICE,
        rng=np.random.default_rng(seed),
    )


def _surface(shape: Shape) -> np.ndarray:
    if shape.form == 0:
        return shape.surface_um(400)
    along = np.linspace(-1, 1, 5)[:, None] * shape.radii_um[0] * shape.rotation[0]
    return (shape.centre_um + along[:, None] + directions(128) * shape.radii_um[1]).reshape(-1, 3)


def _assert_sound(bodies: list[Body]) -> None:
    """Everything lies in the cytoplasm; nothing overlaps, but a droplet may lie wholly in a vacuole."""
    (cell,) = (b.shapes[0] for b in bodies if b.kind == "cell")
    (cytoplasm,) = (b.shapes[0] for b in bodies if b.kind == "cytoplasm")
    assert cell.contains(cytoplasm.surface_um(400)).all()
    things = [b for b in bodies if b.kind not in ("cell", "cytoplasm")]
    surfaces = [np.concatenate([_surface(s) for s in b.shapes]) for b in things]
    for a, points in zip(things, surfaces, strict=True):
        assert cytoplasm.contains(points).all(), a.kind
        for b in things:
            if a is b:
                continue
            inside = np.any([shape.contains(points) for shape in b.shapes], axis=0)
            if (a.kind, b.kind) == ("droplet", "vacuole"):
                assert inside.all() or not inside.any()
            else:
                assert not inside.any(), (a.kind, b.kind)


def test_nothing_overlaps_and_all_is_contained(with_changes: Any) -> None:
    often = with_changes({"vacuoles.fragmentation.probability": 0.6, "vacuoles.fragmentation.droplet_probability": 0.3})
    kinds: Counter[str] = Counter()
    for seed in range(20):
        bodies = list(_draw(often, seed).bodies)
        kinds.update(b.kind for b in bodies)
        _assert_sound(bodies)
    assert kinds["nucleus"] == 20
    assert kinds["vacuole"] > 40
    assert 20 * 9 < kinds["droplet"] < 20 * 16
    assert 20 * 4 < kinds["mitochondrion"] <= 20 * 12


def test_lac_bounds_and_spread_of_sizes(with_changes: Any) -> None:
    parameters = with_changes({"mitochondria.count": 0, "droplets.count": 3})
    radii, vacuole_lac, droplet_lac, single = [], [], [], []
    for seed in range(200):
        bodies = _draw(parameters, seed).bodies
        cell = float(np.prod(bodies[0].shapes[0].radii_um) ** (1 / 3))
        cytoplasm = next(b.lac_per_um for b in bodies if b.kind == "cytoplasm")
        vacuoles = [b for b in bodies if b.kind == "vacuole"]
        for b in vacuoles:
            assert ICE + 0.02 - 1e-12 <= b.lac_per_um <= cytoplasm - 0.08 + 1e-12
        for b in bodies:
            if b.kind == "droplet":
                assert cytoplasm + 0.12 - 1e-12 <= b.lac_per_um <= 0.89
                droplet_lac.append(b.lac_per_um)
                assert 0.20 <= b.shapes[0].radii_um[0] <= 0.34
        sizes = [float(np.prod(b.shapes[0].radii_um) ** (1 / 3)) for b in vacuoles]
        assert vacuoles
        assert min(sizes) >= 0.24
        radii += sizes
        vacuole_lac += [b.lac_per_um for b in vacuoles]
        nucleus = next(float(b.shapes[0].radii_um[0]) for b in bodies if b.kind == "nucleus")
        assert 0.28 <= nucleus / cell <= max(0.28, min(0.38, 0.93 - max(sizes) / cell)) + 1e-9
        if len(vacuoles) == 1:
            single.append(sizes[0] / cell)
    assert np.unique(np.round(radii, 6)).size > 0.98 * len(radii)  # SimAQ: 73 % at one value
    assert np.mean(vacuole_lac) == pytest.approx(0.182, abs=0.01)
    assert np.mean(droplet_lac) == pytest.approx(0.62, abs=0.015)
    assert np.mean(single) == pytest.approx(0.52, abs=0.03)


def test_cells_lie_in_the_plane_without_overlap_and_neighbours_outside(with_changes: Any) -> None:
    parameters = with_changes(
        {
            "cells.count": 4,
            "cells.neighbour_count": 3,
            "cells.radius_um": {"min": 1.7, "max": 2.5},
            "mitochondria.count": 0,
            "droplets.count": 0,
            "vacuoles.count": 1,
            "nucleus.probability": 0.0,
        }
    )
    neighbours = 0
    for seed in range(12):
        geometry = _draw(parameters, seed, field=17.9, extended=28.0)
        cells = [b.shapes[0] for b in geometry.bodies if b.kind == "cell"]
        assert geometry.n_cells == 4
        for i, a in enumerate(cells):
            for b in cells[:i]:
                assert not a.contains(b.surface_um(1000)).any()
                assert not b.contains(a.surface_um(1000)).any()
        for cell in cells[:4]:
            assert abs(cell.centre_um[1]) <= 0.1
            assert np.abs(cell.surface_um(400)[:, [0, 2]]).max() <= 17.9 / 2
        for cell in cells[4:]:
            assert 17.9 / 2 <= abs(cell.centre_um[2]) <= 14.0
        neighbours += len(cells) - 4
        assert [b.cell for b in geometry.bodies if b.kind == "cell"] == list(range(1, len(cells) + 1))
    assert neighbours > 24
    spread = np.concatenate(
        [[b.shapes[0].centre_um for b in _draw(parameters, s, field=17.9).bodies if b.kind == "cell"] for s in range(6)]
    )
    assert spread[:, 0].std() > 1.0
    assert spread[:, 2].std() > 1.0
    assert spread[:, 1].std() < 0.1


def test_same_seed_same_specimen_and_the_inside_of_one_cell_is_its_own(with_changes: Any) -> None:
    parameters = with_changes({"cells.count": 2, "mitochondria.count": 2, "droplets.count": 4})
    more = with_changes({"cells.count": 2, "mitochondria.count": 3, "droplets.count": 4})

    def table(geometry: YeastGeometry, cell: int) -> list[Any]:
        return [(b.kind, b.lac_per_um, b.shapes[0].centre_um.tolist()) for b in geometry.bodies if b.cell == cell]

    a, b, c = _draw(parameters, 3), _draw(parameters, 3), _draw(parameters, 4)
    assert table(a, 1) + table(a, 2) == table(b, 1) + table(b, 2)
    assert table(a, 1) != table(c, 1)
    d = _draw(more, 3)
    assert [r for r in table(d, 2) if r[0] == "cell"] == [r for r in table(a, 2) if r[0] == "cell"]


def test_what_finds_no_room_is_left_out(with_changes: Any) -> None:
    crowded = with_changes(
        {
            "vacuoles.count": 4,
            "vacuoles.count_exponent": 0.0,
            "vacuoles.fragmentation.probability": 0.0,
            "droplets.count": 30,
            "droplets.radius_um": 0.6,
            "mitochondria.count": 0,
        }
    )
    bodies = list(_draw(crowded, 0).bodies)
    kinds = Counter(b.kind for b in bodies)
    assert kinds["vacuole"] < 4
    assert kinds["droplet"] < 30
    _assert_sound(bodies)


def test_simaq_can_be_said(with_changes: Any) -> None:
    plain = with_changes(
        {
            "nucleus.probability": 0.0,
            "mitochondria.count": 0,
            "vacuoles.lac_above_ice_per_um": None,
            "vacuoles.lac_below_cytoplasm_per_um": None,
            "droplets.lac_above_cytoplasm_per_um": None,
            "cells.count": [0.0, 0.31, 0.19, 0.19, 0.15, 0.09, 0.04],
        }
    )
    assert {b.kind for b in _draw(plain, 1, field=17.9).bodies} == {"cell", "cytoplasm", "vacuole", "droplet"}


def test_counts() -> None:
    rng = np.random.default_rng(0)
    table = Counter(draw_count((0.0, 0.5, 0.19, 0.15, 0.16), rng) for _ in range(4000))
    assert sorted(table) == [1, 2, 3, 4]
    assert table[1] / 4000 == pytest.approx(0.5, abs=0.03)


def test_a_recipe_must_name_everything(with_changes: Any, parameters: YeastParameters) -> None:
    content = parameters.model_dump()
    del content["gap_um"]
    with pytest.raises(ValidationError, match="gap_um"):
        YeastParameters.model_validate(content)
    with pytest.raises(ValidationError, match="shortest <= longest"):
        with_changes({"texture.correlation_um": [0.2, 0.1]})
    assert YeastParameters.model_validate(parameters.model_dump(mode="json")) == parameters
    with pytest.raises(InputError, match="without cells"):
        _draw(with_changes({"cells.count": 0}), 0)
    with pytest.raises(InputError, match=r"wall of 3\.000 um"):
        _draw(with_changes({"cells.wall": {"thickness_um": 3.0, "lac_per_um": 0.4}}), 0)
