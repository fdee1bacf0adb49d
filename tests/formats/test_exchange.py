"""Tilt series and volumes to other programs and back: three balls lie where they should, nothing is lost."""

from itertools import product
from pathlib import Path
from typing import Any

import h5py
import mrcfile
import numpy as np
import pytest
import tifffile
import zarr
from foreign_files import ANGLES, BALLS_PX, EDGE_NM, SHAPE, amira_header, ball_views, balls, byte_runs
from numpy.typing import NDArray
from ome_zarr_models.v05.image import Image

from sxtbench.acquisition.series import TiltSeries
from sxtbench.datasets.exchange import export, import_series, import_volume
from sxtbench.datasets.own import OwnSeries, write_own
from sxtbench.formats.labels import read_label_map, read_labels
from sxtbench.formats.volumes import read_volume, write_volume


def own_series() -> OwnSeries:
    return OwnSeries(projections=ball_views(), angles_deg=ANGLES, pixel_size_nm=EDGE_NM, energy_ev=510.0)


def counted() -> TiltSeries:
    incident = np.linspace(900.25, 1010.75, len(ANGLES))
    expected = incident[:, None, None] * np.exp(-ball_views())
    counts = np.random.default_rng(0).poisson(expected).astype(np.uint32)
    return TiltSeries(
        counts=counts, incident_photons=incident, angles_deg=ANGLES + 0.1, pixel_size_nm=EDGE_NM, energy_ev=510.0
    )


