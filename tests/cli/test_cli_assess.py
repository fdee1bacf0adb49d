"""assess and new from the command line: a user's file, and one line for what cannot be."""

import json
from pathlib import Path

import mrcfile
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sxtbench.cli import main
from sxtbench.datasets.own import OwnSeries, write_own
from sxtbench.formats.volumes import write_volume

ANGLES = np.arange(-60.0, 61.0, 8.0)
SHAPE = (8, 32, 32)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a tilt series with and without photons, a volume, and masks."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    generator = np.random.default_rng(0)
    counts = generator.poisson(400, (len(ANGLES), 8, 32)).astype(np.uint32)
    photons = counts, np.full(len(ANGLES), 600.0)
    views = np.log(600 / counts).astype(np.float32)
    series = OwnSeries(projections=views, angles_deg=ANGLES, pixel_size_nm=90.0, energy_ev=510.0, photons=photons)
    write_own(Path("cell.zarr.zip"), series=series)
    plain = OwnSeries(projections=views, angles_deg=ANGLES, pixel_size_nm=90.0, energy_ev=510.0)
    write_own(Path("plain.zarr.zip"), series=plain)
    volume = generator.normal(0.3, 0.05, SHAPE).astype(np.float32)
    volume[:, :16] += 0.2
    write_volume("cell.mrc", volume, 90.0)
    for name, rows in (("a", slice(2, 12)), ("b", slice(20, 30)), ("whole", slice(0, 32)), ("none", slice(0, 0))):
        mask = np.zeros(SHAPE, np.uint8)
        mask[2:6, rows, 10:20] = 255
        write_volume(f"{name}.mrc", mask, 90.0)
    np.save("small.npy", np.ones((4, 32, 32), np.uint8))
    return folder


def call(*words: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(word) for word in words])
    return int(caught.value.code or 0)


def test_a_file_is_set_beside_our_samples(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outs = ("--out", "t/t.csv", "--out", "t/t.json", "--out", "t/t.png")
    assert call("assess", "cell.zarr.zip", "--mask-a", "a.mrc", "--mask-b", "b.mrc", *outs) == 0
    said = capsys.readouterr().out
    assert "ours: 6 test samples of limited-angle-segmentation-tiny, median and range" in said
    assert "held-out tilts, chi-square" in said
    table = pd.read_csv("t/t.csv").set_index("name")
    assert table.loc["detected_per_pixel", "yours"] == pytest.approx(400, rel=0.01)
    assert table.loc["detected_per_pixel", "place"] == "below"
    assert np.isnan(table.loc["cnr", "median"])
    content = json.loads(Path("t/t.json").read_text())
    assert (content["file"], content["beside"]) == ("cell.zarr.zip", "limited-angle-segmentation-tiny")
    assert [row["name"] for row in content["numbers"]] == list(table.index)
    with Image.open("t/t.png") as picture:
        assert picture.width > 1000


def test_without_photons_there_is_no_chi_square(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("assess", "plain.zarr.zip", "--task", "low-dose") == 0
    said = capsys.readouterr().out
    assert "photons are not known: no chi-square and no dose" in said
    assert "chi-square  " not in said
    assert "6 test samples of low-dose-tiny" in said


def test_a_volume_has_its_lac_and_contrast(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("assess", "cell.mrc", "--mask-a", "a.mrc", "--mask-b", "b.mrc", "-o", "c.csv", "-o", "c.png") == 0
    table = pd.read_csv("c.csv").set_index("name")["yours"]
    assert table["cnr"] == pytest.approx(4, rel=0.05)
    assert table["lac_p50"] == pytest.approx(0.4, abs=0.03)
    assert "frc_mean" not in table


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("gone.zarr.zip",), "gone.zarr.zip: there is no such file"),
        (("cell.zarr.zip", "--mask-a", "a.mrc"), "--mask-a and --mask-b belong together"),
        (("cell.zarr.zip", "--mask-a", "a.mrc", "--mask-b", "whole.mrc"), "voxels, expected two regions apart"),
        (("cell.mrc", "--mask-a", "a.mrc", "--mask-b", "none.mrc"), "cell.mrc: the second mask is empty"),
        (("cell.zarr.zip", "--mask-a", "none.mrc", "--mask-b", "none.mrc"), "both masks are empty"),
        (
            ("cell.zarr.zip", "--mask-a", "small.npy", "--mask-b", "small.npy"),
            "a mask has shape (4, 32, 32) (z, y, x), expected (8, 32, 32)",
        ),
        (("cell.zarr.zip", "--out", "t.txt"), "--out t.txt: expected a name that ends in .csv, .json, .png"),
        (("cell.zarr.zip", "--tier", "small"), "--tier is of --task"),
        (("cell.zarr.zip", "--task", "low-dose", "--tier", "full"), "there are no numbers of low-dose-full"),
        (("cell.zarr.zip", "--task", "low-does"), "unknown task 'low-does'; did you mean 'low-dose'?"),
        (("cell.zarr.zip", "--voxel-size", "90"), "--voxel-size is for files of other programs"),
        (("views.hdf5", "--axes", "yzx"), "--axes is for a reconstruction, and views.hdf5 is a tilt series"),
    ],
)
def test_what_cannot_be_assessed_is_told_in_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert call("assess", *words) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("sxtbench: ")
    assert said in last


def test_grey_values_are_no_lac(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with mrcfile.new("grey.mrc", np.ones((4, 16, 16), np.int16)) as mrc:
        mrc.voxel_size = 900.0
    assert call("assess", "grey.mrc") == 2
    assert "grey values of int16, expected LAC" in capsys.readouterr().err


def test_new_files_are_written_once(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("new", "method", "my-method", "--out", "methods") == 0
    said = capsys.readouterr().out
    assert "try it: sxtbench run methods/my_method/my_method.py:MyMethod limited-angle-segmentation --tier tiny" in said
    assert call("new", "method", "my-method", "--out", "methods") == 2
    assert "my_method is there already" in capsys.readouterr().err
    assert call("new", "task", "my-task", "--like", "organelle-segmentation") == 0
    assert Path("tasks/my-task/recipe.yaml").is_file()
