"""`sxtbench quantify`: any label file in, tables and a figure out; one line for what cannot be measured."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sxtbench.benchmark.task import Task
from sxtbench.cli import main
from sxtbench.volume_files import write_labels

VOXEL = 100.0


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a cell: labels as npy and TIFF, LAC as npy."""
    labels = np.zeros((24, 24, 24), np.uint8)
    labels[2:22, 2:22, 2:22] = 1
    labels[6:12, 6:12, 6:12] = 4
    labels[14:18, 14:18, 14:18] = 3
    folder = tmp_path / "work"
    folder.mkdir()
    np.save(folder / "labels.npy", labels)
    write_labels(folder / "labels.tif", labels, VOXEL)
    np.save(folder / "lac.npy", np.where(labels == 3, 0.6, 0.3).astype(np.float32))
    np.save(folder / "other.npy", np.zeros((24, 24, 25), np.float32))
    np.save(folder / "float.npy", labels.astype(np.float32))
    np.save(folder / "cytoplasm.npy", np.minimum(labels, 1))
    (folder / "names.yaml").write_text("1: cytoplasm\n3: granule\n4: nucleus\n")
    (folder / "few.yaml").write_text("1: cytoplasm\n")
    (folder / "broken.zarr.zip").write_text("broken")
    (folder / "turned.yaml").write_text("cytoplasm: 1\n")
    (folder / "list.yaml").write_text("- cytoplasm\n")
    monkeypatch.chdir(folder)
    return folder


def call(*words: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["quantify", *map(str, words)])
    return int(caught.value.code or 0)


