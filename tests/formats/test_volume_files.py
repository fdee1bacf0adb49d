"""Users' files: what other programs write is read as it was meant, and what cannot be is refused in one line."""

import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import mrcfile
import nrrd
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from sxtbench.errors import InputError
from sxtbench.volume_files import read_image, read_label_map, read_labels, read_volume, write_labels

SHAPE = (3, 4, 5)


def volume() -> NDArray[np.float32]:
    return np.random.default_rng(0).random(SHAPE, np.float32)


def labels() -> NDArray[np.uint8]:
    return np.random.default_rng(1).choice(np.array([0, 1, 2, 3, 255], np.uint8), SHAPE)


def write_mrc(path: Path, data: NDArray[Any], voxel_angstrom: Any = 0.0, **header: Any) -> Path:
    with mrcfile.new(path, overwrite=True) as mrc:
        mrc.set_data(data)
        mrc.voxel_size = voxel_angstrom
        for name, value in header.items():
            mrc.header[name] = value
    return path


def write_segmentation(path: Path, data: NDArray[Any], segments: list[tuple[str, int]], **more: str) -> Path:
    """As 3D Slicer does: x runs fastest."""
    header = OrderedDict[str, Any](space="left-posterior-superior")
    for number, (name, value) in enumerate(segments):
        header |= {f"Segment{number}_ID": f"Segment_{number + 1}", f"Segment{number}_Name": name}
        header |= {f"Segment{number}_LabelValue": str(value), f"Segment{number}_Layer": "0"}
    nrrd.write(str(path), data, {**header, **more}, index_order="C")
    return path


def one_line(caught: pytest.ExceptionInfo[InputError], path: Path) -> bool:
    return "\n" not in str(caught.value) and path.name in str(caught.value)


@pytest.mark.parametrize("ending", [".mrc", ".rec", ".MRC"])
def test_mrc(tmp_path: Path, ending: str) -> None:
    read, voxel = read_volume(write_mrc(tmp_path / f"a{ending}", volume(), 350.0))
    np.testing.assert_array_equal(read, volume())
    assert read.dtype == np.float32
    assert voxel == pytest.approx(35.0)


@pytest.mark.parametrize("angstrom", [0.0, 1.0])
def test_an_mrc_header_without_a_voxel_size_says_nothing(tmp_path: Path, angstrom: float) -> None:
    assert read_volume(write_mrc(tmp_path / "a.mrc", volume(), angstrom))[1] is None


def test_an_mrc_header_of_zeros_says_nothing(tmp_path: Path) -> None:
    path = write_mrc(tmp_path / "a.mrc", volume(), mx=0, my=0, mz=0, mapc=0, mapr=0, maps=0, map=b"")
    read, voxel = read_volume(path)
    np.testing.assert_array_equal(read, volume())
    assert voxel is None


def test_axes_of_an_mrc_header_are_followed(tmp_path: Path) -> None:
    stored = volume().transpose(1, 0, 2)  # slices along y, rows along z
    path = write_mrc(tmp_path / "a.mrc", np.ascontiguousarray(stored), mapc=1, mapr=3, maps=2)
    np.testing.assert_array_equal(read_volume(path)[0], volume())


def test_bytes_of_imod_are_unsigned_where_it_says_so(tmp_path: Path) -> None:
    data = np.array([[[1, -1]]], np.int8)
    extra = bytearray(84)
    for signed, last in ((0, 255.0), (1, -1.0)):
        extra[40:48] = np.array([1146047817, signed], np.int32).tobytes()
        path = write_mrc(tmp_path / "a.mrc", data, extra2=np.void(bytes(extra)))
        np.testing.assert_array_equal(read_volume(path)[0], [[[1.0, last]]])


def test_files_in_the_other_byte_order(tmp_path: Path) -> None:
    read, voxel = read_volume(write_mrc(tmp_path / "a.mrc", volume().astype(">f4"), 100.0))
    np.testing.assert_array_equal(read, volume())
    assert read.dtype == np.dtype("=f4")
    assert voxel == pytest.approx(10.0)


def test_axes_are_reordered_where_asked(tmp_path: Path) -> None:
    path = write_mrc(tmp_path / "a.mrc", volume())
    np.testing.assert_array_equal(read_volume(path, axes="yzx")[0], volume().transpose(1, 0, 2))
    np.testing.assert_array_equal(read_volume(path, axes="xzy")[0], volume().transpose(1, 2, 0))
    with pytest.raises(InputError, match="axes is 'zyy'"):
        read_volume(path, axes="zyy")


