"""Submissions: packing, validation, scoring that repeats, and the hostile ones."""

import io
import json
import os
import stat
import struct
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from submissions import DATE, FIRST, Files, changed, npy, statement, summed, valid, write

from sxtbench.benchmark.evaluate import predict, score
from sxtbench.benchmark.hostile import Unreadable, read_json
from sxtbench.benchmark.method import load_method
from sxtbench.benchmark.pack import describe, find_answers, pack
from sxtbench.benchmark.result import Resources
from sxtbench.benchmark.schemas import schemas
from sxtbench.benchmark.submission import Submission
from sxtbench.benchmark.submission_checks import Findings, check_submission, score_submission
from sxtbench.benchmark.task import Task
from sxtbench.content import content_folder
from sxtbench.errors import InputError

SHAPE = (32, 32, 32)


@pytest.fixture(scope="module")
def files(mini: Task) -> Files:
    return valid(mini)


def faults_of(path: Path, mini: Task) -> list[str]:
    return check(path, mini).faults


def check(path: Path, mini: Task) -> Findings:
    return check_submission(path, find_task=lambda name, tier: mini)


def test_a_valid_submission_has_no_fault(tmp_path: Path, mini: Task, files: Files) -> None:
    found = check(write(tmp_path / "s.zip", summed(files).items()), mini)
    assert (found.faults, found.unchecked, found.answers) == ([], "", len(files) - 1)
    assert found.submission is not None
    assert found.submission.method.authors[1] == "Zoë Ångström"


def test_a_folder_is_as_good_as_a_zip(tmp_path: Path, mini: Task, files: Files) -> None:
    for name, content in summed(files).items():
        (tmp_path / "s" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "s" / name).write_bytes(content)
    assert faults_of(tmp_path / "s", mini) == []
    victim = tmp_path / "s" / FIRST
    victim.rename(tmp_path / "elsewhere.npy")
    victim.symlink_to(tmp_path / "elsewhere.npy")
    os.mkfifo(tmp_path / "s" / "pipe")
    told = faults_of(tmp_path / "s", mini)
    assert f"{FIRST}: is a link, expected a plain file" in told
    assert "pipe: is a device or a pipe, expected a plain file" in told


def test_folders_as_zip_tools_list_them_are_no_fault(tmp_path: Path, mini: Task, files: Files) -> None:
    assert faults_of(write(tmp_path / "s.zip", [("predictions/", b""), *summed(files).items()]), mini) == []


def state(**fields: Any) -> Callable[[Task], Files]:
    return lambda mini: summed(changed(mini, lambda content: content.update(fields)))


def of_method(**fields: Any) -> Callable[[Task], Files]:
    return lambda mini: summed(changed(mini, lambda content: content["method"].update(fields)))


def raw(text: bytes) -> Callable[[Task], Files]:
    """The statement with some bytes in place of its first brace."""
    return lambda mini: summed(
        {**valid(mini), "submission.json": json.dumps(statement(mini)).encode().replace(b"{", text, 1)}
    )


def answer(content: bytes) -> Callable[[Task], Files]:
    return lambda mini: summed({**valid(mini), FIRST: content})


def header(text: str, values: bytes = bytes(32**3)) -> bytes:
    raw = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(raw)) + raw + values


def spoilt(value: float, dtype: str) -> bytes:
    array = np.zeros(SHAPE, dtype)
    array[3, 4, 5] = value
    return npy(array)


def without(*names: str) -> Callable[[Task], Files]:
    return lambda mini: {name: content for name, content in summed(valid(mini)).items() if name not in names}


def also(name: str, content: bytes = b"x") -> Callable[[Task], Files]:
    return lambda mini: summed({**valid(mini), name: content})


def sums(change: Callable[[bytes], bytes]) -> Callable[[Task], Files]:
    return lambda mini: {**(good := summed(valid(mini))), "SHA256SUMS": change(good["SHA256SUMS"])}


