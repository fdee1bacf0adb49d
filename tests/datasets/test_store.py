"""The file of a sample: repeatable bytes, valid OME-Zarr, no duplicate entries."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import zarr
from ome_zarr_models.v05 import Image
from zarr.codecs import BloscCodec
from zarr.storage import MemoryStore, ZipStore

from sxtbench.datasets import store
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


def test_shards_are_byte_for_byte_those_of_zarr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_SHARD_BYTES", 4_000_000)
    rng = np.random.default_rng(1)
    volumes = {
        "several": rng.integers(0, 3, (150, 130, 200)).astype(np.uint16),
        "mask": np.zeros((70, 64, 129), np.uint8),
        "nothing": np.zeros((70, 64, 129), np.float32),
    }
    volumes["several"][:64, :64, 64:128] = 0
    volumes["mask"][66:, 3, 128] = 1
    path = tmp_path / "a.zarr.zip"
    write_hierarchy(path, Hierarchy(volumes={name: Volume(array, 0.1) for name, array in volumes.items()}))
    with zipfile.ZipFile(path) as file:
        ours = {name: file.read(name) for name in file.namelist() if not name.endswith("zarr.json")}
        described = {name: json.loads(file.read(f"{name}/0/zarr.json")) for name in volumes}
    theirs = {}
    for name, array in volumes.items():
        sharding = described[name]["codecs"][0]["configuration"]
        memory = MemoryStore()
        zarr.create_array(
            memory,
            data=array,
            name=f"{name}/0",
            chunks=sharding["chunk_shape"],
            shards=described[name]["chunk_grid"]["configuration"]["chunk_shape"],
            compressors=BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle"),
            fill_value=0,
        )
        theirs |= {key: value.to_bytes() for key, value in memory._store_dict.items()}
    assert ours == {key: value for key, value in theirs.items() if not key.endswith("zarr.json")}
    assert {name.split("/")[0] for name in ours} == {"several", "mask"}
    assert sum(name.startswith("several") for name in ours) > 1


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
    in_place = values.copy()
    assert rounded(in_place, 11, out=in_place) is in_place
    np.testing.assert_array_equal(in_place, rounded(values, 11))
