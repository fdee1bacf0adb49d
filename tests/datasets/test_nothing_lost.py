"""Nothing lost: builds that are killed, full disks, two writers, dead workers."""

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import reduce
from multiprocessing import active_children
from operator import getitem
from pathlib import Path

import numpy as np
import pytest
from interrupted import build_and_wait, build_watched, heard, little_spec, process

from sxtbench.benchmark.evaluate import predict
from sxtbench.benchmark.package import package
from sxtbench.benchmark.task import Task
from sxtbench.cli import main
from sxtbench.datasets import build as building
from sxtbench.datasets.build import build, dataset_files
from sxtbench.datasets.verify import verify
from sxtbench.errors import InputError
from sxtbench.files import atomic_folder, atomic_path, is_stray, remove_strays, write_text
from sxtbench.hashing import sha256_file
from sxtbench.writer import one_writer

PATIENCE = 120.0
SPEC = little_spec()
GROWING = ("dataset.json", "README.md", "SHA256SUMS")  # other while a build goes on


@pytest.fixture(scope="module")
def little(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the little dataset, built without a disturbance."""
    folder = tmp_path_factory.mktemp("little") / "data"
    build(little_spec(), folder)
    return folder


def bytes_of(folder: Path) -> dict[str, str]:
    return {name: sha256_file(folder / name) for name in dataset_files(folder)}


def assert_whole(folder: Path, wanted: dict[str, str]) -> None:
    """Assert that what has its name has its bytes too, and that no row is there without its files."""
    for name in dataset_files(folder):
        if name not in GROWING:
            assert sha256_file(folder / name) == wanted[name], name
    for row in (folder / ".build").glob("*.json") if (folder / ".build").is_dir() else ():
        stored = json.loads(row.read_text())
        for part in ("input", "target", "objects"):
            assert sha256_file(folder / stored[f"{part}_path"]) == stored[f"{part}_sha256"]


def assert_finished(folder: Path, wanted: dict[str, str]) -> None:
    assert bytes_of(folder) == wanted
    assert not [path for path in folder.rglob("*") if is_stray(path)]
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".")) == [".build"]


def killed_until_done(
    folder: Path, wanted: dict[str, str], kills: int, rng: np.random.Generator, *, workers: int = 1
) -> dict[str, int]:
    """Build again and again, each process killed at random, until there were so many kills; return how they fell."""
    with process(build_watched, folder, None, workers) as (child, line):
        assert heard(line, PATIENCE) == "begun"
        start, events = time.monotonic(), 0
        while (said := heard(line, PATIENCE)) is not None:
            events = said if isinstance(said, int) else events
        whole_s = time.monotonic() - start
        child.join()
    assert_finished(folder, wanted)
    assert events > 100
    fell = {"at an event": 0, "at a moment": 0, "builds finished": 1}
    shutil.rmtree(folder)
    while fell["at an event"] + fell["at a moment"] < kills:
        by_event = workers == 1 and rng.random() < 0.5
        event = int(rng.integers(1, events)) if by_event else None
        with process(build_watched, folder, event, workers) as (child, line):
            assert heard(line, PATIENCE) == "begun"
            if not by_event:
                child.join(float(rng.uniform(0.0, whole_s)))
                child.kill()
            child.join(PATIENCE)
            assert child.exitcode in (0, -signal.SIGKILL)
            if child.exitcode == 0:
                assert_finished(folder, wanted)
                shutil.rmtree(folder)
                fell["builds finished"] += 1
            else:
                if folder.is_dir():
                    assert_whole(folder, wanted)
                fell["at an event" if by_event else "at a moment"] += 1
    build(little_spec(), folder)
    assert_finished(folder, wanted)
    return fell


def test_a_build_killed_at_random_moments_ends_with_the_same_bytes(little: Path, tmp_path: Path) -> None:
    killed_until_done(tmp_path / "data", bytes_of(little), 3, np.random.default_rng(8))


@pytest.mark.slow
def test_a_build_killed_thirty_times(little: Path, tmp_path: Path) -> None:
    fell = killed_until_done(tmp_path / "data", bytes_of(little), 40, np.random.default_rng(30))
    print(fell)
    assert min(fell.values()) >= 2


@pytest.mark.slow
def test_a_build_with_worker_processes_killed(little: Path, tmp_path: Path) -> None:
    print(killed_until_done(tmp_path / "data", bytes_of(little), 6, np.random.default_rng(9), workers=2))


@pytest.mark.parametrize("event", range(1, 25))
@pytest.mark.slow
def test_a_build_killed_at_its_first_files_begins_again(little: Path, tmp_path: Path, event: int) -> None:
    with process(build_watched, tmp_path / "data", event, 1) as (child, line):
        heard(line, PATIENCE)
        child.join(PATIENCE)
        assert child.exitcode == -signal.SIGKILL
    building._require_room(SPEC, tmp_path / "data")


def test_what_the_first_file_leaves_when_killed_counts_as_empty(little: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in (".dataset.json.k1ll3d_x.part", ".writer.lock", ".writer.json"):
        (folder / name).write_text("{")
    spec = replace(SPEC, sizes={"test": 1})
    build(spec, folder)
    assert verify(folder) == []
    assert not [path for path in folder.rglob("*") if is_stray(path)]


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see processes")
def test_workers_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from multiprocessing import active_children\nfrom pathlib import Path\n"
        "from interrupted import little_spec\nfrom sxtbench.datasets.build import build\n"
        "def done(name): print(*[child.pid for child in active_children()], flush=True)\n"
        "if __name__ == '__main__': build(little_spec(), Path(sys.argv[2]), workers=2, progress=done)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    tests = str(Path(__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, script, tests, tmp_path / "data"], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        parent.kill()
    assert len(pids) == 2
    deadline = time.monotonic() + 30
    while not all(ended(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert all(ended(pid) for pid in pids)


def test_a_worker_that_is_killed_is_told_and_the_build_continues(little: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"

    def kill_one(specimen: str) -> None:
        worker = active_children()[0]
        worker.kill()
        worker.join()

    with pytest.raises(InputError, match=r"data: a worker process died .*; \d of 4 specimens are there, each whole"):
        build(SPEC, folder, workers=2, progress=kill_one)
    assert_whole(folder, bytes_of(little))
    build(SPEC, folder)
    assert_finished(folder, bytes_of(little))


def test_the_second_writer_is_told_who_is_the_first(
    little: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data"
    with process(build_and_wait, folder) as (child, line):
        assert heard(line, PATIENCE) == "test-00000"
        (folder / "inputs" / ".of-the-other.abcd1234.part").write_text("half")
        with pytest.raises(InputError, match=f"data: process {child.pid} on .* has been writing there since 20"):
            build(SPEC, folder)
        assert (folder / "inputs" / ".of-the-other.abcd1234.part").is_file()
        record = json.loads((folder / ".writer.json").read_text())
        assert record["pid"] == child.pid
        assert record["host"] == os.uname().nodename
        child.kill()
        child.join()
    assert (folder / ".writer.json").is_file()  # of the dead process
    build(SPEC, folder)
    assert_finished(folder, bytes_of(little))


def test_packaging_and_predicting_hold_the_folder_too(mini: Task, tmp_path: Path) -> None:
    assert mini.data is not None
    with one_writer(mini.data), pytest.raises(InputError, match=f"process {os.getpid()} on .*one writer"):
        package(mini.data)
    out = tmp_path / "answers"
    out.mkdir()
    with one_writer(out), pytest.raises(InputError, match=f"process {os.getpid()} on .*one writer"):
        predict(Blank(), mini, out)
    assert list(out.iterdir()) == []


class Blank:
    name = "blank"

    def predict(self, sample: object) -> np.ndarray:
        return np.zeros(sample.shape, np.uint8)  # type: ignore[attr-defined]


@pytest.fixture
def no_flock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without locks, as some mounts of NFS and Lustre are."""

    def refused(handle: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refused)


@pytest.mark.usefixtures("no_flock")
def test_without_locks_of_the_file_system_a_marker_names_the_writer(tmp_path: Path) -> None:
    with (
        one_writer(tmp_path),
        pytest.raises(InputError, match=rf"process {os.getpid()} on .*gone, delete .*\.writer\.marker"),
        one_writer(tmp_path),
    ):
        pass
    dead = subprocess.run(
        [sys.executable, "-c", "import os, socket; print(os.getpid(), socket.gethostname(), sep='\\n')"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    (tmp_path / ".writer.marker").write_text(dead)
    with one_writer(tmp_path):
        assert (tmp_path / ".writer.marker").read_text().split()[0] == str(os.getpid())
    (tmp_path / ".writer.marker").write_text("1\nanother-host\n")
    with pytest.raises(InputError, match="delete"), one_writer(tmp_path):
        pass


Disk = Callable[[str], None]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Disk]]:
    """A small file system in memory, and a function that mounts it again with other options."""
    place = tmp_path / "disk"
    place.mkdir()
    tried = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        pytest.skip(f"FULL DISKS ARE NOT CHECKED: a tmpfs cannot be mounted here, which needs root ({tried.stderr})")

    def again(options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", place], check=True)

    yield place, again
    subprocess.run(["umount", place], check=True)


def size_of(folder: Path) -> int:
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("share", [0.55, *(pytest.param(share, marks=pytest.mark.slow) for share in (0.1, 0.8, 0.97))])
def test_a_full_disk_is_told_with_what_is_safe(little: Path, disk: tuple[Path, Disk], share: float) -> None:
    place, mount = disk
    wanted = bytes_of(little)
    mount(f"size={int(share * size_of(little))}")
    with pytest.raises(
        InputError, match=r"data: the disk is full; \d of 4 specimens are there, each whole; the same command continues"
    ) as told:
        build(SPEC, place / "data")
    there = len(list((place / "data" / ".build").glob("*.json")))
    assert f" {there} of 4 " in str(told.value)
    assert_whole(place / "data", wanted)
    assert not [path for path in place.rglob("*") if is_stray(path)]
    mount("size=200m")
    build(SPEC, place / "data")
    assert_finished(place / "data", wanted)


@pytest.mark.slow
def test_a_full_disk_below_workers(little: Path, disk: tuple[Path, Disk]) -> None:
    place, mount = disk
    mount(f"size={int(0.5 * size_of(little))}")
    with pytest.raises(InputError, match=r"data: the disk is full; \d of 4 specimens are there, each whole"):
        build(SPEC, place / "data", workers=2)
    assert_whole(place / "data", bytes_of(little))
    mount("size=200m")
    build(SPEC, place / "data", workers=2)
    assert_finished(place / "data", bytes_of(little))


def test_a_disk_that_may_not_be_written_is_one_line(
    mini: Task, disk: tuple[Path, Disk], capsys: pytest.CaptureFixture[str]
) -> None:
    place, mount = disk
    out = place / "answers"
    mount("size=300k")
    with pytest.raises(InputError, match=r"answers: the disk is full; \d+ answers are there, each whole; the same"):
        predict(Blank(), mini, out)
    kept = {path.name: path.stat().st_mtime_ns for path in out.glob("*.npy")}
    assert kept
    mount("size=20m")
    predict(Blank(), mini, out)
    assert {name: (out / name).stat().st_mtime_ns for name in kept} == kept
    mount("ro")
    with pytest.raises(InputError, match="cannot write there"):
        predict(Blank(), mini, out)
    with pytest.raises(SystemExit) as ended:
        main(["generate", mini.name, "--out", str(place / "data")])
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith("data: cannot write there (Read-only file system); choose another folder\n")


def test_a_full_disk_below_any_verb_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/result.json")

    monkeypatch.setattr(building, "read_statement", full)
    with pytest.raises(SystemExit) as ended:
        main(["info", "."])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "sxtbench: /data/result.json: the disk is full\n"


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("presses", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_ctrl_c_is_one_line_and_the_same_command_continues(tmp_path: Path, workers: int, presses: int) -> None:
    folder = tmp_path / "data"
    words = ["generate", "limited-angle-segmentation", "--splits", "test", "--count", "16", "--out", str(folder)]
    command = [sys.executable, "-m", "sxtbench", *words, "--workers", str(workers)]
    for _ in range(2):  # it is stopped, it continues, it is stopped again
        there = len(list(folder.glob(".build/*.json")))
        with subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
        ) as child:
            deadline = time.monotonic() + PATIENCE
            while len(list(folder.glob(".build/*.json"))) <= there:
                assert time.monotonic() < deadline
                assert child.poll() is None
                time.sleep(0.02)
            for _ in range(presses):
                os.killpg(child.pid, signal.SIGINT)
                time.sleep(0.3)
            assert child.stderr is not None
            said = child.stderr.read()
        assert child.returncode in (130, -signal.SIGINT), said  # a shell shows 130 for both
        assert said.rstrip().endswith("sxtbench: stopped; run the same command again to continue")
        assert "Traceback" not in said
        assert not [path for path in folder.rglob("*") if is_stray(path)]
        assert not (folder / ".writer.json").exists()
    assert len(list(folder.glob(".build/*.json"))) < 16


def test_an_interrupted_build_of_another_recipe_is_refused(little: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"

    def stop(specimen: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(SPEC, folder, progress=stop)
    other = SPEC.recipe.model_copy(update={"seed": 99})
    with pytest.raises(InputError, match=r"holds another dataset \(recipe_sha256 is"):
        build(replace(SPEC, recipe=other), folder)


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        ("specimen.cells.wall.thickness_um", 9.0, r"the recipe drew a wall of 9\.000 um about a cell"),
        ("specimen.cells.count", 40, r"the recipe drew 40 cells .* cannot be packed side by side"),
        ("specimen.cells.count", {"min": 1.2, "max": 1.8}, r"a count from 1\.2 to 1\.8 holds no whole number"),
        ("acquisition.tilt.dropped_share", 0.9, r"the recipe cannot lose \d+ of \d+ views in runs of at most"),
    ],
)
def test_a_specimen_that_cannot_be_made_is_named(tmp_path: Path, where: str, value: object, said: str) -> None:
    content = SPEC.recipe.model_dump(mode="json")
    *parents, last = where.split(".")
    reduce(getitem, parents, content)[last] = value
    with pytest.raises(InputError, match=f"^test-00000: {said}"):
        build(replace(SPEC, recipe=SPEC.recipe.model_validate(content)), tmp_path / "data")


def write_half(path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("stop")


def test_files_and_folders_take_their_place_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "deep" / "file.txt"
    write_text(target, "old")
    with pytest.raises(RuntimeError, match="stop"):
        write_half(target)
    assert target.read_text() == "old"
    for text in ("first", "second"):
        with atomic_folder(tmp_path / "board") as folder:
            (folder / "sub").mkdir()
            (folder / "sub" / "page").write_text(text)
        assert (tmp_path / "board" / "sub" / "page").read_text() == text
    with pytest.raises(RuntimeError, match="stop"), atomic_folder(tmp_path / "board") as folder:
        raise RuntimeError("stop")
    assert (tmp_path / "board" / "sub" / "page").read_text() == "second"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "home") == ["board", "new"]
    for stray in (".a.zip.abcd1234.part", "new/.b.abcd_234.part"):
        (tmp_path / stray).mkdir()
        (tmp_path / stray / ".c.abcd1234.part").write_text("")
    (tmp_path / ".mine.part").write_text("a user's own")
    remove_strays(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "home") == [".mine.part", "board", "new"]
    assert not (tmp_path / "new" / ".b.abcd_234.part").exists()


def test_a_file_and_its_folder_are_on_the_disk_before_its_row(
    little: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order that a power cut needs: content, name, name on the disk; of a sample's files before its row's."""
    done: list[tuple[str, str]] = []
    real_sync, real_replace = os.fsync, Path.replace

    def sync(handle: int) -> None:
        done.append(("flush", os.readlink(f"/proc/self/fd/{handle}")))
        real_sync(handle)

    def rename(path: Path, target: Path) -> Path:
        done.append(("rename", str(target)))
        return real_replace(path, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", rename)
    build(replace(SPEC, sizes={"test": 1}), tmp_path / "data")
    renamed = [k for k, (what, _) in enumerate(done) if what == "rename"]
    for k in renamed:
        place = Path(done[k][1])
        assert done[k - 1][0] == "flush"
        assert Path(done[k - 1][1]).name.startswith(f".{place.name}.")
        assert done[k + 1] == ("flush", str(place.parent))
    names = [Path(done[k][1]).relative_to(tmp_path / "data").as_posix() for k in renamed]
    row = names.index(".build/test-00000.json")
    files = ("inputs/test/test-00000.zarr.zip", "targets/test/test-00000.zarr.zip", "previews/test/test-00000.png")
    assert all(names.index(file) < row for file in files)
    assert row < names.index("manifest/test.parquet")
    assert names[-1] == "SHA256SUMS"
    made = {path for what, path in done if what == "flush"}
    assert {str(tmp_path), str(tmp_path / "data"), str(tmp_path / "data" / "inputs")} <= made
