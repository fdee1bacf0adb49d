import json
import sys

import numpy as np
import pytest
import zarr

from sxtbench.errors import InputError
from sxtbench.studies.openorganelle import LABELS, MICROGRAPHS, OpenOrganelleCell
from sxtbench.studies.phantom import CYTOPLASM, MITOCHONDRIA, RETICULUM, phantom_source

SHAPE = (40, 48, 44)  # z, y, x of s0
VOXEL = (84.0, 100.0, 100.0)  # nm


def greys():
    """Micrographs whose greys are linear in the LAC that is wanted, and labels; turned against each other in y."""
    z, y, x = (np.arange(n)[tuple(slice(None) if i == k else None for i in range(3))] for k, n in enumerate(SHAPE))
    cell = ((z - 20) / 17) ** 2 + ((y - 26) / 19) ** 2 + ((x - 21) / 19) ** 2 < 1
    er = cell & (np.abs(x - 14) < 2)
    mito = cell & ((z - 22) ** 2 + (x - 28) ** 2 < 16) & (y > 12)
    lac = np.where(cell, CYTOPLASM, 0.0)
    lac[er], lac[mito] = RETICULUM, MITOCHONDRIA
    return lac, cell, er, mito


def half(array):
    """The next level: every other voxel of an array of labels or greys, of means."""
    z, y, x = (n // 2 * 2 for n in array.shape)
    blocks = array[:z, :y, :x].reshape(z // 2, 2, y // 2, 2, x // 2, 2).astype(np.float64)
    return np.round(blocks.mean(axis=(1, 3, 5))).astype(array.dtype)


def arrays(flip):
    lac, cell, er, mito = greys()
    em = np.round(40000 - 60000 * lac).astype(np.uint16)
    if flip:
        em = em[:, ::-1]
    labels = {"cell": cell, "reticulum": er, "mitochondria": mito}
    content = {MICROGRAPHS: em, **{LABELS[key]: value.astype(np.uint8) * 9 for key, value in labels.items()}}
    content[LABELS["cell"]] = np.concatenate([content[LABELS["cell"]], np.zeros((1, *SHAPE[1:]), np.uint8)])
    return content


def write_n5(folder, flip=True):
    import tensorstore

    for name, array in arrays(flip).items():
        for level in range(2):
            path = folder / name / f"s{level}"
            spec = {
                "driver": "n5",
                "kvstore": {"driver": "file", "path": str(path)},
                "metadata": {
                    "dimensions": array.shape[::-1],
                    "blockSize": [16, 16, 16],
                    "dataType": str(array.dtype),
                    "compression": {"type": "gzip"},
                },
                "create": True,
            }
            tensorstore.open(spec).result().write(np.ascontiguousarray(array.T)).result()
            attributes = json.loads((path / "attributes.json").read_text())
            size = [v * 2**level for v in VOXEL]
            attributes["transform"] = {"axes": ["z", "y", "x"], "scale": size, "units": ["nm"] * 3}
            (path / "attributes.json").write_text(json.dumps(attributes))
            array = half(array)
    return folder


def write_zarr(folder, version, flip=True):
    for name, array in arrays(flip).items():
        group = zarr.open_group(folder / name, mode="w", zarr_format=version)
        datasets = []
        for level in range(2):
            group.create_array(f"s{level}", data=array, chunks=(16, 16, 16))
            change = {"type": "scale", "scale": [v * 2**level for v in VOXEL]}
            datasets.append({"path": f"s{level}", "coordinateTransformations": [change]})
            array = half(array)
        axes = [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"]
        scales = [{"axes": axes, "datasets": datasets}]
        group.attrs.update({"multiscales": scales} if version == 2 else {"ome": {"multiscales": scales}})
    return folder


@pytest.fixture(scope="module")
def n5(tmp_path_factory):
    pytest.importorskip("tensorstore")
    return write_n5(tmp_path_factory.mktemp("n5") / "jrc_something.n5")


def wanted_on_slices(shape, voxel_nm, height_um):
    """The LAC that was put in, at the points of a volume about the cell's middle in (axis 0, axis 2)."""
    lac = greys()[0]
    points = [
        [(SHAPE[k] * VOXEL[k] / 2 if m is None else m) + (i - (n - 1) / 2) * voxel_nm for i in range(n)]
        for k, (m, n) in enumerate(zip((None, height_um * 1000, None), (shape[1], shape[0], shape[2]), strict=True))
    ]
    index = [
        np.clip(np.floor(np.array(p) / v).astype(int), 0, n - 1) for p, v, n in zip(points, VOXEL, SHAPE, strict=True)
    ]
    return lac[np.ix_(*index)].transpose(1, 0, 2)


@pytest.mark.parametrize("kind", ["n5", "zarr2", "zarr3", "not flipped"])
def test_a_cell_comes_out_with_the_lac_that_was_put_in(kind, tmp_path, request):
    if kind == "n5":
        folder = request.getfixturevalue("n5")
    else:
        folder = write_zarr(tmp_path / "cell.zarr", 2 if kind == "zarr2" else 3, flip=kind != "not flipped")
    source = phantom_source(folder, seed=0)
    assert folder.name in source.description
    shape = (8, 36, 40)
    lac = source.cell(shape=shape, voxel_size_nm=100.0)
    assert lac.shape == shape
    assert lac.dtype == np.float32
    assert lac.min() == 0
    wanted = wanted_on_slices(shape, 100.0, height_um=0.55 * 4.8)
    assert np.mean((lac > 0) != (wanted > 0)) < 0.03
    inner = (lac > 0) & (wanted > 0)
    assert np.corrcoef(lac[inner], wanted[inner])[0, 1] > 0.93  # partial volume
    # The paper's mask is wider than the cell by its smoothing, here a voxel of 5: the cell within comes out denser.
    cytoplasm = lac[wanted == CYTOPLASM].mean()
    assert CYTOPLASM < cytoplasm < 1.2 * CYTOPLASM
    for value in (RETICULUM, MITOCHONDRIA):
        assert lac[wanted == value].mean() / cytoplasm == pytest.approx(value / CYTOPLASM, rel=0.05)


def test_the_cylinder_stands_deepest_in_the_cell_and_is_filled(n5):
    source = OpenOrganelleCell(n5)
    lac = source.cylinder(radius_um=0.8, slices=6, voxel_size_nm=100.0)
    assert lac.shape == (6, 17, 17)
    y, x = np.mgrid[-8:9, -8:9]
    assert (lac[:, np.hypot(y, x) <= 8] > 0.15).all()
    assert (lac[:, np.hypot(y, x) > 8] == 0).all()


def test_coarse_voxels_read_the_coarse_level(n5):
    fine, coarse = (OpenOrganelleCell(n5)._fine_enough(v) for v in (0.1, 0.25))
    assert fine.shape == SHAPE
    assert coarse.shape == tuple(n // 2 for n in SHAPE)


def test_n5_lists_its_axes_backwards(n5):
    level = OpenOrganelleCell(n5)._fine_enough(0.1)
    assert level.array.shape == SHAPE[::-1]
    np.testing.assert_array_equal(level.whole(), arrays(True)[MICROGRAPHS])
    box = (slice(3, 9), slice(10, 30), slice(5, 6))
    np.testing.assert_array_equal(level.read(box), arrays(True)[MICROGRAPHS][box])


def test_what_is_missing_is_named(n5, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"holds no em/fibsem-uint16/s0"):
        OpenOrganelleCell(tmp_path)
    with pytest.raises(InputError, match=r"finest level, s0, has voxels of 100 nm, the study needs 20 nm"):
        OpenOrganelleCell(n5).cylinder(radius_um=0.5, slices=2, voxel_size_nm=20.0)
    monkeypatch.setitem(sys.modules, "tensorstore", None)
    with pytest.raises(InputError, match=r"tensorstore, which is not installed: pip install \"sxtbench\[openorganelle"):
        OpenOrganelleCell(n5).cell(shape=(2, 8, 8), voxel_size_nm=100.0)


def test_damage_is_one_line(tmp_path):
    pytest.importorskip("tensorstore")
    folder = write_n5(tmp_path / "cell.n5")
    attributes = folder / MICROGRAPHS / "s0" / "attributes.json"
    content = json.loads(attributes.read_text())
    whole = dict(content)
    del content["transform"]
    attributes.write_text(json.dumps(content))
    with pytest.raises(InputError, match="does not say its voxel size"):
        OpenOrganelleCell(folder).cell(shape=(2, 8, 8), voxel_size_nm=100.0)
    whole["transform"]["units"] = ["parsec"] * 3
    attributes.write_text(json.dumps(whole))
    with pytest.raises(InputError, match="unit 'parsec'"):
        OpenOrganelleCell(folder).cell(shape=(2, 8, 8), voxel_size_nm=100.0)
    attributes.write_text("{")
    with pytest.raises(InputError, match=r"is not JSON|cannot read"):
        OpenOrganelleCell(folder).cell(shape=(2, 8, 8), voxel_size_nm=100.0)
    attributes.unlink()
    with pytest.raises(InputError, match="is no array"):
        OpenOrganelleCell(folder).cell(shape=(2, 8, 8), voxel_size_nm=100.0)
