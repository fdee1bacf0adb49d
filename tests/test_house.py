"""The house: light imports, one direction of dependencies, a wheel that holds everything."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("pandas", "numba", "scipy", "zarr", "matplotlib", "torch", "sklearn", "skimage", "pyarrow")


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*[m for m in {HEAVY!r} if m in sys.modules])"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import sxtbench") == set()
    assert loaded_by("import sxtbench.geometry, sxtbench.randomness") == set()


def test_help_loads_nothing_heavy() -> None:
    code = "import sxtbench.cli, sys\ntry: sxtbench.cli.main(['run', '--help'])\nexcept SystemExit: pass"
    assert loaded_by(code) & set(HEAVY) == set()


def test_every_public_name_resolves() -> None:
    import sxtbench

    assert all(getattr(sxtbench, name) is not None for name in sxtbench.__all__)


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    tool = Path(sys.executable).with_name("lint-imports")
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [tool, "--no-cache"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_dependencies_point_one_way_and_a_violation_is_seen(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "sxtbench", tmp_path / "sxtbench", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    clean = lint_imports(tmp_path)
    assert clean.returncode == 0, clean.stdout + clean.stderr
    planted = tmp_path / "sxtbench" / "metrics" / "overlap.py"
    planted.write_text(planted.read_text() + "\nimport sxtbench.benchmark.task  # noqa\n")
    broken = lint_imports(tmp_path)
    assert broken.returncode != 0
    assert "sxtbench.metrics" in broken.stdout
    assert "sxtbench.benchmark" in broken.stdout


def tracked_content() -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", "tasks", "baselines", "leaderboard", "data_cards", "external"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(listed.stdout.split())


@pytest.mark.install
def test_the_wheel_holds_all_content_and_works_from_any_folder(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT],
        check=True, capture_output=True,
    )  # fmt: skip
    [wheel] = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    missing = {name for name in tracked_content() if f"sxtbench/_content/{name}" not in inside}
    assert tracked_content()
    assert not missing
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel], check=True, cwd=tmp_path
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {**os.environ, "SXTBENCH_HOME": str(tmp_path / "home")}
    environment.pop("PYTHONPATH", None)

    def sxtbench(*words: str) -> str:
        command = [tmp_path / "env" / "bin" / "sxtbench", *words]
        return subprocess.run(
            command, cwd=elsewhere, env=environment, check=True, capture_output=True, text=True
        ).stdout

    assert "limited-angle-segmentation@1" in sxtbench("tasks")
    assert "fbp-otsu" in sxtbench("baselines")
    sxtbench("board", "build", "--out", "board")
    assert (elsewhere / "board" / "index.html").is_file()
    made = sxtbench("generate", "limited-angle-segmentation", "--splits", "test", "--count", "1", "--out", "data")
    assert "fingerprint" in made
    assert "licence" in sxtbench("external", "list")
    notebook = [python, ROOT / "tests" / "notebook_runner.py", ROOT / "notebooks" / "quickstart.ipynb"]
    shown = subprocess.run(notebook, cwd=elsewhere, env=environment, check=True, capture_output=True, text=True).stdout
    assert "inconclusive" in shown
