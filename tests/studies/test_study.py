import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sxtbench.cli import main
from sxtbench.errors import InputError
from sxtbench.studies import STUDIES, load_study
from sxtbench.studies import study as frame
from sxtbench.studies.figures import new_figure, save_png
from sxtbench.studies.published import DISAGREEMENTS
from sxtbench.studies.study import Check, Findings, fluence_text, markdown_table, run_study


def toy(passed=True, failing=False):
    def run(size, *, source, seed, report):
        report("working")
        if failing:
            raise RuntimeError("half way")
        figure = new_figure(2, 2)
        figure.subplots().plot([0, 1], [0, size["n"]])
        return Findings(
            text="What came out.",
            tables={"numbers": pd.DataFrame({"n": [size["n"]], "dB": [1.23456789]})},
            figures={"curve": figure},
            checks=(Check("a number", np.float64(size["n"]), "above 1", passed, "trend", "2"),),
            fluence=fluence_text(600, 20.0),
        )

    sizes = {"fast": {"n": 2}, "default": {"n": 3}, "paper": {"n": 4}}
    return SimpleNamespace(SIZES=sizes, DISAGREEMENTS=(7,), run=run)


@pytest.fixture
def use(monkeypatch):
    def install(module):
        monkeypatch.setattr(frame, "load_study", lambda name: module)

    return install


def test_every_study_that_is_listed_can_be_loaded_and_has_what_a_study_needs():
    for name in STUDIES:
        module = load_study(name)
        assert set(module.SIZES) == {"fast", "default", "paper"}, name
        assert set(module.DISAGREEMENTS) <= set(DISAGREEMENTS), name


def test_an_unknown_study_is_named():
    with pytest.raises(InputError, match=r"no study 'figure-2'.*interior-nullspace"):
        load_study("figure-2")


def test_page_tables_figures_and_record_are_written(use, tmp_path):
    use(toy())
    heard = []
    run_study("dose-map", tmp_path, size="fast", seed=5, report=heard.append, machine="two cores")
    assert heard == ["working"]
    assert (tmp_path / "numbers.csv").read_text() == "n,dB\n2,1.23457\n"
    assert (tmp_path / "curve.png").read_bytes()[:4] == b"\x89PNG"
    page = (tmp_path / "report.md").read_text()
    for words in ("figure 4", "What came out.", "1.0 times the 600", "| pass | trend | a number | 2 | above 1 | 2 |"):
        assert words.lower() in page.lower()
    assert DISAGREEMENTS[7] in page
    record = json.loads((tmp_path / "study.json").read_text())
    assert record["settings"] == {"n": 2}
    assert record["seed"] == 5
    assert record["machine"] == "two cores"
    assert record["checks"][0]["passed"] is True


def test_a_run_that_fails_half_way_leaves_the_finished_folder_as_it_was(use, tmp_path):
    use(toy())
    run_study("dose-map", tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    use(toy(failing=True))
    with pytest.raises(RuntimeError):
        run_study("dose-map", tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_another_studys_folder_is_refused(use, tmp_path):
    use(toy())
    run_study("dose-map", tmp_path)
    with pytest.raises(InputError, match="holds the findings of dose-map: choose another folder"):
        run_study("interior-psf", tmp_path)


@pytest.mark.parametrize(("options", "words"), [({"size": "huge"}, "size is 'huge'"), ({"seed": -1}, "seed is -1")])
def test_bad_options_are_one_line(use, tmp_path, options, words):
    use(toy())
    with pytest.raises(InputError, match=words):
        run_study("dose-map", tmp_path, **options)


def test_fluence_counts_photons_per_area_and_images():
    assert "1.0 times the 600" in fluence_text(2400, 40.0)
    assert "2 times the experiment's" in fluence_text(600, 20.0, 184)


def test_missing_numbers_are_dashes():
    table = pd.DataFrame({"a": [1.0, np.nan], "b": ["x", None]})
    assert markdown_table(table).splitlines()[2:] == ["| 1 | x |", "| – | – |"]


def verb(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(list(words))
    return end.value.code, capsys.readouterr()


def test_the_verb_lists_studies(capsys):
    status, said = verb(capsys, "study")
    assert status == 0
    assert [line.split()[0] for line in said.out.splitlines()] == list(STUDIES)
    assert all(name in verb(capsys, "study", "--help")[1].out for name in STUDIES)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nonsense", "--out", "x"], "no study 'nonsense'"),
        (["dose-map"], "--out is missing"),
        (["dose-map", "--out", "x", "--fast", "--paper"], "exclude each other"),
        (["dose-map", "--out", "x", "--specimen", "nowhere"], "nowhere holds no em/fibsem-uint16"),
    ],
)
def test_bad_usage_is_one_line(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, said = verb(capsys, "study", *words)
    assert status == 2
    assert message in said.err
    assert len(said.err.strip().splitlines()) == 1


@pytest.mark.parametrize(("passed", "status"), [(True, 0), (False, 1)])
def test_the_verb_ends_with_1_where_a_check_fails(use, tmp_path, passed, status, capsys):
    use(toy(passed=passed))
    ended, said = verb(capsys, "study", "dose-map", "--out", str(tmp_path))
    assert ended == status
    assert ("pass" if passed else "FAIL") in said.out


def test_figures_are_small_and_light_ones_keep_their_colours(tmp_path):
    rng = np.random.default_rng(0)
    for name, image, mode in (("light", np.zeros((40, 40)), "RGB"), ("heavy", rng.random((400, 400)), "P")):
        figure = new_figure(6, 6)
        axes = figure.subplots()
        axes.imshow(image, cmap="viridis")
        axes.plot([0, 30], [0, 30], color="#ff0000", linewidth=4)
        save_png(figure, tmp_path / f"{name}.png")
        picture = Image.open(tmp_path / f"{name}.png")
        assert picture.mode == mode
        reds = np.abs(np.asarray(picture.convert("RGB")).astype(int) - [255, 0, 0]).sum(axis=2) < 40
        assert reds.sum() > 100, "a rare colour stays"
