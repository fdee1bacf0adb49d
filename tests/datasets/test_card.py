"""Cards: every task's renders with all its headings, and its tables are what the results and the folder say."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from sxtbench.benchmark.package import NO_RESULTS, baseline_tables, package, tier_table
from sxtbench.benchmark.result import load_result
from sxtbench.benchmark.task import Task, get_task, list_tasks
from sxtbench.content import content_folder
from sxtbench.datasets.card import DATASHEET, SECTIONS, card_source, citation, render_card
from sxtbench.errors import InputError

OWNERS = sorted({get_task(name).dataset_spec.task for name in list_tasks()})
RESULTS = content_folder("leaderboard") / "results"


def stated(task: str, tier: str = "tiny") -> dict[str, Any]:
    """A statement of a dataset whose test split the committed results were scored on."""
    path = next((RESULTS / task / tier).glob("*.json"), None)
    splits = {"specimens": 6, "samples": 6, "fingerprint": json.loads(path.read_text())["fingerprint"] if path else ""}
    return {"name": f"{task}-{tier}", "task": task, "tier": tier, "version": "1.3.0", "recipe_sha256": "1" * 64,
            "splits": {"train": {**splits, "fingerprint": "2" * 64}, "test": splits}}  # fmt: skip


def folder_of(statement: dict[str, Any], place: Path) -> Path:
    (place / "recipe").mkdir(parents=True)
    (place / "dataset.json").write_text(json.dumps(statement))
    environment = {"sxtbench": "0", "python": "3", "numpy": "2", "system": "Linux", "machine": "x86_64"}
    (place / "recipe" / "environment.json").write_text(json.dumps(environment))
    return place


@pytest.mark.parametrize("task", OWNERS)
def test_every_card_renders_with_its_headings(task: str, tmp_path: Path) -> None:
    statement = stated(task)
    card = render_card(folder_of(statement, tmp_path / "d"), tiers=tier_table(statement))
    _, front, body = card.split("---\n", 2)
    headings = re.findall(r"^#{2,3} (.+)$", body, re.MULTILINE)
    wanted = [*SECTIONS.values(), "Tiers", "Baselines", "Datasheet", *DATASHEET, "Licence and citation"]
    assert [heading for heading in wanted if headings.count(heading) != 1] == []
    keys = yaml.safe_load(front)
    assert keys["license"] == "cc-by-4.0"
    assert [config["config_name"] for config in keys["configs"]] == ["samples"]  # nothing is sliced here
    assert {"cites", "tasks"} & keys.keys() == set()
    assert re.search(r"{[{%] ", body) is None
    assert re.search(r"^\n?\|", body, re.MULTILINE)
    assert re.findall(r"^[^|\n].*\n\|", body, re.MULTILINE) == []  # a table that follows a line at once is none
    assert "@software{sxtbench," in body


@pytest.mark.parametrize("name", list_tasks())
def test_the_table_of_baselines_is_that_of_the_results(name: str) -> None:
    tier = "tiny" if (RESULTS / name / "tiny").is_dir() else "small"
    paths = {path.stem: path for path in (RESULTS / name / tier).glob("*.json")}
    statement = stated(get_task(name).dataset_spec.task, tier)
    rows = dict(re.findall(r"^\| ([a-z0-9-]+)(?: \([a-z ]+\))? \| (\S+)", _table_of(name, statement), re.MULTILINE))
    rows.pop(name)  # the heading
    assert rows.keys() == paths.keys()
    for method, path in paths.items():
        content = json.loads(path.read_text())
        [mean] = [
            one["mean"]
            for one in content["aggregates"]
            if (one["metric"], one["class"], one["level"]) == (content["primary"], None, {})
        ]
        assert float(rows[method]) == pytest.approx(mean, abs=0.006, rel=0.006)


def _table_of(name: str, statement: dict[str, Any]) -> str:
    [table] = [part for part in baseline_tables(statement).split("\n\n") if part.startswith(f"| {name} |")]
    return table + "\n"


def test_results_on_other_data_are_left_out() -> None:
    statement = stated("limited-angle-segmentation")
    statement["splits"]["test"]["fingerprint"] = "3" * 64
    assert baseline_tables(statement) == NO_RESULTS


def test_the_shifted_domain_has_the_scores_on_it() -> None:
    result = load_result(RESULTS / "limited-angle-segmentation" / "tiny" / "fbp-otsu.json")
    assert result.shifted is not None
    statement = stated("limited-angle-segmentation")
    statement["splits"] = {"shifted": {**statement["splits"]["test"], "fingerprint": result.shifted.fingerprint}}
    assert f"| fbp-otsu | {result.on_shifted().headline.mean:.3f} " in baseline_tables(statement)
    assert tier_table(statement) == ""


def test_sizes_are_stated_for_every_tier_of_what_is_measured() -> None:
    known = json.loads((content_folder("data_cards") / "sizes.json").read_text())
    assert {name.rpartition("-")[0] for name in known} <= set(OWNERS)
    table = tier_table(stated("low-dose"))
    assert re.findall(r"^\| (\w+) \| (\d+), ", table, re.MULTILINE) == [("tiny", "4"), ("small", "64"), ("full", "32")]
    assert table.count("by its number of voxels") == 1
    assert tier_table(stated("low-dose") | {"task": "organelle-segmentation"}) != table
    assert "not measured yet" not in table


def test_slices_hold_what_the_tasks_ask_for() -> None:
    targets = {task: card_source(task).slices for task in OWNERS}
    assert targets["limited-angle-segmentation"] == ("labels", "lac")
    assert targets["organelle-segmentation"] == ("labels",)
    assert targets["low-dose"] == ("lac",)
    assert targets["projection-alignment"] == ()


def test_a_citation_that_is_not_in_the_file_is_named() -> None:
    with pytest.raises(InputError, match=r"no reference with the DOI 10\.1/none"):
        citation(("10.1/none",))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # rdflib's, in reading
def test_croissant_is_valid_and_its_records_are_those_of_the_manifest(mini: Task, tmp_path: Path) -> None:
    mlc = pytest.importorskip("mlcroissant")
    assert mini.data is not None
    folder = tmp_path / "data"
    shutil.copytree(mini.data, folder)
    package(folder)
    written = json.loads((folder / "croissant.json").read_text())
    assert written["conformsTo"] == ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
    assert written["prov:wasGeneratedBy"]["prov:wasAssociatedWith"]["name"].startswith("sxtbench ")
    assert written["rai:hasSyntheticData"] is True
    assert {"rai:dataLimitations", "rai:dataBiases", "rai:personalSensitiveInformation"} <= written.keys()
    dataset = mlc.Dataset(str(folder / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    assert not dataset.metadata.ctx.issues.warnings
    records = {record["samples/id"].decode(): record for record in dataset.records("samples")}
    assert len(records) == 25
    assert records["test-00001"]["samples/input_path"] == b"inputs/test/test-00001.zarr.zip"
    assert sum(1 for _ in dataset.records("slices")) == 3 * 32
    written["recordSet"][0]["field"][0].pop("dataType")
    (folder / "croissant.json").write_text(json.dumps(written))
    with pytest.raises(mlc.ValidationError):
        mlc.Dataset(str(folder / "croissant.json"))