def test_tables_and_figure(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("labels.tif", "--lac", "lac.npy", "--out", "out") == 0
    said = capsys.readouterr().out
    assert "nucleus" in said
    assert "lipid droplet" in said
    assert sorted(path.name for path in (here / "out").iterdir()) == [
        "cells.csv", "cells.parquet", "organelles.csv", "organelles.parquet", "organelles.png",
    ]  # fmt: skip
    table = pd.read_csv("out/organelles.csv").set_index("kind")
    assert table.loc["lipid droplet", "volume_um3"] == pytest.approx(0.064)
    assert table.loc["lipid droplet", "mean_lac_per_um"] == pytest.approx(0.6)
    assert table.loc["nucleus", "to_lipid_droplet_um"] == pytest.approx(0.2 * 3**0.5, rel=1e-4)
    pd.testing.assert_frame_equal(pd.read_parquet("out/organelles.parquet").set_index("kind"), table, rtol=1e-5)
    first = (here / "out" / "organelles.png").read_bytes()
    assert call("labels.tif", "--lac", "lac.npy", "--out", "out") == 0
    assert (here / "out" / "organelles.png").read_bytes() == first


def test_the_voxel_size_may_be_given_and_need_not_be_a_cube(here: Path) -> None:
    assert call("labels.npy", "--voxel-size", "200,100,50", "--kind", "nucleus") == 0
    table = pd.read_csv("sxtbench-quantify/organelles.csv").set_index("kind")
    assert table.loc["nucleus", "volume_um3"] == pytest.approx(216 * 0.2 * 0.1 * 0.05)


def test_names_of_another_class_set(here: Path) -> None:
    assert call("labels.npy", "--voxel-size", "100", "--classes", "names.yaml", "--out", "out") == 0
    assert set(pd.read_csv("out/organelles.csv")["kind"]) == {"nucleus", "granule"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["labels.npy"], "labels.npy does not say how large a voxel is: add --voxel-size"),
        (["labels.npy", "--voxel-size", "-3"], "--voxel-size -3: expected nm"),
        (["labels.npy", "--voxel-size", "1,2"], "--voxel-size 1,2: expected nm"),
        (["labels.npy", "--voxel-size", "wide"], "--voxel-size wide: expected nm"),
        (["labels.npy", "--voxel-size", "2"], "none above the least radius of its class at 2 x 2 x 2 nm a voxel"),
        (["broken.zarr.zip", "--voxel-size", "2"], "broken.zarr.zip cannot be read as Zarr (it is no ZIP file)"),
        (["labels.tif", "--kind", "vacuole"], "labels.tif: no voxel is 'vacuole'; its labels are 0 (background)"),
        (["labels.tif", "--lac", "other.npy"], "other.npy has shape (24, 24, 25)"),
        (["labels.tif", "--lac", "none.npy"], "none.npy: there is no such file"),
        (["labels.tif", "--lac", "fbp"], "--lac fbp is of a sample"),
        (["labels.tif", "--lac", "scaled.tif"], "scaled.tif has voxels of 50 x 50 x 50 nm, labels.tif of 100 x"),
        (["none.tif"], "none.tif: there is no such file"),
        (["labels.xyz"], "labels.xyz: unknown ending '.xyz'"),
        (["float.npy", "--voxel-size", "100"], "float.npy holds float32, expected labels of an integer dtype"),
        (["cytoplasm.npy", "--voxel-size", "100"], "its labels are 0 (background), 1 (cytoplasm)"),
        (["labels.tif", "--classes", "few.yaml"], "label 3 has no name"),
        (["labels.tif", "--classes", "list.yaml"], "list.yaml: expected a mapping of keys, found list"),
        (["labels.tif", "--classes", "turned.yaml"], "turned.yaml: expected values with their names"),
        (["labels.tif", "--classes", "none.yaml"], "none.yaml: no such file"),
        (["labels.tif", "--predictions", "here"], "--predictions goes with a sample"),
        (["labels.tif", "--axes", "xyx"], "axes is 'xyx'"),
        (["a/tiny/test-00000"], "unknown task 'a'"),
        (["projection-alignment/tiny/test-00000"], "has no labels to measure"),
        (["limited-angle-segmentation/tiny/test-00000", "--voxel-size", "90"], "--voxel-size is for files"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    here: Path, as_mini: Task, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    write_labels(here / "scaled.tif", np.zeros((24, 24, 24), np.uint8), 50.0)
    before = sorted(here.iterdir())
    assert call(*words) == 2
    captured = capsys.readouterr()
    last = captured.err.strip().splitlines()[-1]
    assert last.startswith("sxtbench: ")
    assert said in last
    assert "Traceback" not in captured.err
    assert sorted(here.iterdir()) == before


@pytest.fixture
def as_mini(mini: Task, monkeypatch: pytest.MonkeyPatch) -> Task:
    """Make `get_task` give the mini task where the yeast task is asked for."""
    from dataclasses import replace

    from sxtbench.benchmark import task as module

    real = module.get_task
    monkeypatch.setattr(
        module, "get_task", lambda name, *a, **k: mini if name == "limited-angle-segmentation" else real(name, *a, **k)
    )
    monkeypatch.setattr(Task, "at", lambda self, data: self if data is None else replace(self, data=data))
    return mini


def test_a_sample_of_a_dataset(as_mini: Task, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "limited-angle-segmentation/tiny/test-00000"
    assert call(name, "--lac", "truth", "--out", "true") == 0
    truth = pd.read_csv("true/cells.csv").set_index("kind")
    assert truth.loc["cell", "count"] == 1
    (here / "answers").mkdir()
    labels = as_mini.dataset("test", targets=True).by_id("test-00000").targets["labels"]
    np.save("answers/test-00000.npy", np.where(labels == 3, 1, labels))
    assert call(name, "--predictions", "answers", "--lac", "fbp", "--out", "answer") == 0
    assert "lipid droplet" not in set(pd.read_csv("answer/cells.csv")["kind"])
    assert call(name, "--predictions", "answers", "--kind", "lipid droplet") == 2
    assert "no voxel is 'lipid droplet'" in capsys.readouterr().err
    assert call(name, "--predictions", "elsewhere") == 2
    assert "no such prediction" in capsys.readouterr().err
    assert call(name, "--lac", "other.npy") == 2
    assert "other.npy has shape (24, 24, 25)" in capsys.readouterr().err
