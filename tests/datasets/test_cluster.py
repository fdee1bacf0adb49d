"""A Dask cluster of real processes: the same bytes, a lost worker, failures, and all that is refused in one line."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("distributed")
import cluster_jobs
from mini_tasks import mini_task

import sxtbench
from sxtbench import cluster
from sxtbench.benchmark.evaluate import SIDE_BY_SIDE, predict, score
from sxtbench.benchmark.method import load_method
from sxtbench.benchmark.spread import Spread, spread_answers
from sxtbench.benchmark.task import Task
from sxtbench.cli import main
from sxtbench.cores import available_cores
from sxtbench.datasets.build import build, dataset_files, read_statement
from sxtbench.datasets.remote import staged
from sxtbench.datasets.verify import verify
from sxtbench.engines import run_jobs
from sxtbench.errors import InputError
from sxtbench.hashing import sha256_file

ROOT = Path(__file__).parents[2]


def bytes_of(folder: Path) -> dict[str, str]:
    return {name: sha256_file(folder / name) for name in [*dataset_files(folder), "SHA256SUMS"]}


class Processes:
    """A scheduler with workers, each a process."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.started = folder, []
        note = folder / "scheduler.json"
        self.start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(note))
        self.address = str(json.loads(self.wait_for(note))["address"])

    def start(self, *words: str, path: Path = ROOT) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "PYTHONPATH": f"{path}:{ROOT / 'tests'}",
            "OMP_NUM_THREADS": "1",
            "DASK_DISTRIBUTED__DASHBOARD__ENABLED": "False",
        }
        with (self.folder / f"{len(self.started)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *words], cwd=self.folder, env=environment, stdout=log, stderr=log
            )
        self.started.append(process)
        return process

    def worker(self, *words: str, path: Path = ROOT) -> subprocess.Popen[bytes]:
        common = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1")
        return self.start("worker", self.address, *common, *words, path=path)

    def workers(self, count: int) -> None:
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=240)

    @staticmethod
    def wait_for(path: Path) -> str:
        for _ in range(2400):
            if path.is_file() and (text := path.read_text()):
                return text
            time.sleep(0.1)
        raise AssertionError(f"{path} never came")

    def stop(self) -> None:
        for process in reversed(self.started):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """A scheduler with two workers."""
    found = Processes(tmp_path_factory.mktemp("dask"))
    try:
        for _ in range(2):
            found.worker("--preload", "cluster_jobs")
        found.workers(2)
        yield found
    finally:
        found.stop()


def test_a_cluster_makes_the_same_bytes(mini: Task, pair: Processes, tmp_path: Path) -> None:
    folder, done = tmp_path / "data", []
    build(mini.dataset_spec, folder, scheduler=pair.address, progress=done.append)
    assert mini.data is not None
    assert bytes_of(folder) == bytes_of(mini.data)
    assert sorted(done) == ["test-00000", "test-00001", "train-00000", "train-00001", "validation-00000"]
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == [".build"]


def test_a_sample_that_fails_is_tried_again(pair: Processes, tmp_path: Path) -> None:
    jobs = {"steady": (tmp_path / "steady", 0), "shaky": (tmp_path / "shaky", cluster.RETRIES)}
    answers = dict(run_jobs(jobs, cluster_jobs.fails, scheduler=pair.address, folder=tmp_path))
    assert answers == {"steady": "after 0", "shaky": f"after {cluster.RETRIES}"}


def test_a_sample_that_always_fails_ends_the_run_with_its_name(pair: Processes, tmp_path: Path) -> None:
    jobs = {"broken": (tmp_path / "broken", 99)}
    with pytest.raises(InputError, match=r"broken: failed 3 times .* Input/output error \(on tcp://.*continues"):
        list(run_jobs(jobs, cluster_jobs.fails, scheduler=pair.address, folder=tmp_path))
    assert len(list(tmp_path.glob("broken.*"))) == 1 + cluster.RETRIES