def own_library(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the absorbance (view, row, column) and the angles by each format's own library."""
    name = path.name.split(".", 1)[1]
    if name == "nxs":
        with h5py.File(path) as file:
            data, keys = file["entry/instrument/detector/data"][...], file["entry/instrument/detector/image_key"][...]
            angles = file["entry/sample/rotation_angle"][...][keys == 0]
            assert file["entry/sample/rotation_angle"].attrs["units"] == "degree"
            return np.log(data[keys == 1][0] / np.maximum(data[keys == 0], 0.5)), angles
    if name == "ome.zarr":
        root = zarr.open_group(path, mode="r")
        Image.from_zarr(root)  # raises unless it is valid OME-Zarr 0.5
        return np.asarray(root["0"][...]), np.array(root.attrs["tilt_series"]["angles_deg"])
    angles = np.loadtxt(path.with_suffix(".rawtlt"))
    if name == "tif":
        return tifffile.imread(path), angles
    with mrcfile.open(path) as mrc:
        assert mrc.is_image_stack()
        assert float(mrc.voxel_size.x) == pytest.approx(EDGE_NM * 10)
        return mrc.data.copy(), angles


@pytest.mark.parametrize("form", ["mrc", "tiff", "nxtomo", "ome-zarr"])
def test_three_balls_in_a_tilt_series_lie_where_they_should(tmp_path: Path, form: str) -> None:
    chosen: Any = counted() if form == "nxtomo" else own_series()
    path = export(tmp_path, form, series={"main": chosen}, volumes={}, voxel_size_nm=EDGE_NM)[0]
    views, angles = own_library(path)
    np.testing.assert_array_equal(angles, chosen.angles_deg)
    nz, _, nu = SHAPE

    def seen(signs: tuple[int, ...]) -> float:
        """Mean absorbance where the balls would be if their places were flipped."""
        total = 0.0
        for z, y, x in BALLS_PX.values():
            fz, fy, fx = np.array([z, y, x]) * signs
            u = fx * np.cos(np.deg2rad(angles)) + fy * np.sin(np.deg2rad(angles))
            rows = np.full(len(angles), round((nz - 1) / 2 + fz))
            total += float(views[np.arange(len(angles)), rows, np.rint((nu - 1) / 2 + u).astype(int)].mean())
        return total

    scores = {signs: seen(signs) for signs in product((1, -1), repeat=3)}
    right = scores.pop((1, 1, 1))
    assert right > 0.8 * sum(BALLS_PX) * 5 * EDGE_NM / 1000
    assert max(scores.values()) < 0.6 * right


@pytest.mark.parametrize("form", ["mrc", "tiff", "ome-zarr"])
def test_three_balls_in_a_volume_lie_where_they_should(tmp_path: Path, form: str) -> None:
    [path] = export(tmp_path, form, series={}, volumes={"lac": balls()}, voxel_size_nm=EDGE_NM)
    if form == "mrc":
        with mrcfile.open(path) as mrc:
            data = mrc.data.copy()
            assert float(mrc.voxel_size.z) == pytest.approx(EDGE_NM * 10)
        axes = "yzx"  # IMOD: sections along the depth, rows along the tilt axis (PROTOCOL 1.1)
    elif form == "tiff":
        data, axes = tifffile.imread(path), "zyx"
    else:
        root = zarr.open_group(path, mode="r")
        image = Image.from_zarr(root)
        data, axes = np.asarray(root["0"][...]), "".join(axis.name for axis in image.ome_attributes.multiscales[0].axes)
    for lac, place in BALLS_PX.items():
        found = np.argwhere(data == np.float32(lac)).mean(axis=0) - (np.array(data.shape) - 1) / 2
        np.testing.assert_allclose(found, [place["zyx".index(axis)] for axis in axes], atol=1e-6)


@pytest.mark.parametrize("form", ["mrc", "tiff", "nxtomo", "ome-zarr"])
def test_a_tilt_series_comes_back_as_it_was(tmp_path: Path, form: str) -> None:
    series = own_series()
    [path, *_] = export(tmp_path, form, series={"main": series}, volumes={}, voxel_size_nm=EDGE_NM)
    found = import_series(path)
    for name in ("projections", "angles_deg", "pixel_size_nm", "energy_ev"):
        np.testing.assert_array_equal(getattr(found, name), getattr(series, name), err_msg=name)
    assert found.photons is None


def test_photons_come_back_by_nxtomo(tmp_path: Path) -> None:
    series = counted()
    [path] = export(tmp_path, "nxtomo", series={"main": series}, volumes={}, voxel_size_nm=EDGE_NM)
    found = import_series(path)
    for name in ("counts", "incident_photons", "projections", "angles_deg"):
        np.testing.assert_array_equal(getattr(found, name), getattr(series, name), err_msg=name)


@pytest.mark.parametrize("form", ["mrc", "tiff", "ome-zarr"])
@pytest.mark.parametrize("kind", ["lac", "labels"])
def test_a_volume_comes_back_as_it_was(tmp_path: Path, form: str, kind: str) -> None:
    volume = balls() if kind == "lac" else (balls() * 10).astype(np.uint8)
    [path] = export(tmp_path, form, series={}, volumes={kind: volume}, voxel_size_nm=EDGE_NM)
    if kind == "labels":
        found = read_label_map(path)
        np.testing.assert_array_equal(found.labels > 0, volume > 0)
        assert found.voxel_size_nm == pytest.approx((EDGE_NM,) * 3)
    else:
        values, size, _ = import_volume(path)
        np.testing.assert_array_equal(values, volume)
        assert size == pytest.approx(EDGE_NM)


def test_what_was_imported_is_read_as_volume_and_as_labels(tmp_path: Path) -> None:
    labels = (balls() > 0.5).astype(np.uint8)
    write_own(tmp_path / "a.zarr.zip", volume=balls(), labels=labels, voxel_size_nm=EDGE_NM)
    volume, size = read_volume(tmp_path / "a.zarr.zip")
    np.testing.assert_array_equal(volume, balls())
    assert size == pytest.approx(EDGE_NM)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.zarr.zip"), labels)


def test_axes_that_were_asked_for_are_written_and_read(tmp_path: Path) -> None:
    write_volume(tmp_path / "a.mrc", balls(), EDGE_NM, axes="xzy")
    with mrcfile.open(tmp_path / "a.mrc") as mrc:
        assert mrc.data.shape == (SHAPE[2], SHAPE[0], SHAPE[1])
    np.testing.assert_array_equal(read_volume(tmp_path / "a.mrc")[0], balls())


def materials(shape: tuple[int, int, int] = (3, 4, 50)) -> NDArray[np.uint8]:
    labels = np.zeros(shape, np.uint8)
    labels[1, :, 5:30], labels[2, 1:3, ::7] = 1, 2
    return labels


@pytest.mark.parametrize("packing", ["none", "HxZip", "HxByteRLE", "ASCII", "big"])
def test_amira_label_fields(tmp_path: Path, packing: str) -> None:
    import zlib

    labels, path = materials(), tmp_path / "cell.am"
    plain, kind, first = labels.tobytes(), "byte Labels } @1", "BINARY-LITTLE-ENDIAN 2.1"
    match packing:
        case "HxZip":
            plain = zlib.compress(plain)
            kind += f"(HxZip,{len(plain)})"
        case "HxByteRLE":
            plain = byte_runs(plain)
            kind += f"(HxByteRLE,{len(plain)})"
        case "ASCII":
            plain, first = b"\n".join(b"%d" % value for value in plain), "3D ASCII 2.0"
        case "big":
            plain, first, kind = labels.astype(">u2").tobytes(), "3D BINARY 2.0", "ushort Labels } = @1"
    path.write_bytes(amira_header(labels.shape, kind, first=first) + plain + b"\n")
    found = read_label_map(path)
    assert found.names == {0: "background", 1: "cytoplasm", 3: "lipid droplet"}
    assert found.voxel_size_nm == pytest.approx((40.0, 40.0, 40.0))
    np.testing.assert_array_equal(found.labels, np.array([0, 1, 3], np.uint8)[labels])
    np.testing.assert_array_equal(
        read_labels(path), np.array([255, 1, 3], np.uint8)[labels]
    )  # the exterior: unlabelled
    np.testing.assert_array_equal(read_labels(path, mapping={0: 0}), np.array([0, 1, 3], np.uint8)[labels])