@pytest.mark.parametrize(
    ("unit", "nm"), [("um", 1000), ("micron", 1000), ("nm", 1), (r"\u00B5m", 1000), ("inch", None)]
)
def test_tiff_of_imagej(tmp_path: Path, unit: str, nm: float | None) -> None:
    path, edge = tmp_path / "a.tif", 0.07
    metadata = {"axes": "ZYX", "spacing": edge, "unit": unit}
    tifffile.imwrite(path, volume(), imagej=True, resolution=(1 / edge, 1 / edge), metadata=metadata)
    read, voxel = read_volume(path)
    np.testing.assert_array_equal(read, volume())
    assert voxel == (None if nm is None else pytest.approx(edge * nm, rel=1e-5))


def test_tiff_of_ome(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tiff"
    sizes = {"PhysicalSizeX": 35.0, "PhysicalSizeY": 35.0, "PhysicalSizeZ": 35.0}
    units = {f"{name}Unit": "nm" for name in sizes}
    tifffile.imwrite(path, volume(), ome=True, metadata={"axes": "ZYX", **sizes, **units})
    assert read_volume(path)[1] == pytest.approx(35.0)


def test_plain_tiff_and_npy_have_no_voxel_size(tmp_path: Path) -> None:
    counts = (volume() * 1000).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", counts, photometric="minisblack")
    np.save(tmp_path / "a.npy", counts)
    for name in ("a.tif", "a.npy"):
        read, voxel = read_volume(tmp_path / name)
        np.testing.assert_array_equal(read, counts.astype(np.float32))
        assert voxel is None


def test_voxels_that_are_no_cubes_are_refused(tmp_path: Path) -> None:
    path = write_mrc(tmp_path / "a.mrc", volume(), (100.0, 100.0, 120.0))
    with pytest.raises(InputError, match=r"10 x 10 x 12 nm \(x, y, z\), expected cubes") as caught:
        read_volume(path)
    assert one_line(caught, path)
    tifffile.imwrite(
        tmp_path / "a.tif", volume(), imagej=True, resolution=(10, 10), metadata={"spacing": 0.2, "unit": "um"}
    )
    with pytest.raises(InputError, match="expected cubes"):
        read_volume(tmp_path / "a.tif")


def broken(path: Path) -> Path:
    """A file of each kind that cannot be what its name says."""
    match path.stem:
        case "cut":
            whole = write_mrc(path, np.zeros((20, 20, 20), np.float32)).read_bytes()
            path.write_bytes(whole[:-4])
        case "text":
            path.write_text("no picture\n" * 400)
        case "empty":
            path.write_bytes(b"")
        case "flat" if path.suffix == ".npy":
            np.save(path, np.zeros((4, 4), np.float32))
        case "flat":
            tifffile.imwrite(path, np.zeros((4, 4), np.float32))
        case "colour":
            tifffile.imwrite(path, np.zeros((4, 4, 3), np.uint8), photometric="rgb")
        case "pickle":
            np.save(path, np.array([{}, {}], object), allow_pickle=True)
        case "nan":
            np.save(path, np.where(np.indices(SHAPE)[0] == 2, np.nan, 1.0))
        case "bool":
            np.save(path, np.zeros(SHAPE, bool))
        case "folder":
            path.mkdir()
    return path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cut.mrc", r"cannot be read as MRC \(it is shorter than the 20 x 20 x 20 voxels of its header\)"),
        ("text.mrc", "its header is not that of an MRC file"),
        ("empty.mrc", "cannot be read as MRC"),
        ("text.tif", "cannot be read as TIFF"),
        ("empty.tif", "cannot be read as TIFF"),
        ("text.npy", "cannot be read as npy"),
        ("pickle.npy", "cannot be read as npy"),
        ("flat.tif", r"shape \(4, 4\), expected three axes"),
        ("flat.npy", r"shape \(4, 4\), expected three axes"),
        ("colour.tif", "colour image"),
        ("nan.npy", "NaN or Inf in slice 2"),
        ("bool.npy", "holds bool, expected a volume of real numbers"),
        ("folder.tif", "a folder, expected a file"),
        ("missing.rec", "there is no such file"),
        ("a.png", "unknown ending '.png', expected one of .ali, .am, .map, .mrc, .npy, .rec, .st, .tif"),
        ("a.nrrd", "unknown ending"),
    ],
)
def test_a_volume_that_cannot_be_is_refused_in_one_line(tmp_path: Path, name: str, words: str) -> None:
    path = broken(tmp_path / name)
    with pytest.raises(InputError, match=words) as caught:
        read_volume(path)
    assert one_line(caught, path)


