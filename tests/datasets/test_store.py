"""The file of a sample: repeatable bytes, valid OME-Zarr, no duplicate entries."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import zarr
from ome_zarr_models.v05 import Image
from zarr.storage import ZipStore

from sxtbench.datasets.store import Hierarchy, Volume, open_hierarchy, read_array, rounded, write_hierarchy
from sxtbench.errors import InputError


def content() -> Hierarchy:
    rng = np.random.default_rng(0)
    return Hierarchy(
        arrays={"tilt_series/main/counts": rng.integers(0, 9, (7, 70, 130)).astype(np.uint32)},
        volumes={"lac": Volume(rng.random((70, 80, 90), dtype=np.float32), 0.035, "1/um")},
        attributes={"id": "x"},
    )


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    write_hierarchy(tmp_path / "a.zarr.zip", content())
    write_hierarchy(tmp_path / "b.zarr.zip", content())
    assert (tmp_path / "a.zarr.zip").read_bytes() == (tmp_path / "b.zarr.zip").read_bytes()


def test_round_trip_without_duplicates_metadata_first(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr.zip"
    write_hierarchy(path, content())
    np.testing.assert_array_equal(read_array(path, "lac/0"), content().volumes["lac"].array)
    np.testing.assert_array_equal(
        read_array(path, "tilt_series/main/counts"), content().arrays["tilt_series/main/counts"]
    )
    with zipfile.ZipFile(path) as file:
        names = file.namelist()
        assert all(info.compress_type == zipfile.ZIP_STORED for info in file.infolist())
    assert len(names) == len(set(names))
    metadata = [name.endswith("zarr.json") for name in names]
    assert metadata == sorted(metadata, reverse=True)


def test_volumes_are_ome_zarr(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr.zip"
    write_hierarchy(path, content())
    group = zarr.open_group(ZipStore(path, mode="r"), mode="r", path="lac")
    image = Image.from_zarr(group)
    assert [axis.name for axis in image.ome_attributes.multiscales[0].axes] == ["z", "y", "x"]


def test_damage_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"), open_hierarchy(tmp_path / "none.zarr.zip"):
        pass
    (tmp_path / "bad.zarr.zip").write_bytes(b"not a zip")
    with pytest.raises(InputError, match="not a readable Zarr ZIP"), open_hierarchy(tmp_path / "bad.zarr.zip"):
        pass


def test_rounding_is_to_multiples_of_the_step() -> None:
    values = np.linspace(-1, 1, 1001, dtype=np.float32)
    steps = rounded(values, 11) * 2048
    np.testing.assert_array_equal(steps, np.round(steps))
    assert np.max(np.abs(rounded(values, 11) - values)) <= 2.0**-12
