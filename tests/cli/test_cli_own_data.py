"""import, export and predict --input: own data in, answers out, and one line for what cannot be."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import tifffile

from sxtbench.benchmark import task as tasks
from sxtbench.benchmark.task import Task
from sxtbench.cli import main
from sxtbench.datasets.own import OwnSeries, write_own
from sxtbench.formats.volumes import read_volume, write_volume

ANGLES = np.arange(-60.0, 61.0, 10.0)
VOLUME = np.random.default_rng(0).uniform(0.1, 0.6, (6, 16, 16)).astype(np.float32)
VIEWS = np.random.default_rng(1).uniform(0.2, 1.5, (13, 6, 16)).astype(np.float32)
METHODS = '''
import numpy as np
class Bright:
    name = "bright"
    def predict(self, sample):
        return (sample.reconstructions["fbp"] > 0.4).astype(np.uint8)
class Half:
    name = "half"
    def predict(self, sample):
        return sample.reconstructions["fbp"] / 2
class Counting:
    name = "counting"
    def predict(self, sample):
        return sample.tilt_series.counts
class Other:
    name = "other"
    def predict(self, sample):
        return sample.series["interior"].projections
class Wrong:
    name = "wrong"
    def predict(self, sample):
        return np.zeros((2, 2, 2), np.uint8)
class Learner:
    name = "learner"
    def fit(self, train, validation, *, seed): ...
    def predict(self, sample): ...
'''  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a tilt series, a volume, an import of each and methods."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    series = OwnSeries(projections=VIEWS, angles_deg=ANGLES, pixel_size_nm=180.0, energy_ev=510.0)
    write_own(Path("series.zarr.zip"), series=series)
    write_own(Path("volume.zarr.zip"), volume=VOLUME, voxel_size_nm=180.0)
    write_volume("cell.mrc", VOLUME, 180.0)
    tifffile.imwrite("views.tif", VIEWS, photometric="minisblack")
    np.savetxt("views.rawtlt", ANGLES)
    Path("methods.py").write_text(METHODS)
    return folder


def call(*words: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(word) for word in words])
    return int(caught.value.code or 0)


SERIES = ("views.tif", "--values", "absorbance", "--pixel-size", "180", "--energy", "510")


def test_a_tilt_series_is_imported_exported_and_answered(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("import", *SERIES, "--out", "own.zarr.zip") == 0
    assert "13 views of 6 x 16 pixels of 180 nm, -60 to 60 degrees, 510 eV" in capsys.readouterr().out
    assert call("export", "own.zarr.zip", "--format", "mrc", "--out", "out") == 0
    with mrcfile.open("out/main.mrc") as mrc:
        np.testing.assert_array_equal(mrc.data, VIEWS)
    assert call("predict", "methods.py:Half", "-i", "own.zarr.zip", "-o", "half.tif") == 0
    half, size = read_volume("half.tif")
    assert half.shape == (6, 16, 16)
    assert size == pytest.approx(180.0)
    assert half.std() > 0


def test_an_answer_has_the_axes_of_the_volume(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("turned.npy", VOLUME.transpose(1, 0, 2))
    words = ("--axes", "yzx", "--voxel-size", "180")
    assert call("predict", "methods.py:Bright", "--input", "turned.npy", *words) == 0
    assert "labels: turned.bright.mrc" in capsys.readouterr().out
    with mrcfile.open("turned.bright.mrc") as mrc:
        np.testing.assert_array_equal(mrc.data, (VOLUME > 0.4).transpose(1, 0, 2))
        assert float(mrc.voxel_size.x) == pytest.approx(1800.0)
    for name in ("cell.mrc", "volume.zarr.zip"):
        assert call("predict", "methods.py:Bright", "--input", name, "--out", "labels.zarr") == 0
        np.testing.assert_array_equal(read_volume("labels.zarr")[0], VOLUME > 0.4)


def test_a_baseline_answers_a_volume_as_at_the_nearest_tier(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("predict", "trivial", "limited-angle-segmentation", "-i", "cell.mrc", "-o", "none.tif") == 0
    assert "limited-angle-segmentation, tiny" in capsys.readouterr().out
    assert not read_volume("none.tif")[0].any()


def test_a_sample_is_exported(
    mini: Task, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tasks, "get_task", lambda *a, **k: mini)
    monkeypatch.setattr(Task, "at", lambda self, data: self)
    assert call("export", "any/tiny/test-00000", "-f", "mrc", "-o", "out") == 0
    names = [Path(line).name for line in capsys.readouterr().out.splitlines()]
    assert names == ["main.mrc", "main.rawtlt", "fbp.mrc", "lac.mrc", "labels.mrc"]
    sample = mini.dataset("test", targets=True)[0]
    np.testing.assert_array_equal(read_volume("out/labels.mrc")[0], sample.targets["labels"])
    assert call("import", "--volume", "out/fbp.mrc", "out/main.mrc", "-o", "all.zarr.zip") == 0
    assert call("export", "any/tiny/test-00000", "-f", "tiff", "-o", "out", "--what", "nucleolus") == 2
    assert "has no 'nucleolus', it has main, fbp, cgne, lac, labels" in capsys.readouterr().err


def text(name: str, content: str) -> Callable[[], Any]:
    return lambda: Path(name).write_text(content)


def angles(values: Any) -> Callable[[], Any]:
    return lambda: np.savetxt("views.rawtlt", values)


def views(array: Any) -> Callable[[], Any]:
    return lambda: tifffile.imwrite("views.tif", array, photometric="minisblack")


def both() -> None:
    np.savetxt("views.tlt", ANGLES)


def zeros_mrc() -> None:
    with mrcfile.new("zero.mrc", overwrite=True) as mrc:
        mrc.set_data(VOLUME)
        mrc.voxel_size = 0


IMPORT = ("import", *SERIES)
BAD: list[tuple[Callable[[], Any] | None, tuple[str, ...], str]] = [
    (None, ("import",), "nothing to import"),
    (None, ("import", "none.mrc"), "none.mrc: there is no such file"),
    (None, ("import", "views.rawtlt"), "unknown ending '.rawtlt'"),
    (None, ("import", "cell.mrc"), "has no tilt angles, and no cell.rawtlt or .tlt lies beside it"),
    (None, ("import", "views.tif"), "does not say how large a pixel is: add --pixel-size NM"),
    (None, ("import", "views.tif", "--pixel-size", "20"), "does not say the photon energy: add --energy EV"),
    (None, ("import", "views.tif", "--pixel-size", "20", "--energy", "510"), "does not say what its pixels hold"),
    (None, ("import", *SERIES[:5], "--energy", "0.51"), "photons of 0.51 eV, expected 100 to 5000 eV"),
    (None, ("import", *SERIES, "--pixel-size", "13000"), "pixels of 13000 nm, expected 1 to 500 nm"),
    (None, ("import", *SERIES, "--values", "photons"), "values are 'photons', expected one of counts"),
    (None, (*IMPORT, "--tilt-axis", "up"), "the tilt axis is 'up', expected one of vertical, horizontal"),
    (None, (*IMPORT, "--incident-photons", "-3"), "-3 incident photons, expected a positive number"),
    (None, (*IMPORT, "--angles", "no.tlt"), "no.tlt: there is no such file of angles"),
    (None, (*IMPORT, "--out", "own.mrc"), "expected a name that ends in .zarr.zip"),
    (None, (*IMPORT, "--lac-unit", "per-um"), "--lac-unit is for a reconstruction"),
    (None, (*IMPORT, "--flats", "cell.mrc"), "comes with flats, but its pixels are said to hold"),
    (None, ("import", "--volume", "cell.mrc", "--energy", "510"), "--energy is for a tilt series, and none is given"),
    (None, ("import", "--volume", "cell.mrc", "--lac-unit", "per-mm"), "the LAC unit is 'per-mm', expected one of"),
    (angles(ANGLES[:-1]), IMPORT, "12 angles, expected 13, one for each view"),
    (angles(np.deg2rad(ANGLES) / 4), IMPORT, "which look like radians; expected degrees"),
    (angles(ANGLES * 100), IMPORT, "angles reach 6000, expected degrees within 400"),
    (angles(np.full(13, 20.0)), IMPORT, "angles span 0 degrees, expected those of a tilt series"),
    (angles([*ANGLES[:-1], np.nan]), IMPORT, "angle 12 is not a finite number"),
    (text("views.rawtlt", "-60\nminus ten\n"), IMPORT, "views.rawtlt, line 2: 'minus ten', expected one angle"),
    (text("views.rawtlt", "1 -60\n2 -50\n"), IMPORT, "line 1: 2 numbers, expected one angle in degrees"),
    (both, IMPORT, "views.rawtlt and views.tlt lie beside it; --angles says which is right"),
    (views(np.where(VIEWS > 1.49, np.nan, VIEWS)), IMPORT, "holds NaN or Inf in view"),
    (views(VIEWS[0]), (*IMPORT, "--angles", "views.rawtlt"), "13 angles, expected 6"),
    (views(VIEWS * 1000), IMPORT, "the median absorbance is"),
    (views((VIEWS * 1000).astype(np.uint16)), ("import", *SERIES[:1], *SERIES[3:]), "counts without an open beam"),
    (views(-VIEWS), ("import", *SERIES, "--values", "transmission"), "the median transmission is -0."),
    (text("a.h5", "no HDF5"), ("import", "a.h5"), "a.h5 cannot be read as HDF5"),
    (text("a.txrm", "no OLE"), ("import", "a.txrm"), "a.txrm cannot be read as txrm (it is no compound file (OLE))"),
    (text("a.am", "# AmiraMesh\n"), ("import", "--labels", "a.am"), "a.am cannot be read as AmiraMesh (its header"),
    (zeros_mrc, ("import", "--volume", "zero.mrc"), "does not say how large a voxel is: add --voxel-size NM"),
    (None, ("import", "views.tif", *SERIES[1:], "--volume", "cell.mrc", "--voxel-size", "90"), "(z, y, x) of 90"),
    (None, ("export", "a/b", "--format", "mrc"), "expected TASK/TIER/SAMPLE-ID, or a file NAME.zarr.zip"),
    (None, ("export", "volume.zarr.zip", "-f", "dicom"), "--format is 'dicom', expected one of mrc, tiff, nxtomo"),
    (None, ("export", "volume.zarr.zip", "-f", "nxtomo"), "has no tilt series for NXtomo"),
    (None, ("export", "volume.zarr.zip", "-f", "nxtomo", "--what", "fbp"), "NXtomo is for tilt series, and fbp is"),
    (None, ("export", "none.zarr.zip", "-f", "mrc"), "none.zarr.zip: there is no such file"),
    (None, ("predict", "methods.py:Half"), "Missing argument 'task', or --input FILE"),
    (None, ("predict", "methods.py:Half", "-i", "none.mrc"), "none.mrc: there is no such file"),
    (None, ("predict", "methods.py:Half", "-i", "cell.mrc", "-o", "a.png"), "are written to .mrc"),
    (None, ("predict", "methods.py:Half", "-i", "series.zarr.zip", "--axes", "yzx"), "was imported and knows it"),
    (None, ("predict", "methods.py:Counting", "-i", "cell.mrc"), "cell.mrc is a volume, and the method asks for the"),
    (None, ("predict", "methods.py:Counting", "-i", "series.zarr.zip"), "holds no photons, which it asks for: import"),
    (None, ("predict", "methods.py:Other", "-i", "series.zarr.zip"), "the method asks for 'interior'"),
    (None, ("predict", "methods.py:Wrong", "-i", "cell.mrc"), "prediction has shape (2, 2, 2), expected (6, 16, 16)"),
    (None, ("predict", "methods.py:Learner", "-i", "cell.mrc"), "has to be fitted: name the task"),
    (None, ("predict", "fbp-otsu", "-i", "volume.zarr.zip"), "fbp-otsu: volume.zarr.zip is a volume, and the method"),
    (None, ("predict", "anchored-ncc", "-i", "series.zarr.zip"), "answers projection-alignment: no labels"),
    (None, ("predict", "fbp-otsu", "projection-alignment", "-i", "cell.mrc"), "asks for shifts, expected a task"),
]  # fmt: skip


@pytest.mark.parametrize(("prepare", "words", "said"), BAD, ids=[said[:40] for *_, said in BAD])
def test_bad_input_is_one_line_and_writes_nothing(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    prepare: Callable[[], Any] | None,
    words: tuple[str, ...],
    said: str,
) -> None:
    if prepare is not None:
        prepare()
    before = sorted(here.rglob("*"))
    assert call(*words) == 2
    captured = capsys.readouterr()
    last = captured.err.strip().splitlines()[-1]
    assert last.startswith("sxtbench: ")
    assert said in last
    assert "Traceback" not in captured.err
    assert [path for path in sorted(here.rglob("*")) if "__pycache__" not in str(path)] == before


@pytest.mark.parametrize(("module", "name"), [("h5py", "a.h5"), ("olefile", "a.txrm"), ("tifffile", "views.tif")])
def test_a_missing_library_names_the_extra(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, module: str, name: str
) -> None:
    Path(name).touch()
    monkeypatch.setitem(sys.modules, module, None)
    assert call("import", name) == 2
    assert f'{name} needs {module}, which is not installed: pip install "sxtbench[formats]"' in capsys.readouterr().err