@pytest.mark.parametrize(("module", "package", "name"), [("mrcfile", "mrcfile", "a.mrc"), ("nrrd", "pynrrd", "a.nrrd")])
def test_a_missing_reader_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, package: str, name: str
) -> None:
    (tmp_path / name).write_bytes(b"")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=rf'{package}, which is not installed: pip install "sxtbench\[formats\]"'):
        read_labels(tmp_path / name)


@pytest.mark.parametrize("ending", [".tif", ".tiff", ".mrc"])
def test_labels_that_are_written_are_read_back(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "new" / f"labels{ending}"
    write_labels(path, labels().astype(np.int64), 35.0)
    read = read_labels(path, shape=SHAPE)
    np.testing.assert_array_equal(read, labels())
    assert read.dtype == np.uint8
    assert read_volume(path)[1] == pytest.approx(35.0, rel=1e-5)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.float32, np.float64])
def test_labels_of_any_dtype_with_whole_numbers(tmp_path: Path, dtype: Any) -> None:
    np.save(tmp_path / "a.npy", labels().astype(dtype))
    np.testing.assert_array_equal(read_labels(tmp_path / "a.npy"), labels())


def test_signed_bytes_of_an_mrc_hold_255(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_labels(write_mrc(tmp_path / "a.mrc", labels().view(np.int8))), labels())


def test_a_plain_nrrd_has_x_fastest(tmp_path: Path) -> None:
    by_x_y_z = labels().transpose(2, 1, 0)
    nrrd.write(str(tmp_path / "a.nrrd"), by_x_y_z)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.nrrd"), labels())


def test_a_mapping_translates_and_lists_every_value(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, (labels() + 1).astype(np.uint8), photometric="minisblack")  # 255 wraps to 0: unlabelled
    mapping = {0: 255, 1: 0, 2: 1, 3: 2, 4: 3}
    np.testing.assert_array_equal(read_labels(path, mapping=mapping), labels())
    np.save(tmp_path / "a.npy", labels())
    np.testing.assert_array_equal(read_labels(tmp_path / "a.npy", mapping={c: c for c in range(4)}), labels())
    with pytest.raises(InputError, match=r"a.tif, slice 0: label 4 is no class; expected 0 \(background\), 1"):
        read_labels(path, mapping={0: 255, 1: 0, 2: 1, 3: 2})
    with pytest.raises(InputError, match=r"makes 4 a 7, expected one of \[0, 1, 2, 3, 255\]"):
        read_labels(path, mapping={**mapping, 4: 7})
    with pytest.raises(InputError, match="has no segment 'vacuole', it has none"):
        read_labels(path, mapping={"vacuole": 2})


@pytest.mark.parametrize("value", [4, 254, -3, 70000, 1.5, np.nan])
def test_a_value_that_is_no_class_is_named(tmp_path: Path, value: float) -> None:
    array = labels().astype(np.float64)
    array[1, 2, 3] = value
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InputError, match=rf"a.npy, slice 1: label {value}(\.0)? is no class; .*255 \(unlabelled\)"):
        read_labels(tmp_path / "a.npy")


