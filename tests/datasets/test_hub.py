"""Publishing and downloading against the stand-in for the Hub, with everything that goes wrong on the way."""

import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("huggingface_hub")
from hub_stand_in import TOKEN, Fault, StandIn
from huggingface_hub import close_session, constants, file_download

from sxtbench.benchmark.evaluate import evaluate
from sxtbench.benchmark.method import load_method
from sxtbench.benchmark.task import Task
from sxtbench.cli import main
from sxtbench.datasets import hub
from sxtbench.datasets.build import VERSION, dataset_files, write_checksums
from sxtbench.datasets.download import download, prepare_download
from sxtbench.datasets.fetched import read_fetched
from sxtbench.datasets.publish import prepare_upload, upload
from sxtbench.datasets.verify import verify
from sxtbench.errors import CheckError, InputError

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # of huggingface_hub's own request

REPO = "lab/tiny"
TAG = f"v{VERSION}"
NAME = "limited-angle-segmentation-tiny+mini"
FILES = r"^GET /datasets/lab/tiny/resolve/.*/"


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses, which are taken down instead of slept."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses


@pytest.fixture(scope="session")
def packed(mini: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mini dataset with files where `package` puts slices and croissant.json."""
    assert mini.data is not None
    folder = Path(shutil.copytree(mini.data, tmp_path_factory.mktemp("packed") / "data"))
    (folder / "croissant.json").write_text("{}")
    (folder / "slices").mkdir()
    (folder / "slices" / "train-00000-of-00001.parquet").write_text("slices")
    write_checksums(folder)
    return folder


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slept: list[float]) -> Iterator[StandIn]:
    """An empty Hub, a token for it, and no other cache."""
    server = StandIn(tmp_path / "server").start()
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr(hub, "record_path", lambda: tmp_path / "published.yaml")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield server
    close_session()
    server.shutdown()
    server.server_close()


@pytest.fixture
def published(stand_in: StandIn, mini: Task, packed: Path) -> StandIn:
    """A Hub with the mini dataset, recorded."""
    entry = upload(prepare_upload(packed, mini.dataset_spec), REPO)
    hub.record(NAME, entry)
    stand_in.log.clear()
    return stand_in


@pytest.fixture
def fetch(mini: Task, tmp_path: Path) -> Callable[..., Path]:
    """Downloads to `tmp_path / "got"`."""

    def get(*splits: str, **options: Any) -> Path:
        folder: Path = options.pop("folder", tmp_path / "got")
        download(prepare_download(mini.dataset_spec, folder, splits, **options))
        return folder

    return get


def at(mini: Task, folder: Path) -> Task:
    return mini.at(folder)


def serve_folder(server: StandIn, folder: Path) -> None:
    """Put a folder into the repository as it is, unchecked."""
    repository = server.repositories[REPO]
    names = [*dataset_files(folder), "SHA256SUMS"]
    repository.commit({name: server.put((folder / name).read_bytes()) for name in names})


def test_round_trip(
    published: StandIn, mini: Task, packed: Path, fetch: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = published.repositories[REPO]
    sent = {*dataset_files(packed), "SHA256SUMS"}
    assert set(repository.commits[repository.tags[TAG]]) == {*sent, ".gitattributes"}
    folder = fetch()
    assert verify(folder) == []
    got = {*dataset_files(folder), "SHA256SUMS"}
    assert sent - got == {"slices/train-00000-of-00001.parquet"}
    assert len(sent) - len(got) == 1
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".")) == [".download.json"]
    assert published.seen(FILES) == len(got), "each file once"
    result = evaluate(load_method("trivial"), at(mini, folder))
    assert result.data_origin == "downloaded"
    mine = evaluate(load_method("trivial"), mini)
    assert mine.data_origin == "regenerated"
    assert result.fingerprint == mine.fingerprint
    assert result.rows == mine.rows
    published.log.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    fetch("test")
    fetch()
    assert not published.log, "what is here and right costs no request"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert (fetch("train", slices=True) / "slices" / "train-00000-of-00001.parquet").read_text() == "slices"
    assert verify(folder) == []


def test_parts(
    published: StandIn,
    mini: Task,
    fetch: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = fetch(ids=["test-00001~photons=0.1"])
    stored = {"test-00001.zarr.zip", "test-00001.objects.parquet", "test-00001.png", "test.parquet"}
    of_splits = {path.name for path in folder.rglob("*") if path.is_file() and len(path.relative_to(folder).parts) > 1}
    assert of_splits == {*stored, "recipe.yaml", "environment.json"}
    assert verify(folder) == []
    task = at(mini, folder)
    data = task.dataset("test", targets=True)
    assert data.by_id("test-00001").tilt_series.counts.any()
    assert {sample.group for sample in data.here} == {"test-00001"}
    with pytest.raises(InputError, match=r"test-00000 was not downloaded \(of test, 1 specimens are here\)"):
        data[0]
    with pytest.raises(InputError, match="test-00000 was not downloaded"):
        evaluate(load_method("trivial"), task)
    with pytest.raises(InputError, match=r"the split 'train' was not downloaded; `sxtbench download .* --splits train"):
        task.dataset("train")
    with pytest.raises(InputError) as caught:
        task.dataset("test")[0]
    command = str(caught.value).split("`")[1].split()
    monkeypatch.setattr("sxtbench.benchmark.task.get_task", lambda *a, **k: mini)
    with pytest.raises(SystemExit) as ended:
        main(command[1:])
    assert ended.value.code == 0
    assert "4 files fetched, all checked" in capsys.readouterr().out
    task.dataset("test").require_whole()
    assert verify(folder) == []
    (folder / "inputs" / "test" / "test-00001.zarr.zip").unlink()
    assert verify(folder) == ["inputs/test/test-00001.zarr.zip: missing"]


@pytest.mark.parametrize("kind", ["drop", "reset", "short", "flip"])
def test_a_file_that_breaks_is_fetched_again(published: StandIn, fetch: Callable[..., Path], kind: str) -> None:
    published.faults.append(Fault(FILES + "inputs/test/test-00000", kind))
    assert verify(fetch("test")) == []
    assert published.seen(FILES + "inputs/test/test-00000") == 2


def test_a_limit_of_requests_is_waited_for(published: StandIn, fetch: Callable[..., Path], slept: list[float]) -> None:
    published.faults.append(Fault(FILES + "inputs/test/test-00000", "429", retry_after=77))
    published.faults.append(Fault("GET /api/datasets/lab/tiny/tree", "429", retry_after=55))
    assert verify(fetch("test")) == []
    assert {78.0, 56.0} <= set(slept), "huggingface_hub waits a second longer than it is asked to"


def test_a_wrong_file_is_refused_and_the_rest_is_safe(
    published: StandIn, fetch: Callable[..., Path], mini: Task
) -> None:
    published.faults.append(Fault(FILES + "inputs/test/test-00000", "flip", times=2))
    with pytest.raises(CheckError, match=r"inputs/test/test-00000\.zarr\.zip has come twice with another SHA-256"):
        fetch("test")
    before = published.seen(FILES)
    folder = fetch("test")
    assert published.seen(FILES) - before < before
    assert verify(folder) == []


def test_recorded_checksums_are_pinned(published: StandIn, fetch: Callable[..., Path], tmp_path: Path) -> None:
    entry = hub.published(NAME)
    assert entry is not None
    hub.record(NAME, entry.model_copy(update={"sums_sha256": "0" * 64}))
    with pytest.raises(CheckError, match="its SHA256SUMS is not the one that this version of sxtbench records"):
        fetch()
    assert not (tmp_path / "got").exists()


def test_arrays_of_an_unrecorded_commit_are_compared(
    published: StandIn, fetch: Callable[..., Path], mini: Task, packed: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(packed, tmp_path / "copy"))
    swapped = copy / "inputs" / "test"
    shutil.copyfile(swapped / "test-00001.zarr.zip", swapped / "test-00000.zarr.zip")
    write_checksums(copy)
    serve_folder(published, copy)
    with pytest.raises(CheckError, match="test-00000: its arrays have not the content_sha256"):
        fetch("test", revision="main")
    (copy / "SHA256SUMS").write_text(f"{'0' * 64}  ../../outside\n" + (copy / "SHA256SUMS").read_text())
    serve_folder(published, copy)
    with pytest.raises(InputError, match=r"names '\.\./\.\./outside', expected a path inside the dataset"):
        fetch("test", revision="main", folder=tmp_path / "other")


def test_unreachable(
    published: StandIn, fetch: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fetch("test", repo=REPO, revision="main")
    published.faults.append(Fault("/api/datasets", "503", times=99))
    assert fetch("test", repo=REPO, revision="main") == folder
    with pytest.raises(
        hub.Unreachable, match=r"\(status 503\); the cache was tried, and .*got lacks 9 of the 1. files"
    ):
        fetch("train", repo=REPO, revision="main")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(hub.Unreachable, match=r"HF_HUB_OFFLINE is set; the cache was tried, and .*new holds nothing"):
        fetch("test", repo=REPO, folder=tmp_path / "new")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/{revision}/{filename}")
    with pytest.raises(hub.Unreachable, match=r"http://127.0.0.1:9 cannot be reached"):
        fetch("test", repo=REPO, folder=tmp_path / "new")


def test_full_disk(
    published: StandIn, fetch: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real, left = file_download.http_get, [6]

    def fills(url: str, temp_file: Any, **options: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            temp_file.write(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(url, temp_file, **options)

    monkeypatch.setattr(file_download, "http_get", fills)
    with pytest.raises(InputError, match=r"got: the disk is full; 5 of 16 files are there, each whole"):
        fetch("test")
    monkeypatch.setattr(file_download, "http_get", real)
    assert not list((tmp_path / "got").rglob("*.incomplete"))
    before = published.seen(FILES)
    assert verify(fetch("test")) == []
    fetched = read_fetched(tmp_path / "got")
    assert fetched is not None
    assert published.seen(FILES) - before == len(fetched.files) - 5


def test_a_generated_dataset_is_left_alone(published: StandIn, fetch: Callable[..., Path], mini: Task) -> None:
    with pytest.raises(InputError, match="holds a dataset that was made here; choose another --out"):
        fetch(folder=mini.data)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"repo": "lab/nowhere"}, "lab/nowhere at http.*: no such dataset repository"),
        ({"revision": "v9"}, "lab/tiny at http.*: has no revision 'v9'"),
        ({"repo": "a/b/c"}, "--repo is 'a/b/c', expected ORG/NAME"),
        ({"ids": ["test-00077"]}, "lab/tiny: has no sample 'test-00077'; ids look like"),
    ],
)
def test_what_is_not_there(published: StandIn, fetch: Callable[..., Path], options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        fetch(**options)


def test_not_published_and_not_the_dataset(stand_in: StandIn, mini: Task, packed: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"is not published yet; `sxtbench generate limited-angle-segmentation --tier tiny`"
    ):
        prepare_download(mini.dataset_spec, tmp_path / "got")
    words = ["download", "limited-angle-segmentation", "--tier", "tiny", "--repo", "lab/tiny", "--out", "here"]
    upload(prepare_upload(packed, mini.dataset_spec), REPO)
    environment = {"HF_ENDPOINT": stand_in.url, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-m", "sxtbench", *words],
        env={**os.environ, **environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert f"holds another dataset (name is '{NAME}', expected 'limited-angle-segmentation-tiny')" in ended.stderr
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize(
    ("match", "kind"),
    [
        ("^PUT", "drop"),
        ("^PUT", "503"),
        ("^POST .*objects/batch", "429"),
        ("^POST .*/commit/", "500"),
        ("^POST .*/commit/", "late"),
        ("^POST .*/tag/", "502"),
    ],
)
def test_publishing_survives(stand_in: StandIn, mini: Task, packed: Path, match: str, kind: str) -> None:
    stand_in.faults.append(Fault(match, kind))
    entry = upload(prepare_upload(packed, mini.dataset_spec), REPO)
    repository = stand_in.repositories[REPO]
    assert stand_in.faults[0].times == 0
    assert list(repository.commits)[1:] == [entry.commit], "one commit, whatever happens"
    assert repository.tags == {TAG: entry.commit}


def test_publishing_resumes(stand_in: StandIn, mini: Task, packed: Path) -> None:
    plan = prepare_upload(packed, mini.dataset_spec)
    stand_in.faults.append(Fault("^POST .*/commit/", "500", times=4))
    with pytest.raises(hub.Unreachable, match="status 500"):
        upload(plan, REPO)
    assert len(stand_in.repositories[REPO].commits) == 1, "nothing is visible"
    sent = stand_in.seen("^PUT")
    entry = upload(plan, REPO)
    assert stand_in.seen("^PUT") == sent > 0
    assert upload(plan, REPO) == entry
    assert len(stand_in.repositories[REPO].commits) == 2


def test_versions(published: StandIn, mini: Task, packed: Path, fetch: Callable[..., Path], tmp_path: Path) -> None:
    folder = fetch("validation", revision=TAG)
    copy = Path(shutil.copytree(packed, tmp_path / "copy"))
    (copy / "CHANGELOG.md").unlink()
    write_checksums(copy)
    with pytest.raises(InputError, match=f"{TAG} is there with other bytes, and versions do not change"):
        upload(prepare_upload(copy, mini.dataset_spec), REPO)
    statement = copy / "dataset.json"
    statement.write_text(statement.read_text().replace(f'"{VERSION}"', f'"{VERSION}.1"'))
    write_checksums(copy)
    entry = upload(prepare_upload(copy, mini.dataset_spec), REPO)
    repository = published.repositories[REPO]
    assert "CHANGELOG.md" not in repository.commits[entry.commit]
    assert repository.tags[TAG] != repository.tags[f"{TAG}.1"] == entry.commit
    hub.record(NAME, entry)
    with pytest.raises(InputError, match=r"holds commit .* asked for is .*; choose another --out, or delete"):
        fetch("validation")
    shutil.rmtree(folder)
    assert f"{VERSION}.1" in (fetch("validation") / "dataset.json").read_text()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "other-tiny"}, "name is 'other-tiny', the benchmark's own has"),
        ({"recipe_sha256": "0" * 64}, "recipe_sha256 is '0000.*--unofficial publishes it all the same"),
        ({"splits": {"test": {}}}, "has 0 specimens of train, the benchmark's own has 2"),
        ({"splits": {"private": {"specimens": 1}}}, r"holds a private split \(dataset.json\), which is not published"),
    ],
)
def test_what_is_not_published(mini: Task, packed: Path, tmp_path: Path, change: dict[str, Any], said: str) -> None:
    import json

    copy = Path(shutil.copytree(packed, tmp_path / "copy"))
    content = json.loads((copy / "dataset.json").read_text())
    (copy / "dataset.json").write_text(json.dumps({**content, **change}))
    write_checksums(copy)
    with pytest.raises(InputError, match=said):
        prepare_upload(copy, mini.dataset_spec)
    (copy / "README.md").write_text("changed")
    if "private" not in said:
        with pytest.raises(CheckError, match=r"is not published: README.md: changed"):
            prepare_upload(copy, None)
    (copy / "SHA256SUMS").unlink()
    with pytest.raises(InputError, match="is not finished"):
        prepare_upload(copy, mini.dataset_spec)


def test_whose_repository(stand_in: StandIn, mini: Task, packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = prepare_upload(packed, mini.dataset_spec)
    with pytest.raises(InputError, match=r"not-mine/tiny at .*: the token may not do that \(status 403\)"):
        upload(plan, "not-mine/tiny")
    entry = upload(plan, REPO)
    repository = stand_in.repositories[REPO]
    repository.tags.clear()
    files = repository.commits[entry.commit]
    repository.commit({**files, "dataset.json": stand_in.put(b'{"name": "low-dose-tiny", "version": "1.0.0"}')})
    with pytest.raises(InputError, match=r"lab/tiny: holds another dataset \(low-dose-tiny\), expected limited"):
        upload(plan, REPO)
    repository.commit({"weights.bin": files["dataset.json"]})
    with pytest.raises(InputError, match=r"lab/tiny: holds other things \(weights\.bin\) and no sxtbench dataset"):
        upload(plan, REPO)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(InputError, match="no token: set HF_TOKEN"):
        upload(plan, REPO)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(InputError, match=r"the token may not do that|no such dataset repository"):
        upload(plan, "lab/new")


def test_publish_as_typed(
    stand_in: StandIn,
    mini: Task,
    packed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sxtbench.benchmark.task.get_task", lambda *a, **k: mini)
    words = ["publish", str(packed), "--repo", REPO]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--dry-run"])
    assert ended.value.code == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in listed[:-1]] == [*dataset_files(packed), "SHA256SUMS"]
    assert int(listed[-1].split()[0]) == sum(int(line.split()[0]) for line in listed[:-1])
    assert not stand_in.log
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
    entry = hub.published(NAME)
    assert entry is not None
    assert entry.commit == stand_in.repositories[REPO].tags[TAG]
    assert "recorded in" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["download", "limited-angle-segmentation", "--splits", "test", "--ids", "test-00000"])
    assert ended.value.code == 2
    assert "--splits and --ids exclude each other" in capsys.readouterr().err
