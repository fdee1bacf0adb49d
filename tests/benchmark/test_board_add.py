import json
import shutil

import pytest
from fake_results import TASK, fake_result, write_results

from sxtbench.benchmark.board_add import add_result
from sxtbench.benchmark.board_check import check_results
from sxtbench.benchmark.task import get_task
from sxtbench.errors import InputError


@pytest.fixture
def made(tmp_path):
    """What `sxtbench run` leaves: results and previews, side by side."""
    write_results(tmp_path / "run", groups=1)
    folder = tmp_path / "run" / "results" / TASK / "tiny"
    for path in folder.glob("*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"task_hash": get_task(TASK).hash}))
    return folder


def test_a_result_lands_in_its_place_with_its_pictures(made, tmp_path):
    results = tmp_path / "leaderboard" / "results"
    path = add_result(made / "fbp-otsu.json", results)
    assert path == results / TASK / "tiny" / "fbp-otsu.json"
    assert path.read_bytes() == (made / "fbp-otsu.json").read_bytes()
    pictures = tmp_path / "leaderboard" / "previews" / TASK / "tiny"
    assert sorted(p.name for p in pictures.iterdir()) == ["fbp-otsu.png", "input.png", "truth.png"]
    assert check_results(results) == []
    with pytest.raises(InputError, match="already; say --replace"):
        add_result(made / "fbp-otsu.json", results)
    add_result(made / "fbp-otsu.json", results, replace=True)


def test_a_file_with_another_name_is_called_like_its_method(made, tmp_path):
    shutil.copy(made / "watershed.json", made / "My Result.json")
    assert add_result(made / "My Result.json", tmp_path / "results").name == "watershed.json"


def test_what_the_board_would_refuse_is_refused_and_nothing_is_left(made, tmp_path):
    results = tmp_path / "leaderboard" / "results"
    strange = fake_result("strange", 0.3, groups=1).save(tmp_path / "strange.json")
    with pytest.raises(InputError, match="unknown task hash"):
        add_result(strange, results)
    path = made / "fbp-otsu.json"
    content = json.loads(path.read_text())
    content["aggregates"][0]["mean"] = 0.999
    (made / "claims.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"claims\.json: .* its rows give"):
        add_result(made / "claims.json", results)
    (tmp_path / "run" / "previews" / TASK / "tiny" / "truth.png").unlink()
    with pytest.raises(InputError, match=r"names the picture truth\.png, which is not beside it"):
        add_result(path, results)
    assert not (tmp_path / "leaderboard").exists()


def test_a_picture_of_another_method_is_not_overwritten(made, tmp_path):
    results = tmp_path / "leaderboard" / "results"
    add_result(made / "fbp-otsu.json", results)
    (tmp_path / "leaderboard" / "previews" / TASK / "tiny" / "truth.png").write_bytes(b"another")
    with pytest.raises(InputError, match="another picture of that name"):
        add_result(made / "watershed.json", results)
