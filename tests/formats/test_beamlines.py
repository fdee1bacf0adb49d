"""Files of beamlines: flats, darks, ring current, units and layouts are taken for what they are."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from foreign_files import ANGLES, EDGE_NM, ball_views, txrm_streams, write_ole

from sxtbench.datasets.exchange import import_series, import_volume
from sxtbench.datasets.own import OwnSample, OwnSeries, read_own, write_own
from sxtbench.errors import InputError

BEAM, DARK = 2000.0, 100.0


def raw(dtype: Any = np.uint16) -> tuple[Any, Any, Any]:
    """Frames, two flats and two darks of a camera whose pixels differ by 20 %."""
    gain = np.random.default_rng(1).uniform(0.8, 1.2, ball_views().shape[1:])
    frames = DARK + BEAM * gain * np.exp(-ball_views())
    flats = np.stack([DARK + BEAM * gain] * 2)
    darks = np.full_like(flats, DARK)
    return tuple(np.rint(images).astype(dtype) for images in (frames, flats, darks))


def near(found: OwnSeries) -> None:
    """The absorbance is right within the rounding of counts."""
    assert np.abs(found.projections - ball_views()).max() < 2 / BEAM


def standard(path: Path, *, energy: tuple[float, str] = (0.51, "keV"), unit: str = "degree") -> Path:
    frames, flats, darks = raw()
    dead = np.zeros_like(frames[:1])
    with h5py.File(path, "w") as file:
        detector = file.create_group("entry0000/instrument/detector")
        detector["data"] = np.concatenate([darks, flats, frames, dead])
        detector["image_key"] = [2, 2, 1, 1, *[0] * len(frames), 3]
        detector["x_pixel_size"] = EDGE_NM * 1e-9
        detector["x_pixel_size"].attrs["units"] = "m"
        angles = np.concatenate([np.zeros(4), ANGLES, [0.0]])
        file["entry0000/sample/rotation_angle"] = np.deg2rad(angles) if unit == "rad" else angles
        file["entry0000/sample/rotation_angle"].attrs["units"] = unit
        file["entry0000/beam/incident_energy"] = energy[0]
        file["entry0000/beam/incident_energy"].attrs["units"] = energy[1]
    return path


@pytest.mark.parametrize("unit", ["degree", "rad"])
def test_nxtomo_with_image_keys(tmp_path: Path, unit: str) -> None:
    found = import_series(standard(tmp_path / "a.nx", unit=unit))
    near(found)
    np.testing.assert_allclose(found.angles_deg, ANGLES, atol=1e-9)
    assert (found.pixel_size_nm, found.energy_ev) == (EDGE_NM, 510.0)
    with pytest.raises(InputError, match="holds no photons, which it asks for: import it with --incident-photons N"):
        _ = found.counts


def test_the_older_layout_of_mistral_with_ring_current(tmp_path: Path) -> None:
    frames, flats, _ = raw(np.float64)
    frames, flats = frames - DARK, flats - DARK
    current = np.linspace(1.0, 0.7, len(frames))
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        root = file.create_group("NXtomo")
        root.attrs["NX_class"] = "NXentry"
        root["instrument/sample/data"] = np.rint(frames * current[:, None, None] * 2).astype(np.uint16)
        root["instrument/sample/current"], root["instrument/sample/ExpTimes"] = current, np.full(len(frames), 2.0)
        root["instrument/sample/x_pixel_size"] = EDGE_NM / 1000
        root["instrument/bright_field/data"] = np.rint(flats).astype(np.uint16)
        root["instrument/bright_field/current"] = root["instrument/bright_field/ExpTimes"] = np.ones(2)
        root["instrument/source/energy"] = 520.0
        root["data/rotation_angle"] = ANGLES
    found = import_series(tmp_path / "a.hdf5")
    near(found)
    assert (found.pixel_size_nm, found.energy_ev) == (EDGE_NM, 520.0)


def test_a_normalised_series_of_mistral_is_transmission(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["TomoNormalized/TomoNormalized"] = np.exp(-ball_views())
        file["TomoNormalized/rotation_angle"] = ANGLES
    found = import_series(tmp_path / "a.hdf5", pixel_size_nm=13.0, energy_ev=520.0)
    np.testing.assert_allclose(found.projections, ball_views(), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_txrm_with_its_reference(tmp_path: Path, dtype: Any) -> None:
    frames, flats, _ = (images - DARK for images in raw(np.float64))
    big = np.rint(np.tile(frames, (1, 3, 3))).astype(dtype)  # above and below the size of a mini stream
    streams = txrm_streams(big, ANGLES, np.tile(flats[0], (3, 3)))
    found = import_series(write_ole(tmp_path / "a.txrm", streams))
    assert np.abs(found.projections - np.tile(ball_views(), (1, 3, 3))).max() < 2 / BEAM
    np.testing.assert_allclose(found.angles_deg, ANGLES)
    assert (found.pixel_size_nm, found.energy_ev) == (10.0, 520.0)


def test_txrm_of_more_images_than_a_folder_holds_and_flats_of_a_file_apart(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(500, 900, (103, 5, 6)).astype(np.uint16)
    angles = np.linspace(-51, 51, 103)
    path = write_ole(tmp_path / "a.txrm", txrm_streams(frames, angles, None))
    with pytest.raises(InputError, match="holds counts without an open beam: add --flats"):
        import_series(path)
    flat = write_ole(tmp_path / "flat.xrm", txrm_streams(np.full((1, 5, 6), 1000, np.uint16), angles[:1], None))
    found = import_series(path, flats=flat)
    np.testing.assert_allclose(found.projections, np.log(1000 / frames), rtol=1e-5)


def stack(folder: Path, frames: Any, **more: Any) -> Path:
    tifffile.imwrite(folder / "a.tif", frames, photometric="minisblack")
    np.savetxt(folder / "a.tlt", ANGLES, fmt="%.2f")
    return folder / "a.tif"


def test_a_stack_with_flats_darks_and_a_horizontal_axis(tmp_path: Path) -> None:
    frames, flats, darks = (images.swapaxes(1, 2) for images in raw())
    path = stack(tmp_path, frames)
    for name, images in (("flats", flats), ("darks", darks)):
        tifffile.imwrite(tmp_path / f"{name}.tif", images, photometric="minisblack")
    found = import_series(
        path,
        flats=tmp_path / "flats.tif",
        darks=tmp_path / "darks.tif",
        tilt_axis="horizontal",
        pixel_size_nm=40.0,
        energy_ev=510.0,
    )
    near(found)


def test_dead_pixels_take_their_neighbour_and_dark_ones_the_floor(tmp_path: Path) -> None:
    frames, flats, _ = raw()
    flats[:, 3, 4], frames[:, 3, 4] = 0, 60000
    frames[2, 0, 0] = 0
    path = stack(tmp_path, frames)
    tifffile.imwrite(tmp_path / "flats.tif", flats, photometric="minisblack")
    found = import_series(path, flats=tmp_path / "flats.tif", pixel_size_nm=40.0, energy_ev=510.0)
    assert found.projections[0, 3, 4] in found.projections[0, 2:5, 3:6][[0, 1, 1, 2], [1, 0, 2, 1]]
    assert found.projections[2, 0, 0] == pytest.approx(np.log(flats[0, 0, 0] / 0.5), rel=1e-6)


def test_photons_follow_where_the_open_beam_is_known(tmp_path: Path) -> None:
    path = stack(tmp_path, ball_views())
    found = import_series(path, values="absorbance", pixel_size_nm=40.0, energy_ev=510.0, incident_photons=1000.0)
    np.testing.assert_array_equal(found.projections, ball_views())
    np.testing.assert_array_equal(found.counts, np.rint(1000 * np.exp(-ball_views())))
    write_own(tmp_path / "a.zarr.zip", series=found)
    again = read_own(tmp_path / "a.zarr.zip").series
    assert again is not None
    np.testing.assert_array_equal(again.counts, found.counts)
    np.testing.assert_array_equal(again.incident_photons, found.incident_photons)


def test_lac_a_voxel_becomes_lac_a_micrometre(tmp_path: Path) -> None:
    volume = np.full((4, 5, 6), 0.0102, np.float32)
    np.save(tmp_path / "a.npy", volume)
    with pytest.raises(InputError, match=r"about 0.0102, expected LAC in 1/um .* --lac-unit per-voxel or per-um says"):
        import_volume(tmp_path / "a.npy", voxel_size_nm=34.0)
    found, size, axes = import_volume(tmp_path / "a.npy", voxel_size_nm=34.0, lac_unit="per-voxel")
    np.testing.assert_allclose(found, 0.3, rtol=1e-3)
    assert (size, axes) == (34.0, "zyx")


def test_a_sample_of_a_volume_has_no_tilt_series_and_no_truth() -> None:
    sample = OwnSample("cell.mrc", volume=np.zeros((4, 8, 8), np.float32), voxel_size_nm=40.0)
    assert sample.shape == sample.answer_shape == sample.region.shape == (4, 8, 8)
    assert list(sample.reconstructions) == ["fbp"]
    assert not sample.series
    with pytest.raises(InputError, match=r"cell.mrc is a volume, and the method asks for the tilt series"):
        _ = sample.tilt_series
    with pytest.raises(InputError, match="has no targets"):
        _ = sample.targets
