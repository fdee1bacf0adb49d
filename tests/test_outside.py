"""What is around the package: the notebook and the workflows."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from notebook_runner import code_cells

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "notebooks" / "quickstart.ipynb"


def test_the_notebook_is_one_and_keeps_no_output() -> None:
    content = json.loads(NOTEBOOK.read_text())
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in content["cells"]}) == len(content["cells"])
    for cell in content["cells"]:
        assert cell["cell_type"] in ("markdown", "code")
        assert not cell.get("outputs")
    for number, source in enumerate(code_cells(NOTEBOOK)):
        compile(source, f"cell {number}", "exec")


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path) -> None:
    environment = {**os.environ, "SXTBENCH_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    runner = [sys.executable, ROOT / "tests" / "notebook_runner.py", NOTEBOOK]
    found = subprocess.run(runner, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "inconclusive" in found.stdout
    assert "fbp-otsu" in found.stdout


@pytest.mark.parametrize("name", ["ci", "result"])
def test_a_workflow_runs_only_what_is_there(name: str) -> None:
    text = (ROOT / ".github" / "workflows" / f"{name}.yml").read_text()
    content = yaml.safe_load(text)
    assert content["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in text
    assert "secrets." not in text
    steps = [step for job in content["jobs"].values() for step in job["steps"]]
    for step in steps:
        assert "${{" not in step.get("run", "")  # words of a stranger never reach the shell
        for path in re.findall(r"(?:tests|\.ci|leaderboard)/[\w./-]*\w", step.get("run", "")):
            if "|" not in step["run"]:
                assert (ROOT / path).exists(), path
    assert any(".ci/run" in step.get("run", "") or "test_committed_results" in step.get("run", "") for step in steps)


def test_the_check_of_results_that_the_workflow_names_is_there() -> None:
    text = (ROOT / ".github" / "workflows" / "result.yml").read_text()
    [chosen] = re.findall(r"-k (\w+)", text)
    assert f"def test_a_{chosen}" in (ROOT / "tests" / "test_committed_results.py").read_text()
