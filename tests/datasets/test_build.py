"""Build, resume, load: the same bytes however the build went."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mini_tasks import mini_task

from sxtbench.acquisition.strip import project_strips
from sxtbench.benchmark.task import Task
from sxtbench.datasets import flat_grid, record
from sxtbench.datasets.build import build, dataset_files, missing_specimens
from sxtbench.datasets.dataset import Dataset
from sxtbench.datasets.reconstruct import RECONSTRUCTION_STEP_EXPONENT, reconstruct
from sxtbench.datasets.store import rounded
from sxtbench.datasets.verify import verify
from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.hashing import sha256_file
from sxtbench.operators import ParallelBeam
from sxtbench.reconstruction import cgne, fbp


def bytes_of(folder: Path) -> dict[str, str]:
    return {name: sha256_file(folder / name) for name in dataset_files(folder)}


def test_a_killed_build_continues_and_ends_with_the_same_bytes(
    mini: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, folder = mini.dataset_spec, tmp_path / "killed"
    real, made = record.write_hierarchy, []

    def dies(path: Path, content: object) -> None:
        if len(made) == 5:  # between the inputs and the targets of the third specimen
            raise KeyboardInterrupt
        made.append(path)
        real(path, content)

    monkeypatch.setattr(record, "write_hierarchy", dies)
    with pytest.raises(KeyboardInterrupt):
        build(spec, folder)
    monkeypatch.setattr(record, "write_hierarchy", real)
    assert missing_specimens(spec, folder, list(spec.sizes)) == 3
    build(spec, folder)
    assert mini.data is not None
    assert bytes_of(folder) == bytes_of(mini.data)
    assert json.loads((folder / "dataset.json").read_text()) == json.loads((mini.data / "dataset.json").read_text())


def test_the_bytes_do_not_depend_on_the_workers(mini: Task, tmp_path: Path) -> None:
    folder = tmp_path / "two"
    build(replace(mini.dataset_spec), folder, workers=2)
    assert mini.data is not None
    assert bytes_of(folder) == bytes_of(mini.data)


def test_splits_built_apart_have_the_fingerprints_of_one_build(mini: Task, tmp_path: Path) -> None:
    folder = tmp_path / "apart"
    build(mini.dataset_spec, folder, splits=["test"])
    before = json.loads((folder / "dataset.json").read_text())["splits"]["test"]
    assert verify(folder) == []
    build(mini.dataset_spec, folder)
    after = json.loads((folder / "dataset.json").read_text())["splits"]
    assert after["test"] == before
    assert set(after) == {"train", "validation", "test"}


def test_another_dataset_in_the_folder_is_refused(mini: Task) -> None:
    other = mini.dataset_spec.recipe.model_copy(update={"seed": 99})
    assert mini.data is not None
    with pytest.raises(InputError, match="holds another dataset"):
        build(replace(mini.dataset_spec, recipe=other), mini.data)


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="not empty"):
        build(mini_task().dataset_spec, tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["thesis.txt"]


def test_an_unwritable_folder_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write there"):
        build(mini_task().dataset_spec, tmp_path / "file" / "data")


def test_samples_have_their_conditions(mini: Task) -> None:
    data = mini.dataset("test")
    assert data.ids[:6] == [
        "test-00000",
        "test-00000~tilt_range_deg=140",
        "test-00000~tilt_range_deg=120",
        "test-00000~tilt_range_deg=80",
        "test-00000~photons=0.25",
        "test-00001",
    ]
    views = {s.condition["tilt_range_deg"]: set(s.tilt_series.angles_deg) for s in data if s.group == "test-00000"}
    assert views[80.0] < views[100.0] < views[120.0] < views[140.0]
    full, quarter = data.by_id("test-00000").tilt_series, data.by_id("test-00000~photons=0.25").tilt_series
    assert np.all(quarter.counts <= full.counts)
    assert quarter.counts.sum() / full.counts.sum() == pytest.approx(0.25, rel=0.01)
    np.testing.assert_allclose(quarter.incident_photons, full.incident_photons / 4)
    again = mini.dataset("test").by_id("test-00000~photons=0.25").tilt_series
    np.testing.assert_array_equal(again.counts, quarter.counts)


def test_the_stored_fbp_is_that_of_the_tilt_series(mini: Task) -> None:
    sample = mini.dataset("test")[0]
    stored = sample.reconstructions["fbp"]
    made = fbp(sample.tilt_series.projections, sample.tilt_series.geometry, volume_shape=sample.shape, filter="hamming")
    np.testing.assert_allclose(stored, made, atol=2.0**-12 * 1.001)
    assert stored.dtype == np.float32
    assert stored.shape == sample.shape


def test_cgne_is_stored_at_the_reference_and_kept_on_disk_elsewhere(mini: Task, tmp_path: Path) -> None:
    samples = mini.dataset("test")
    kept = tmp_path / "home" / "cache" / "cgne"
    reference, other = samples[0], samples[1]
    assert reference.reconstructions["cgne"].shape == reference.shape
    assert not kept.exists()
    assert other.group == reference.group
    computed = other.reconstructions["cgne"]
    [cached] = kept.glob("*.npy")
    np.testing.assert_array_equal(np.load(cached), computed)
    np.testing.assert_array_equal(samples[1].reconstructions["cgne"], computed)


def test_a_dataset_without_stored_cgne_computes_the_same(mini: Task) -> None:
    """Folders of data 1.0.0 hold no cgne, and full never does."""
    sample = mini.dataset("test")[0]
    computed = reconstruct("cgne", mini.dataset_spec, sample.series, sample.shape)
    np.testing.assert_array_equal(sample.reconstructions["cgne"], rounded(computed, RECONSTRUCTION_STEP_EXPONENT))


def test_cgne_fits_better_than_nothing(mini: Task) -> None:
    sample = mini.dataset("test")[0]
    volume = sample.reconstructions["cgne"]
    truth = mini.dataset("test", targets=True)[0].targets["lac"]
    inside = sample.region

    def error(answer: np.ndarray) -> float:
        return float(np.sqrt(np.mean((answer - truth)[inside] ** 2)))

    assert error(volume) < error(np.zeros_like(volume))


def test_the_inverse_crime_is_not_committed(mini: Task) -> None:
    """The simulator's projector is another than Joseph's, which cannot explain even noiseless data to the last bit."""
    sample = mini.dataset("test", targets=True)[0]
    lac = np.ascontiguousarray(sample.targets["lac"][14:18])
    geometry = ParallelGeometry(
        angles_deg=np.arange(0.0, 180.0, 2.0), columns=48, slices=4, pixel_size_nm=sample.voxel_size_nm
    )
    joseph = ParallelBeam(geometry, volume_shape=lac.shape)
    strips = project_strips(lac, geometry.angles_deg, voxel_size_um=sample.voxel_size_nm / 1000, columns=48)

    def unexplained(data: np.ndarray) -> float:
        return float(np.linalg.norm(joseph(cgne(joseph, data, iterations=150)) - data) / np.linalg.norm(data))

    assert np.linalg.norm(strips - joseph(lac)) / np.linalg.norm(strips) > 1e-3
    assert unexplained(joseph(lac)) < 1e-4
    assert unexplained(strips) > 1e-3


def test_targets_are_withheld_unless_asked_for(mini: Task) -> None:
    with pytest.raises(InputError, match="asks for targets"):
        _ = mini.dataset("test")[0].targets
    targets = mini.dataset("test", targets=True)[0].targets
    assert {"labels", "lac", "nucleus", "mitochondria", "cell_halo", "fiducials", "cracks", "impurities"} <= set(
        targets
    )
    assert set(np.unique(targets["labels"])) <= {0, 1, 2, 3}


@pytest.mark.parametrize("place", ["inputs", "targets", "manifest"])
def test_verify_finds_a_flipped_byte(mini: Task, tmp_path: Path, place: str) -> None:
    assert mini.data is not None
    folder = tmp_path / "copy"
    shutil.copytree(mini.data, folder)
    assert verify(folder) == []
    victim = sorted(path for path in (folder / place).rglob("*") if path.is_file())[-1]
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    problems = verify(folder)
    assert any(line.startswith(victim.relative_to(folder).as_posix()) and "changed" in line for line in problems)


def test_verify_finds_a_missing_and_an_unknown_file(mini: Task, tmp_path: Path) -> None:
    assert mini.data is not None
    folder = tmp_path / "copy"
    shutil.copytree(mini.data, folder)
    (folder / "inputs/test/test-00001.zarr.zip").unlink()
    (folder / "extra.txt").write_text("?")
    problems = "\n".join(verify(folder))
    assert "inputs/test/test-00001.zarr.zip: missing" in problems
    assert "extra.txt: not in SHA256SUMS" in problems


def test_verify_finds_a_specimen_in_two_splits(mini: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = flat_grid.simulate

    def leaking(recipe: object, split: str, index: int, **rest: object) -> object:
        return real(recipe, "train" if split == "test" else split, index, **rest)

    monkeypatch.setattr(flat_grid, "simulate", leaking)
    build(mini.dataset_spec, tmp_path / "leaky")
    problems = verify(tmp_path / "leaky")
    assert any("leakage: test/test-00000 and train/train-00000" in line for line in problems)


def test_splits_share_no_specimen(mini: Task) -> None:
    seen: set[str] = set()
    for split in ("train", "validation", "test"):
        hashes = {row["labels_sha256"] for row in mini.dataset(split)._rows}
        assert not hashes & seen
        seen |= hashes


def test_unknown_split_and_sample(mini: Task) -> None:
    with pytest.raises(InputError, match="unknown split 'tset'"):
        mini.dataset("tset")
    with pytest.raises(InputError, match="no sample 'test-9'"):
        mini.dataset("test").by_id("test-9")
    assert isinstance(mini.dataset("test"), Dataset)