SAID = "submission.json"
HOSTILE: dict[str, tuple[Callable[[Task], Files], str]] = {
    # names
    "absolute path": (also("/etc/passwd"), "/etc/passwd: is an absolute path"),
    "climbing path": (also("predictions/../../x.npy"), "predictions/../../x.npy: climbs out of the archive with .."),
    "drive letter": (also("C:x.npy"), "C:x.npy: begins with a drive letter"),
    "backslash": (also("predictions\\x.npy"), "predictions\\x.npy: holds a backslash, expected /"),
    "escape in a name": (also("a\x1b[2J"), r"'a\x1b[2J': has control or formatting characters in its name"),
    "bidi in a name": (also("a\u202egpj.npy"), r"'a\u202egpj.npy': has control or formatting characters in its name"),
    "dot in a path": (also("predictions/./x.npy"), "predictions/./x.npy: has an empty part or . in its path"),
    "empty part": (also("predictions//x.npy"), "predictions//x.npy: has an empty part or . in its path"),
    "long name": (also("x" * 300), "has a name of 300 characters, expected 1 to 255"),
    "other case": (
        also("Predictions/test-00000.npy"),
        f"Predictions/test-00000.npy: differs from {FIRST} only in case or spelling of letters",
    ),
    # members
    "missing sample": (without(FIRST), f"{FIRST}: is missing"),
    "listed, not there": (without(FIRST), f"SHA256SUMS: lists {FIRST}, which is not there"),
    "extra sample": (also("predictions/test-00009.npy"), "test-00009.npy: is no file of such a submission"),
    "a script": (also("setup.py", b"import os"), "setup.py: is no file of such a submission"),
    "zarr": (also("predictions/test-00000.zarr.zip"), "is no file of such a submission, expected .npy"),
    "no statement": (without(SAID), f"{SAID}: is missing"),
    "no checksums": (without("SHA256SUMS"), "SHA256SUMS: is missing"),
    # checksums
    "wrong hash": (
        lambda mini: {**summed(valid(mini)), FIRST: npy(np.ones(SHAPE, np.uint8))},
        f"{FIRST}: has SHA-256 ",
    ),
    "not listed": (
        sums(lambda text: b"".join(li for li in text.splitlines(True) if FIRST.encode() not in li)),
        f"{FIRST}: is not listed in SHA256SUMS",
    ),
    "listed twice": (sums(lambda text: text + text.splitlines(True)[0]), f"{SAID} stands twice"),
    "no checksum line": (sums(lambda text: text + b"hello\n"), "is hello, expected <sha256>  <file>"),
    "checksums in another encoding": (sums(lambda text: b"\xff\xfe" + text), "SHA256SUMS: is not UTF-8"),
    "many lines": (sums(lambda text: b"\n" * 30_000), "SHA256SUMS: has more than 20000 lines"),
    "long checksums": (sums(lambda text: b"a" * (5 << 20)), "SHA256SUMS: is 5242880 bytes long, expected at most"),
    # answers
    "pickle": (answer(b"\x80\x04N."), f"{FIRST}: is a pickle, expected a .npy file"),
    "object array": (
        answer(npy(np.array([None, {}], object), pickled=True)),
        f"{FIRST}: holds Python objects, which only pickle can read; expected an array of numbers",
    ),
    "npz": (answer(b"PK\x03\x04" + bytes(100)), f"{FIRST}: is an archive (.npz), expected one array as .npy"),
    "no npy": (answer(b"\x89PNG\r\n"), f"{FIRST}: is no .npy file"),
    "empty": (answer(b""), f"{FIRST}: is no .npy file"),
    "npy version": (answer(b"\x93NUMPY\x09\x00" + bytes(99)), "is .npy of version (9, 0), expected 1.0 or 2.0"),
    "long header": (answer(b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{"), "has a header of 2147483647 bytes, expected"),
    "code in the header": (answer(header("__import__('os').abort()")), f"{FIRST}: has a header that cannot be read"),
    "deep header": (answer(header("(" * 900 + ")" * 900)), f"{FIRST}: has a header that cannot be read"),
    "structured": (
        answer(npy(np.zeros(SHAPE, [("a", "u1")]))),
        f"{FIRST}: prediction has dtype [('a', 'u1')], expected an integer dtype such as uint8",
    ),
    "wrong shape": (
        answer(npy(np.zeros((32, 32, 31), np.uint8))),
        f"{FIRST}: prediction has shape (32, 32, 31), expected (32, 32, 32)",
    ),
    "negative shape": (
        answer(header("{'descr': '|u1', 'fortran_order': False, 'shape': (-32, -32, 32), }")),
        f"{FIRST}: prediction has shape (-32, -32, 32), expected (32, 32, 32)",
    ),
    "a shape of terabytes": (
        answer(header("{'descr': '|u1', 'fortran_order': False, 'shape': (99999, 99999, 99999), }")),
        f"{FIRST}: prediction has shape (99999, 99999, 99999), expected (32, 32, 32)",
    ),
    "float labels": (answer(npy(np.zeros(SHAPE))), f"{FIRST}: prediction has dtype float64, expected an integer"),
    "bool labels": (answer(npy(np.zeros(SHAPE, bool))), f"{FIRST}: prediction has dtype bool, expected an integer"),
    "NaN labels": (answer(spoilt(np.nan, "f4")), f"{FIRST}: prediction has dtype float32, expected an integer"),
    "label range": (answer(spoilt(9, "u1")), f"{FIRST}: prediction holds the labels [9], expected only [0, 1, 2, 3]"),
    "negative label": (answer(spoilt(-1, ">i8")), f"{FIRST}: prediction holds the labels [-1], expected only"),
    "bytes at the end": (answer(npy(np.zeros(SHAPE, np.uint8)) + b"MZ"), "bytes long, its header says 32896"),
    "cut off": (answer(npy(np.zeros(SHAPE, np.uint8))[:-7]), "is 32889 bytes long, its header says 32896"),
    # what it says: the frame
    "unknown task": (state(task="x-ray-vision"), f"{SAID}: unknown task"),
    "task that climbs": (state(task="../../x"), f"{SAID}: task: String should match pattern"),
    "unknown tier": (state(tier="huge"), f"{SAID}: unknown tier"),
    "task hash": (state(task_hash="0" * 64), f"{SAID}: task_hash is 000000000000..., this task has "),
    "task version": (state(version=9), f"{SAID}: version is 9, this sxtbench has limited-angle-segmentation@1"),
    "fingerprint": (state(fingerprint="f" * 64), f"{SAID}: fingerprint is ffffffffffff..., that of the test split is "),
    "no digest": (state(task_hash="<b>"), f"{SAID}: task_hash: String should match pattern"),
    "split": (state(split="train"), f"{SAID}: split is train, expected test"),
    "shifted": (
        state(shifted_fingerprint="a" * 64),
        f"{SAID}: shifted_fingerprint: the task has no shifted domain at tier tiny",
    ),
    "schema": (state(schema_version=2), f"{SAID}: schema_version: Input should be 1"),
    "unknown key": (state(**{"ev\x1bil": 1}), r"submission.json: 'ev\x1bil': Extra inputs are not permitted"),
    "true as a number": (state(version=True), f"{SAID}: version: Input should be a valid integer"),
    "no method": (state(method=None), f"{SAID}: method: Input should be an object"),
    # what it says: text
    "a tag": (of_method(name="<img src=x>"), f"{SAID}: method.name: looks like markup"),
    "an entity": (of_method(name="&lt;b"), f"{SAID}: method.name: looks like markup"),
    "a template": (of_method(description="{{ 7 * 7 }}"), f"{SAID}: method.description: looks like markup"),
    "a link in text": (of_method(description="[x](y)"), f"{SAID}: method.description: looks like markup"),
    "control characters": (of_method(name="a\x00b"), f"{SAID}: method.name: holds control, formatting"),
    "bidi controls": (of_method(authors=["a\u202eb"]), f"{SAID}: method.authors.0: holds control, formatting"),
    "zero width": (of_method(licence="M\u200bIT"), f"{SAID}: method.licence: holds control, formatting"),
    "a name in two lines": (of_method(name="a\nb"), f"{SAID}: method.name: holds control, formatting"),
    "markup in a setting": (of_method(parameters={"a": {"b": ["<b>"]}}), f"{SAID}: method.parameters: looks like"),
    "markup in a setting's name": (of_method(parameters={"a": {"<b>": 1}}), f"{SAID}: method.parameters: looks like"),
    "long text": (of_method(description="x" * 5000), f"{SAID}: method.description: String should have at most 4000"),
    "http": (of_method(links=["http://example.org"]), f"{SAID}: method.links.0: String should match pattern"),
    "javascript": (of_method(links=["javascript:alert(1)"]), f"{SAID}: method.links.0: String should match pattern"),
    "user in a link": (of_method(links=["https://a@b.org"]), f"{SAID}: method.links.0: is no web address"),
    "a quote in a link": (of_method(links=['https://b.org/"onclick']), f"{SAID}: method.links.0: is no web address"),
    "no author": (of_method(authors=[]), f"{SAID}: method.authors: Tuple should have at least 1 item"),
    "a control's name": (of_method(name="Oracle"), f"{SAID}: method.name: Oracle is that of a control"),
    "negative seed": (of_method(seeds=[-1]), f"{SAID}: method.seeds.0: Input should be greater than or equal to 0"),
    "negative memory": (state(resources={"peak_memory_mb": -1}), f"{SAID}: resources.peak_memory_mb: Input should"),
    # what it says: JSON
    "no JSON": (raw(b"{,"), f"{SAID}: is not JSON"),
    "key twice": (raw(b'{"task": "a",'), f"{SAID}: the key task stands twice in an object"),
    "NaN": (raw(b'{"resources": {"peak_memory_mb": NaN},'), f"{SAID}: holds NaN, expected finite numbers"),
    "1e999": (raw(b'{"resources": {"peak_memory_mb": 1e999},'), f"{SAID}: holds 1e999, expected finite numbers"),
    "many digits": (raw(b'{"x": ' + b"9" * 5000 + b","), f"{SAID}: holds a whole number of 5000 digits"),
    "deep": (raw(b'{"x": ' + b"[" * 9999 + b"]" * 9999 + b","), f"{SAID}: is nested 10000 levels deep"),
    "long": (raw(b" " * (2 << 20) + b"{"), f"{SAID}: is 2097"),
    "half a pair": (raw(b'{"x": "\\ud800",'), f"{SAID}: holds half of a surrogate pair"),
    "another encoding": (raw(b"\xff{"), f"{SAID}: is not UTF-8 (byte 0)"),
    "a list": (
        lambda mini: summed({**valid(mini), SAID: b"[]"}),
        f"{SAID}: holds a JSON list, expected an object",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_submission_has_its_own_line(case: str, tmp_path: Path, mini: Task) -> None:
    make, line = HOSTILE[case]
    told = check_submission(write(tmp_path / "s.zip", make(mini).items()), find_task=finder(mini)).faults
    assert any(line in fault for fault in told), told
    assert all("\n" not in fault and fault.isprintable() for fault in told)


def finder(mini: Task) -> Callable[[str, str], Task]:
    def find(name: str, tier: str) -> Task:
        if name != mini.name:
            raise InputError(f"unknown task {name!r}")
        if tier != mini.tier:
            raise InputError(f"unknown tier {tier!r}")
        return mini

    return find


def with_attributes(kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(FIRST, DATE)
    info.create_system, info.external_attr = 3, (kind | 0o777) << 16
    return info


def rest(files: Files) -> list[tuple[str, bytes]]:
    return [(name, content) for name, content in files.items() if name != FIRST]


def patched(path: Path, name: str, offset: int, value: bytes) -> None:
    """Overwrite a field of a member's entry in the central directory."""
    content = bytearray(path.read_bytes())
    entry = content.rindex(name.encode()) - 46
    assert content[entry : entry + 4] == b"PK\x01\x02"
    content[entry + offset : entry + offset + len(value)] = value
    path.write_bytes(content)


ARCHIVES: dict[str, tuple[Callable[[Path, dict[str, bytes]], object], str]] = {
    "link": (
        lambda p, f: write(
            p, [*((k, v) for k, v in f.items() if k != FIRST), (with_attributes(stat.S_IFLNK), b"/etc")]
        ),
        f"{FIRST}: is a link, expected a plain file",
    ),
    "device": (
        lambda p, f: write(p, [*rest(f), (with_attributes(stat.S_IFCHR), b"")]),
        f"{FIRST}: is a device or a pipe, expected a plain file",
    ),
    "twice": (lambda p, f: write(p, [*f.items(), (FIRST, b"other")]), f"{FIRST}: stands twice"),
    "bzip2": (lambda p, f: write(p, f.items(), method=zipfile.ZIP_BZIP2), f"{FIRST}: is compressed by method 12"),
    "comment": (lambda p, f: write(p, f.items(), comment=b"<script>"), "the archive: has a comment, expected none"),
    "bytes before": (
        lambda p, f: write(p, f.items(), before=b"MZ" * 99),
        "the archive: has other bytes before its first member",
    ),
    "folder with content": (lambda p, f: write(p, [*f.items(), ("x/", b"data")]), "x/: is neither a file nor an empty"),
    "encrypted": (lambda p, f: (write(p, f.items()), patched(p, FIRST, 8, b"\x01\x00")), f"{FIRST}: is encrypted"),
    "declares more": (
        lambda p, f: (write(p, f.items()), patched(p, FIRST, 24, struct.pack("<I", 10**9))),
        f"{FIRST}: is 1000000000 bytes long, its header says 32896",
    ),
    "declares less": (
        lambda p, f: (write(p, f.items()), patched(p, FIRST, 24, struct.pack("<I", 20000))),
        f"{FIRST}: cannot be read (Bad CRC-32",
    ),
    "crc": (lambda p, f: (write(p, f.items()), patched(p, FIRST, 16, b"1234")), f"{FIRST}: cannot be read (Bad CRC-32"),
    "overlap": (
        lambda p, f: (write(p, f.items(), method=zipfile.ZIP_STORED), patched(p, FIRST, 42, struct.pack("<I", 5))),
        "overlaps",
    ),
    "many members": (
        lambda p, f: write(p, [*f.items(), *((f"x{i}", b"") for i in range(20_001))], method=zipfile.ZIP_STORED),
        "members, expected at most 20000",
    ),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_a_hostile_archive_has_its_own_line(case: str, tmp_path: Path, mini: Task, files: Files) -> None:
    make, line = ARCHIVES[case]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile says that a name stands twice
        make(tmp_path / "s.zip", summed(files))
    told = faults_of(tmp_path / "s.zip", mini)
    assert any(line in fault for fault in told), told[:9]


def test_a_bomb_of_ten_gigabytes_costs_nothing(tmp_path: Path, mini: Task, files: Files) -> None:
    """The archive says 10 GB for a member whose header is wrong; what is there unfolds 1000-fold."""
    path, start = tmp_path / "bomb.zip", npy(np.zeros(SHAPE, np.uint8))[:128]
    wide = start.replace(b"(32, 32, 32), }", b"(99999, 99999,), }"[:15].ljust(15))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in summed(files).items():
            if name == FIRST:
                with archive.open(zipfile.ZipInfo(name, DATE), "w", force_zip64=True) as member:
                    member.write(wide)
                    for _ in range(16):
                        member.write(bytes(1 << 20))
            else:
                archive.writestr(zipfile.ZipInfo(name, DATE), content)
    patched_zip64(path, FIRST, 10 << 30)
    tracemalloc.start()
    told = faults_of(path, mini)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert any(f"{FIRST}: is {10 << 30} bytes long, no answer here takes more than 266240" in line for line in told)
    assert peak < 16 << 20
    assert [p.name for p in tmp_path.iterdir()] == ["bomb.zip"]


def patched_zip64(path: Path, name: str, size: int) -> None:
    """State a size beyond 4 GB in the central directory, by an extra field that is put in."""
    content = bytearray(path.read_bytes())
    end = content.rindex(b"PK\x05\x06")
    entry = content.rindex(name.encode()) - 46
    extra = struct.pack("<HHQ", 1, 8, size)
    old = struct.unpack_from("<H", content, entry + 30)[0]
    struct.pack_into("<I", content, entry + 24, 0xFFFFFFFF)
    struct.pack_into("<H", content, entry + 30, len(extra) + old)
    at = entry + 46 + len(name)
    content[at:at] = extra
    end += len(extra)
    struct.pack_into("<I", content, end + 12, struct.unpack_from("<I", content, end + 12)[0] + len(extra))
    path.write_bytes(content)


def test_a_directory_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "s.zip"
    with path.open("wb") as file:
        file.truncate(6 << 30)  # sparse
        file.seek(0, os.SEEK_END)
        file.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, 2 << 30, 0, 0))
    with pytest.raises(InputError, match="is no ZIP that can be read"):
        check_submission(path)


def test_all_faults_are_listed_at_once(tmp_path: Path, mini: Task, files: Files) -> None:
    bad = changed(mini, lambda content: content["method"].update(name="<b>", authors=[]))
    bad |= {FIRST: spoilt(9, "u1"), "x.exe": b"MZ"}
    del bad["predictions/test-00001.npy"]
    told = faults_of(write(tmp_path / "s.zip", summed(bad).items()), mini)
    assert len(told) == 5, told


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06", b"PK\x03\x04" + bytes(99)])
def test_what_is_no_zip_is_bad_input(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s.zip").write_bytes(content)
    with pytest.raises(InputError, match="is no ZIP that can be read"):
        check_submission(tmp_path / "s.zip")
    with pytest.raises(InputError, match="no such submission"):
        check_submission(tmp_path / "t.zip")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, mini: Task, files: Files) -> tuple[Path, bytes]:
    """A valid ZIP in which answers of one value take few bytes, so that most flips hit what matters."""
    flat = {name: npy(np.zeros(SHAPE, np.uint8)) if name.endswith(".npy") else c for name, c in files.items()}
    path = write(tmp_path_factory.mktemp("fuzz") / "s.zip", summed(flat).items())
    assert faults_of(path, mini) == []
    return path.parent, path.read_bytes()


FUZZ = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def survives(folder: Path, content: bytes, mini: Task) -> Findings | None:
    path = folder / "fuzzed.zip"
    path.write_bytes(content)
    before = sorted(folder.rglob("*"))
    try:
        found = check(path, mini)
    except InputError:
        return None
    assert sorted(folder.rglob("*")) == before
    assert all(line.isprintable() for line in found.faults)
    return found


@FUZZ
@given(data=st.data())
def test_any_bytes_flipped_give_lines_and_no_traceback(small: tuple[Path, bytes], mini: Task, data: Any) -> None:
    folder, good = small
    tail = len(good) - data.draw(st.integers(1, 1500))  # the directory is at the end
    content = bytearray(good)
    for place in data.draw(st.lists(st.one_of(st.integers(0, len(good) - 1), st.just(tail)), min_size=1, max_size=4)):
        content[place] ^= data.draw(st.integers(1, 255))
    found = survives(folder, bytes(content), mini)
    if found is not None and not found.faults and not found.unchecked:  # it hit nothing that is read
        same = [zipfile.ZipFile(io.BytesIO(bytes_)).read(FIRST) for bytes_ in (good, bytes(content))]
        assert same[0] == same[1]


@FUZZ
@given(data=st.data())
def test_a_zip_cut_off_anywhere_is_refused(small: tuple[Path, bytes], mini: Task, data: Any) -> None:
    folder, good = small
    found = survives(folder, good[: data.draw(st.integers(0, len(good) - 1))], mini)
    assert found is None or found.faults


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(FUZZ, max_examples=50)
@given(value=JSON, data=st.data())
def test_any_json_changed_gives_lines_and_no_traceback(
    small: tuple[Path, bytes], mini: Task, files: Files, value: Any, data: Any
) -> None:
    content = statement(mini)
    place = data.draw(st.sampled_from([content, content["method"]]))
    place[data.draw(st.sampled_from(sorted(place)) | st.text(max_size=5))] = value
    path = write(small[0] / "json.zip", [(SAID, json.dumps(content).encode())])
    told = faults_of(path, mini)
    assert all(line.isprintable() for line in told)
    assert any(line.startswith("SHA256SUMS: is missing") for line in told)


@given(st.binary(max_size=60))
@settings(derandomize=True)
def test_any_bytes_are_json_or_refused(content: bytes) -> None:
    with suppress(Unreadable):
        json.dumps(read_json(content), allow_nan=False).encode()


def test_packing_and_scoring_repeat_and_agree(tmp_path: Path, mini: Task) -> None:
    predict(load_method("trivial"), mini, tmp_path / "answers")
    source = find_answers(tmp_path / "answers")
    said = {"name": "mine", "authors": ["A"], "licence": "MIT", "training_data": "none"}
    submission = describe(source, mini, method=said, resources={"parameters": 12})
    assert submission.environment.python
    first = pack(source, submission, mini, tmp_path / "a.zip").read_bytes()
    assert pack(source, submission, mini, tmp_path / "b.zip").read_bytes() == first
    results = [score_submission(tmp_path / name, submission, mini) for name in ("a.zip", "b.zip")]
    assert results[0].to_json() == results[1].to_json()
    assert results[0].origin == "scored"
    assert results[0].resources.parameters == 12
    assert results[0].environment.model_dump() == submission.environment.model_dump()
    plain = score(mini, tmp_path / "answers")
    assert [row.model_dump_json() for row in results[0].rows] == [row.model_dump_json() for row in plain.rows]


def test_labels_of_any_width_are_packed_as_they_are_scored(tmp_path: Path, mini: Task, files: Files) -> None:
    for name, content in files.items():
        if name.endswith(".npy"):
            wide = np.asfortranarray(np.load(io.BytesIO(content)).astype(">i8"))
            np.save(tmp_path / Path(name).name, wide)
    source = find_answers(tmp_path)
    said = {"name": "mine", "authors": ["A"], "licence": "MIT", "training_data": "none"}
    out = pack(source, describe(source, mini, method=said, resources={}), mini, tmp_path / "s.zip")
    assert zipfile.ZipFile(out).read(FIRST) == files[FIRST]
    with pytest.raises(InputError, match=r"method\.authors: is not said; give --author"):
        describe(source, mini, method={**said, "authors": []}, resources={})
    np.save(tmp_path / "test-00001.npy", np.full(SHAPE, 7))
    with pytest.raises(InputError, match=r"test-00001: prediction holds the labels \[7\]"):
        pack(source, describe(source, mini, method=said, resources={}), mini, tmp_path / "t.zip")
    assert not (tmp_path / "t.zip").exists()
    with pytest.raises(InputError, match="holds no answers"):
        find_answers(tmp_path / ".." / tmp_path.name / "..")


def test_a_wide_volume_of_floats_is_checked_as_it_is_scored(tmp_path: Path, mini_volume: Task) -> None:
    files = {name: content for name, content in valid(mini_volume).items() if not name.endswith(".npy")}
    bad = {"0": np.nan, "1": 1e39, "2": 0.3}
    names = [f"predictions/{sample.id}.npy" for sample in mini_volume.dataset("test")]
    for index, name in enumerate(names):
        files[name] = spoilt(bad.get(str(index), 0.2), "f8")
    told = check_submission(
        write(tmp_path / "s.zip", summed(files).items()), find_task=lambda name, tier: mini_volume
    ).faults
    assert [line.split(": ")[0] for line in told] == names[:2]
    assert "NaN or infinity in 1 values, expected finite LAC in 1/um" in told[0]


def test_a_submission_generates_no_data(tmp_path: Path, mini: Task, files: Files) -> None:
    found = check(write(tmp_path / "s.zip", summed(files).items()), mini.at(tmp_path / "nowhere"))
    assert found.faults == []
    assert "the test split of" in found.unchecked
    assert not (tmp_path / "nowhere").exists()


def test_parameters_reach_the_result_and_are_left_out_where_unknown() -> None:
    assert Resources(parameters=12).model_dump(mode="json")["parameters"] == 12
    assert "parameters" not in Resources().model_dump(mode="json")


def test_the_schemas_that_ship_are_those_of_the_code() -> None:
    for name, schema in schemas().items():
        shipped = (content_folder("leaderboard") / name).read_text()
        assert shipped == json.dumps(schema, sort_keys=True, indent=1) + "\n", f"run `sxtbench submit schemas`: {name}"
    assert set(Submission.model_fields) == set(schemas()["submission.schema.json"]["properties"])