def test_other_class_sets(tmp_path: Path) -> None:
    array = np.where(labels() == 2, 6, labels()).astype(np.uint8)
    np.save(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.npy", classes=(0, 1, 3, 6)), array)


SEGMENTS = [("Vacuole", 1), ("background", 2), ("Lipid droplet", 3), ("cytoplasm", 7)]
MEANT = np.array([255, 2, 0, 3, 255, 255, 255, 1], np.uint8)


def painted() -> NDArray[np.uint8]:
    return np.random.default_rng(2).choice(np.array([0, 1, 2, 3, 7], np.uint8), SHAPE)


def test_a_segmentation_of_slicer_is_read_by_the_names_of_its_segments(tmp_path: Path) -> None:
    path = write_segmentation(tmp_path / "a.seg.nrrd", painted(), SEGMENTS)
    np.testing.assert_array_equal(read_labels(path, shape=SHAPE), MEANT[painted()])
    np.testing.assert_array_equal(read_labels(path, axes="yzx"), MEANT[painted()].transpose(1, 0, 2))


def test_a_mapping_goes_before_names(tmp_path: Path) -> None:
    segments = [*SEGMENTS[:3], ("my cells", 7)]
    path = write_segmentation(tmp_path / "a.seg.nrrd", painted(), segments)
    with pytest.raises(
        InputError, match=r"segment 'my cells' \(label 7\) is no class; expected 0 \(background\)"
    ) as caught:
        read_labels(path)
    assert one_line(caught, path)
    for mapping in ({"My cells": 1}, {7: 1}):
        np.testing.assert_array_equal(read_labels(path, mapping=mapping), MEANT[painted()])
    without = np.where(painted() == 0, 0, MEANT[painted()])
    np.testing.assert_array_equal(read_labels(path, mapping={"my cells": 1, 0: 0}), without)
    with pytest.raises(
        InputError, match="has no segment 'nuclei', it has Vacuole, background, Lipid droplet, my cells"
    ):
        read_labels(path, mapping={"nuclei": 1})


def test_a_cropped_segmentation_is_put_where_it_belongs(tmp_path: Path) -> None:
    more = {"Segmentation_ReferenceImageExtentOffset": "3 2 1"}  # x, y, z
    path = write_segmentation(tmp_path / "a.seg.nrrd", painted(), SEGMENTS, **more)
    whole = read_labels(path, shape=(6, 7, 8))
    assert whole.shape == (6, 7, 8)
    np.testing.assert_array_equal(whole[1:4, 2:6, 3:8], MEANT[painted()])
    whole[1:4, 2:6, 3:8] = 255
    assert (whole == 255).all()
    turned = read_labels(path, shape=(7, 6, 8), axes="yzx")
    np.testing.assert_array_equal(turned[2:6, 1:4, 3:8], MEANT[painted()].transpose(1, 0, 2))
    with pytest.raises(InputError, match=r"begins at voxel \(1, 2, 3\) .* give the tomogram's shape"):
        read_labels(path)
    with pytest.raises(InputError, match=r"voxels \(1, 2, 3\) to \(4, 6, 8\) \(z, y, x\), which lie beyond"):
        read_labels(path, shape=SHAPE)


def test_layers(tmp_path: Path) -> None:
    one = write_segmentation(tmp_path / "one.seg.nrrd", painted()[..., None], SEGMENTS)
    np.testing.assert_array_equal(read_labels(one), MEANT[painted()])
    two = write_segmentation(tmp_path / "two.seg.nrrd", np.stack([painted()] * 2, -1), SEGMENTS)
    with pytest.raises(InputError, match="2 layers, since segments overlap") as caught:
        read_labels(two)
    assert one_line(caught, two)


def test_a_segmentation_with_a_damaged_header(tmp_path: Path) -> None:
    old = write_segmentation(tmp_path / "old.seg.nrrd", painted(), SEGMENTS, Segment1_LabelValue="two")
    with pytest.raises(InputError, match="Segment1_LabelValue is two, expected a number"):
        read_labels(old)
    odd = write_segmentation(
        tmp_path / "odd.seg.nrrd", painted(), SEGMENTS, Segmentation_ReferenceImageExtentOffset="1"
    )
    with pytest.raises(InputError, match="ExtentOffset is '1', expected three whole numbers"):
        read_labels(odd)
    (tmp_path / "text.nrrd").write_text("NRRD no\n")
    with pytest.raises(InputError, match="cannot be read as NRRD") as caught:
        read_labels(tmp_path / "text.nrrd")
    assert one_line(caught, tmp_path / "text.nrrd")


def test_labels_of_another_shape(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", labels())
    with pytest.raises(InputError, match=r"shape \(3, 4, 5\) \(z, y, x\), expected the tomogram's \(3, 4, 6\)"):
        read_labels(tmp_path / "a.npy", shape=(3, 4, 6))


@pytest.mark.parametrize(
    ("name", "array", "voxel", "words"),
    [
        ("a.png", np.zeros(SHAPE, np.uint8), 70.0, "to .tif, .tiff or .mrc, not to '.png'"),
        ("a.tif", np.zeros((4, 5), np.uint8), 70.0, r"shape \(4, 5\), expected integers"),
        ("a.tif", np.zeros(SHAPE), 70.0, "float64"),
        ("a.tif", np.full(SHAPE, 300), 70.0, r"span \[300, 300\], expected values in \[0, 255\]"),
        ("a.tif", np.zeros(SHAPE, np.uint8), -1.0, "voxel_size_nm is -1.0"),
        ("file/a.tif", np.zeros(SHAPE, np.uint8), 70.0, "cannot be written"),
    ],
)
def test_labels_that_cannot_be_written(tmp_path: Path, name: str, array: Any, voxel: float, words: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=words) as caught:
        write_labels(tmp_path / name, array, voxel)
    assert one_line(caught, tmp_path / name)
    assert not (tmp_path / name).exists()


def test_a_label_map_of_the_suite(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", labels().astype(np.int64))
    found = read_label_map(tmp_path / "a.npy")
    np.testing.assert_array_equal(found.labels, labels())
    assert found.voxel_size_nm is None
    assert found.names == {0: "background", 1: "cytoplasm", 2: "vacuole", 3: "lipid droplet", 255: "unlabelled"}


def test_other_names_for_the_values(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[[0, 7, 9, 30]]], np.uint8))
    found = read_label_map(tmp_path / "a.npy", names={7: "Nucleus", 9: "granule", 30: "endosome"})
    assert found.labels.tolist() == [[[0, 4, 12, 8]]]
    assert found.names == {0: "background", 4: "nucleus", 12: "granule", 8: "endosome/lysosome"}
    with pytest.raises(InputError, match="label 9 has no name") as caught:
        read_label_map(tmp_path / "a.npy", names={7: "nucleus"})
    assert one_line(caught, tmp_path / "a.npy")
    assert read_label_map(tmp_path / "a.npy").names[12] == "label 30"


def test_segments_of_slicer_are_classes_by_their_names(tmp_path: Path) -> None:
    data = np.array([[[0, 1, 2, 2]]], np.uint8)
    units = {"space directions": np.diag([20.0, 20.0, 50.0]), "space units": ["nm", "nm", "nm"]}
    path = write_segmentation(tmp_path / "a.seg.nrrd", data, [("Mitochondrion", 1), ("my thing", 2)], **units)
    found = read_label_map(path)
    assert found.labels.tolist() == [[[0, 6, 12, 12]]]
    assert found.names == {0: "background", 6: "mitochondrion", 12: "my thing"}
    assert found.voxel_size_nm == (50.0, 20.0, 20.0)


@pytest.mark.parametrize("axes", ["zyx", "yzx"])
def test_voxels_that_are_no_cubes_are_told_along_zyx(tmp_path: Path, axes: str) -> None:
    path = write_mrc(tmp_path / "a.mrc", labels().astype(np.int16), (100.0, 200.0, 300.0))  # x, y, z in Angstrom
    found = read_label_map(path, axes=axes)
    assert found.voxel_size_nm == ((30.0, 20.0, 10.0) if axes == "zyx" else (20.0, 30.0, 10.0))
    assert read_image(path, axes=axes)[1] == found.voxel_size_nm


@pytest.mark.parametrize("name", ["a.zarr", "a.zarr.zip"])
def test_zarr(tmp_path: Path, name: str) -> None:
    from sxtbench.datasets.store import Hierarchy, Volume, write_hierarchy

    if name.endswith(".zip"):
        write_hierarchy(tmp_path / name, Hierarchy(volumes={"labels": Volume(labels(), 0.02)}))
        with pytest.raises(InputError, match="no OME-Zarr image") as caught:
            read_label_map(tmp_path / name)
        assert one_line(caught, tmp_path / name)
        return
    import zarr

    zarr.save_array(tmp_path / name, labels())
    assert read_label_map(tmp_path / name).voxel_size_nm is None
    group = zarr.open_group(tmp_path / "b.zarr", mode="w")
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
    scale = [{"type": "scale", "scale": [0.05, 0.02, 0.02]}]
    group.attrs["ome"] = {
        "multiscales": [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}]
    }
    group.create_array("0", data=labels())
    found = read_label_map(tmp_path / "b.zarr")
    np.testing.assert_array_equal(found.labels, labels())
    assert found.voxel_size_nm == (50.0, 20.0, 20.0)
    np.testing.assert_array_equal(read_image(tmp_path / "b.zarr")[0], labels().astype(np.float32))


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros(SHAPE), "float64, expected labels of an integer dtype"),
        (np.zeros(SHAPE, bool), "bool, expected labels"),
        (np.full(SHAPE, 256), "[256, 256]"),
        (np.full(SHAPE, -1), "[-1, -1]"),
        (np.zeros((3, 4), np.uint8), "expected three axes"),
    ],
)
def test_what_is_no_label_map(tmp_path: Path, array: NDArray[Any], said: str) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InputError) as caught:
        read_label_map(tmp_path / "a.npy")
    assert said in str(caught.value)
    assert one_line(caught, tmp_path / "a.npy")
