"""Slices and samples of a published folder, read back with `datasets` as a user would."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from sxtbench.benchmark.package import package
from sxtbench.benchmark.task import Task
from sxtbench.datasets import slices as slicing
from sxtbench.datasets.dataset import Dataset
from sxtbench.datasets.slices import write_slices
from sxtbench.datasets.tables import renew_manifest
from sxtbench.datasets.verify import verify
from sxtbench.errors import InputError

hub = pytest.importorskip("datasets")
torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def published(mini: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mini dataset, packaged."""
    assert mini.data is not None
    folder = tmp_path_factory.mktemp("published") / "data"
    shutil.copytree(mini.data, folder)
    package(folder)
    return folder


@pytest.fixture(autouse=True)
def _offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(hub.config, "HF_HUB_OFFLINE", True)


def test_slices_stream_as_tensors_of_their_own_type(published: Path, mini: Task) -> None:
    streamed = hub.load_dataset(str(published), "slices", streaming=True)
    assert sorted(streamed) == ["train", "validation"]
    rows = list(streamed["train"].with_format("torch"))
    assert [(row["id"], int(row["z"])) for row in rows] == [(f"train-0000{i}", z) for i in range(2) for z in range(32)]
    for sample in Dataset(mini.dataset_spec, published, "train", targets=True).at_reference:
        truth = {"fbp": sample.reconstructions["fbp"], **{name: sample.targets[name] for name in ("labels", "lac")}}
        for row in (row for row in rows if row["id"] == sample.id):
            for name, volume in truth.items():
                assert row[name].shape == (1, 32, 32)
                assert row[name].dtype == (torch.uint8 if name == "labels" else torch.float32)
                np.testing.assert_array_equal(row[name][0].numpy(), volume[int(row["z"])])


def test_samples_have_pictures_and_one_schema(published: Path) -> None:
    samples = hub.load_dataset(str(published), "samples")
    assert {name: len(split) for name, split in samples.items()} == {"train": 10, "validation": 5, "test": 10}
    assert samples["test"][0]["preview"].size[0] > 0
    assert samples["train"].features["twin_of"] == hub.Value("string")  # though no row has one
    assert next(iter(hub.load_dataset(str(published), streaming=True)["test"]))["id"] == "test-00000"  # the default


def test_twins_in_one_split_are_text_in_all(mini_dose: Task) -> None:
    assert mini_dose.data is not None
    samples = hub.load_dataset(str(mini_dose.data), "samples")  # as `generate` leaves it
    assert any(samples["test"]["twin_of"])
    assert not any(samples["train"]["twin_of"])


def test_the_checksums_cover_what_is_packaged(published: Path, tmp_path: Path) -> None:
    assert verify(published) == []
    folder = tmp_path / "data"
    shutil.copytree(published, folder)
    [name] = [path.relative_to(folder).as_posix() for path in (folder / "slices").glob("train-*")]
    (folder / name).write_bytes(b"changed")
    (folder / "croissant.json").unlink()
    assert [line.partition(":")[0] for line in verify(folder)] == ["croissant.json", name]


def test_packaging_twice_gives_the_same_bytes_and_keeps_the_fingerprint(published: Path, mini: Task) -> None:
    before = (published / "SHA256SUMS").read_text()
    package(published)
    assert (published / "SHA256SUMS").read_text() == before
    assert mini.data is not None
    assert (published / "dataset.json").read_text() == (mini.data / "dataset.json").read_text()


def test_a_manifest_of_an_older_version_keeps_its_rows(published: Path, tmp_path: Path) -> None:
    new, old = published / "manifest" / "test.parquet", tmp_path / "test.parquet"
    rows = pq.read_table(new).to_pylist()
    pq.write_table(pq.read_table(new).replace_schema_metadata().drop_columns(["twin_of"]), old)
    renew_manifest(old)
    assert pq.read_schema(old).metadata == pq.read_schema(new).metadata
    assert pq.read_table(old).to_pylist() == [{k: v for k, v in row.items() if k != "twin_of"} for row in rows]
    stamp = new.stat().st_mtime_ns
    renew_manifest(new)
    assert new.stat().st_mtime_ns == stamp


def test_files_hold_whole_specimens(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data"
    shutil.copytree(published, folder)
    monkeypatch.setattr(slicing, "_SHARD_BYTES", 1)
    assert write_slices(folder, targets=["labels"]) == [
        "slices/train-00000-of-00002.parquet",
        "slices/train-00001-of-00002.parquet",
        "slices/validation-00000-of-00001.parquet",
    ]
    table = pq.read_table(folder / "slices" / "train-00001-of-00002.parquet")
    assert table.column_names == ["id", "z", "fbp", "labels"]
    assert set(table["id"].to_pylist()) == {"train-00001"}


def test_what_is_no_finished_dataset_is_refused(published: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no dataset there"):
        package(tmp_path)
    folder = tmp_path / "data"
    shutil.copytree(published, folder)
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(InputError, match=r"unfinished build .* `sxtbench generate` continues it"):
        package(folder)