def test_bad_input_is_not_tried_again(pair: Processes, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^test-00003: cells cannot be packed \(on tcp://"):
        list(run_jobs({"test-00003": tmp_path / "tries"}, cluster_jobs.refuses, scheduler=pair.address))
    assert (tmp_path / "tries").read_text() == "x"


def test_workers_take_as_many_threads_as_they_were_started_with(pair: Processes) -> None:
    [(_, found)] = run_jobs({"one": None}, cluster_jobs.threads, scheduler=pair.address)
    assert set(found) == {1}


def test_local_processes_share_the_cores() -> None:
    jobs = dict.fromkeys(("a", "b", "c"))
    found = dict(run_jobs(jobs, cluster_jobs.threads, workers=2))
    share = max(1, available_cores() // 2)
    assert set(found) == set(jobs)
    assert all(max(threads) <= share for threads in found.values())


def test_a_dataset_at_a_url_is_that_of_a_folder(mini: Task, pair: Processes, tmp_path: Path) -> None:
    place, spec = tmp_path / "there", mini.dataset_spec
    (tmp_path / "fail-once").touch()  # the first target that a worker puts
    with staged(f"shelf://{place}") as stage:
        build(spec, stage.folder, splits=["test"], scheduler=pair.address, stage=stage)
    assert not (tmp_path / "fail-once").exists()
    assert verify(place) == []
    with staged(f"shelf://{place}") as stage:  # the other splits, from what stands there and without a cluster
        build(spec, stage.folder, stage=stage)
    assert mini.data is not None
    assert bytes_of(place) == bytes_of(mini.data)
    before = (place / "SHA256SUMS").stat().st_ino
    other = replace(spec, recipe=spec.recipe.model_copy(update={"seed": 99}))
    with pytest.raises(InputError, match=f"^shelf://{place}: holds another dataset"), staged(f"shelf://{place}") as s:
        build(other, s.folder, stage=s)
    assert (place / "SHA256SUMS").stat().st_ino == before


def test_an_interrupted_build_at_a_url_continues(mini: Task, tmp_path: Path) -> None:
    place, made = tmp_path / "there", []

    def stop(group: str) -> None:
        made.append(group)
        if len(made) == 2:
            raise KeyboardInterrupt

    for progress, missing in ((stop, 3), (made.append, 0)):
        try:
            with staged(f"shelf://{place}") as stage:
                build(mini.dataset_spec, stage.folder, stage=stage, progress=progress)
        except KeyboardInterrupt:
            assert len(list((place / ".build").iterdir())) == 5 - missing
            assert not (place / "SHA256SUMS").exists()
    assert len(made) == 5
    assert mini.data is not None
    assert bytes_of(place) == bytes_of(mini.data)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nope://x/y", "Protocol not known: nope"),
        ("shelf://{}/denied", "cannot write there (Permission denied)"),
        ("shelf://{}/full", "is not empty and holds no sxtbench dataset"),
    ],
)
def test_a_url_that_will_not_do(url: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("denied/deny", "full/thesis.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    (tmp_path / "denied" / "deny").rename(tmp_path / "deny" if "denied" in url else tmp_path / "allow")
    with pytest.raises(SystemExit) as caught:
        main(["generate", "limited-angle-segmentation", "--out", url.format(tmp_path)])
    assert caught.value.code == 2
    assert said in capsys.readouterr().err
    assert (tmp_path / "full" / "thesis.txt").is_file()


def test_nothing_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cluster, "_CONNECT_S", 1.0)
    words = ["generate", "limited-angle-segmentation", "--out", str(tmp_path / "data"), "--scheduler"]
    for address, said in (
        ("tcp://127.0.0.1:9", "no Dask scheduler (nothing answers within 1 s); `dask scheduler` starts one"),
        ("somewhere", "'somewhere' is no address of a Dask scheduler; expected one like tcp://HOST:8786"),
    ):
        with pytest.raises(SystemExit) as caught:
            main([*words, address])
        assert caught.value.code == 2
        [line] = capsys.readouterr().err.strip().splitlines()
        assert line.startswith("sxtbench: ")
        assert said in line
        assert not (tmp_path / "data").exists()


def test_workers_that_are_not_there_or_other_than_this(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_WORKER_S", 0.5)
    alone = Processes(tmp_path)
    try:
        with pytest.raises(InputError, match=rf"no workers; `dask worker {alone.address} --nworkers auto`"):
            list(run_jobs({"one": None}, cluster_jobs.threads, scheduler=alone.address))
        for name, text in (("old", "__version__ = '0.0.1'"), ("none", "raise ImportError")):
            (tmp_path / name / "sxtbench").mkdir(parents=True)
            (tmp_path / name / "sxtbench" / "__init__.py").write_text(text)
            alone.worker(path=tmp_path / name)
        alone.workers(2)
        with pytest.raises(InputError, match=rf"this is sxtbench {sxtbench.__version__}, but worker ") as caught:
            list(run_jobs({"one": None}, cluster_jobs.threads, scheduler=alone.address))
        assert "has 0.0.1" in str(caught.value)
        assert "has none" in str(caught.value)
    finally:
        alone.stop()


def test_a_worker_says_what_is_wrong_with_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cluster._write_beside(tmp_path / "none" / "token") == "has no such folder"
    assert cluster._write_beside(tmp_path / "token") == "has another folder of that name"
    (tmp_path / "token").touch()
    assert cluster._write_beside(tmp_path / "token") is None
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["token"]

    def denied(self: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", denied)
    assert cluster._write_beside(tmp_path / "token") == "cannot write there (Permission denied)"


def test_a_folder_that_a_worker_does_not_see_is_refused(
    pair: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that the client makes stays away, as in a folder that is only called the same."""
    monkeypatch.setattr(Path, "touch", lambda self: None)
    with pytest.raises(InputError, match=rf"^{tmp_path}: worker tcp://.* has another folder of that name; choose an"):
        list(run_jobs({"one": (tmp_path / "one", 0)}, cluster_jobs.fails, scheduler=pair.address, folder=tmp_path))


def test_answers_and_scores_of_a_cluster_are_those_of_one_process(
    mini: Task, pair: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "tests" / "threshold_method.py", tmp_path / "mine.py")
    monkeypatch.chdir(tmp_path)
    method, here, there = load_method("mine.py:Threshold"), Path("here"), Path("there")
    predict(method, mini, here)
    predict(method, mini, there, spread=Spread(method="mine.py:Threshold", scheduler=pair.address))
    assert {p.name: sha256_file(p) for p in here.glob("*.npy")} == {p.name: sha256_file(p) for p in there.glob("*.npy")}
    one, other = score(mini, here), score(mini, there, scheduler=pair.address)
    assert [row.model_dump_json() for row in one.rows] == [row.model_dump_json() for row in other.rows]
    assert one.aggregates == other.aggregates
    assert other.flags == (*one.flags, SIDE_BY_SIDE)
    assert (other.resources.wall_time_s.predict, other.resources.peak_memory_mb) == (None, None)


def test_a_worker_with_another_file_of_the_method_refuses(mini: Task, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    shutil.copy(ROOT / "tests" / "threshold_method.py", path)
    spec = f"{path}:Threshold"
    method = load_method(spec)
    path.write_text(path.read_text().replace("0.2", "0.3"))
    wanted = {"test-00000": ("test", "test-00000")}
    with pytest.raises(InputError, match="another version of its file, settings or weights"):
        list(spread_answers(Spread(method=spec), method, mini, tmp_path, wanted))
    assert not list(tmp_path.glob("*.npy"))


def test_a_method_that_has_to_be_fitted_stays_here(mini_volume: Task, tmp_path: Path) -> None:
    method = load_method("fbp-affine")
    with pytest.raises(InputError, match="fbp-affine: has to be fitted, and what it learns does not travel"):
        predict(method, mini_volume, tmp_path / "out", spread=Spread(method="fbp-affine", workers=2))


def test_a_killed_worker_loses_nothing(mini: Task, pair: Processes, tmp_path: Path) -> None:
    """The last of this file: one worker fewer."""
    folder, victim = tmp_path / "data", pair.started[1]

    def kill(group: str) -> None:
        if victim.poll() is None:
            victim.send_signal(signal.SIGKILL)
            victim.wait()

    build(mini.dataset_spec, folder, scheduler=pair.address, progress=kill)
    assert victim.returncode == -signal.SIGKILL
    assert mini.data is not None
    assert bytes_of(folder) == bytes_of(mini.data)
    assert read_statement(folder) == read_statement(mini.data)


@pytest.mark.slow
def test_workers_killed_again_and_again_lose_nothing(tmp_path: Path) -> None:
    """After every third specimen a worker is killed, whatever it does at that moment, and another started."""
    spec = replace(mini_task().dataset_spec, sizes={"test": 18}, suffix="+many")
    found = Processes(tmp_path)
    try:
        living = [found.worker() for _ in range(2)]
        found.workers(2)
        done, killed = [], []

        def kill(group: str) -> None:
            done.append(group)
            if len(done) % 3 == 0:
                living[0].kill()
                killed.append(living.pop(0))
                living.append(found.worker())

        build(spec, tmp_path / "killed", scheduler=found.address, progress=kill)
    finally:
        found.stop()
    build(spec, tmp_path / "alone")
    assert len(killed) == 6
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "alone")
