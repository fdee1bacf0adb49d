"""Real datasets: what the registry says is whole, a user's copy is checked, and its scores never reach the board."""

import json
from pathlib import Path
from typing import Any

import nrrd
import numpy as np
import pytest
import yaml

from sxtbench.benchmark import external
from sxtbench.benchmark.external import External, check_external, get_external, list_external
from sxtbench.benchmark.result import load_result
from sxtbench.benchmark.task import get_task
from sxtbench.cli import main
from sxtbench.content import content_folder
from sxtbench.datasets.dataset import home
from sxtbench.errors import InputError
from sxtbench.formats.volumes import write_volume

ENTRY: dict[str, Any] = {
    "title": "Two bars",
    "licence": "CC0",
    "citation": "made by this test",
    "source": "https://example.org/bars",
    "volume": {"file": "bars.mrc"},
    "labels": {"file": "bars.nrrd"},
    "voxel_size_nm": 90.0,
    "label_map": {0: 255, 1: 0, 2: 1, 3: 3},
    "classes": [1, 3],
    "task": "limited-angle-segmentation",
}
METHOD = '''
import numpy as np
class Threshold:
    name = "threshold"
    def predict(self, sample):
        return (sample.reconstructions["fbp"] > 0.4).astype(np.uint8)
class Lac:
    name = "lac"
    answer = "volume"
    def predict(self, sample):
        return sample.reconstructions["fbp"]
'''  # fmt: skip


def entered(registry: Path, **changes: Any) -> None:
    (registry / "bars.yaml").write_text(yaml.safe_dump({**ENTRY, **changes}))


def labels() -> np.ndarray:
    found = np.zeros((6, 16, 16), np.uint8)  # 0: nobody looked
    found[:, 2:14] = 1
    found[:, 4:8] = 2
    found[:, 10:12] = 3
    return found


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry with one entry, and a user's folder with its files."""
    registry, folder = tmp_path / "registry", tmp_path / "mine"
    registry.mkdir()
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        external, "content_folder", lambda name: registry if name == "external" else content_folder(name)
    )
    entered(registry)
    volume = np.where(labels() == 2, 0.5, 0.1).astype(np.float32)
    volume[:, 12:] = 0.9  # wrong where nobody looked, and where label 1 is in two rows
    write_volume(folder / "bars.mrc", volume, 90.0)
    nrrd.write(str(folder / "bars.nrrd"), labels().transpose(2, 1, 0))
    (tmp_path / "method.py").write_text(METHOD)
    return folder


def call(*words: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(word) for word in words])
    return int(caught.value.code or 0)


@pytest.mark.parametrize("name", list_external())
def test_an_entry_that_ships_is_whole(name: str) -> None:
    entry = get_external(name)
    answer = get_task(entry.task).protocol.answer
    assert answer.kinds == ("labels",)
    assert entry.licence
    assert entry.missing  # nothing that is known so far is complete
    assert all(line.endswith(".") for line in entry.missing)


def test_values_and_names_become_labels_of_the_suite(mine: Path) -> None:
    found = check_external("bars", mine)
    assert found.first_use
    assert found.voxel_size_nm == 90
    assert {int(v): int((found.labels == v).sum()) for v in np.unique(found.labels)} == {
        0: 6 * 16 * 6, 1: 6 * 16 * 4, 3: 6 * 16 * 2, 255: 6 * 16 * 4,
    }  # fmt: skip


def test_the_first_use_keeps_the_checksums(mine: Path, tmp_path: Path) -> None:
    first = check_external("bars", mine)
    assert json.loads((home() / "external" / "bars.json").read_text()) == first.sha256
    assert not check_external("bars", mine).first_use
    (mine / "bars.nrrd").write_bytes((mine / "bars.nrrd").read_bytes() + b" ")
    with pytest.raises(InputError, match=r"bars.nrrd: its sha256 is .* of the first use \(.*bars.json\)"):
        check_external("bars", mine)


def test_a_checksum_of_the_registry_goes_first(mine: Path, tmp_path: Path) -> None:
    entered(tmp_path / "registry", volume={"file": "bars.mrc", "sha256": "0" * 64})
    with pytest.raises(InputError, match=r"bars.mrc: its sha256 is .*, expected 0{16}\.\.\. of the registry"):
        check_external("bars", mine)


def test_a_score_is_marked_and_no_board_reads_it(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("external", "score", "bars", mine, "method.py:Threshold", "--out", "scores") == 0
    said = capsys.readouterr().out
    assert "threshold as for limited-angle-segmentation, tiny; one specimen, not ranked" in said
    path = tmp_path / "scores" / "bars" / "threshold.json"
    result = json.loads(path.read_text())
    assert result["ranked"] is False
    assert result["labelled_voxels"] == 6 * 16 * 12
    scores = {(row["metric"], row["class"]): row["value"] for row in result["scores"]}
    assert scores["iou@1", 1] == pytest.approx(4 / 6)  # four rows right, two of the background called 1
    assert scores["iou@1", 3] == 0
    assert scores["miou@1", None] == pytest.approx(2 / 6)
    with pytest.raises(InputError):
        load_result(path)


def test_what_is_wrong_is_told_in_one_line(mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(*words: object) -> str:
        assert call("external", *words) == 2
        return capsys.readouterr().err.strip().splitlines()[-1]

    assert "unknown external dataset 'barz'; did you mean 'bars'?" in fails("check", "barz", mine)
    assert "there is no such file; bars is at https://example.org/bars" in fails("check", "bars", tmp_path)
    assert "lac answers LAC, expected labels" in fails("score", "bars", mine, "method.py:Lac")
    (home() / "external" / "bars.json").unlink()
    write_volume(mine / "bars.mrc", np.zeros((6, 16, 16), np.float32), 90.0)
    assert "brightest values are about 0" in fails("check", "bars", mine)
    write_volume(mine / "bars.mrc", np.full((6, 16, 15), 0.3, np.float32), 90.0)
    assert "bars.nrrd has shape (6, 16, 16) (z, y, x), expected (6, 16, 15)" in fails("check", "bars", mine)
    entered(tmp_path / "registry", licence=None)
    assert "bars.yaml: licence: " in fails("check", "bars", mine)
    entered(tmp_path / "registry", classes=[1, 2])
    assert "classes hold 2, which label_map gives to nothing" in fails("list")


def test_the_list_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("external", "list") == 0
    said = capsys.readouterr().out
    assert "licence: none stated" in said
    assert "missing: The data themselves: ask the authors" in said


def test_an_entry_maps_values_or_names() -> None:
    assert External.model_validate({**ENTRY, "label_map": {"cell": 1, "lipid": 3}}).label_map == {"cell": 1, "lipid": 3}
    with pytest.raises(ValueError, match="label_map has values and names"):
        External.model_validate({**ENTRY, "label_map": {"cell": 1, 2: 3}})
