"""Fetch a dataset, or a part of it, from the Hugging Face Hub: only what is asked, checked, continued after a stop."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from sxtbench.datasets.build import CHECKSUMS, STATEMENT, identity, read_statement
from sxtbench.datasets.dataset import Dataset
from sxtbench.datasets.fetched import Fetched, read_fetched, write_fetched
from sxtbench.datasets.hub import Published, Unreachable, patient, published, require_hub, told
from sxtbench.datasets.spec import DatasetSpec
from sxtbench.datasets.verify import contents, read_checksums, reference_rows
from sxtbench.errors import CheckError, InputError
from sxtbench.files import require_writable, saying_what_is_safe, write_text
from sxtbench.hashing import sha256_file
from sxtbench.writer import is_unused, one_writer

_THREADS = 8


@dataclass(frozen=True, kw_only=True)
class Download:
    """What is asked for, and what of it is not there yet.

    Parameters
    ----------
    spec : DatasetSpec
        Of the dataset.
    folder : Path
        Where it goes.
    fetched : Fetched
        The source, with all files that were ever asked for.
    splits : tuple of str
        Those of which something is asked for.
    sums : dict of str
        SHA-256 by file.
    missing : tuple of str
        Files to fetch.
    trusted : bool
        Whether `SHA256SUMS` is the one that this version of sxtbench records.
    """

    spec: DatasetSpec
    folder: Path
    fetched: Fetched
    splits: tuple[str, ...]
    sums: dict[str, str]
    missing: tuple[str, ...]
    trusted: bool


def prepare_download(
    spec: DatasetSpec,
    folder: Path,
    splits: Sequence[str] = (),
    *,
    ids: Sequence[str] = (),
    slices: bool = False,
    repo: str | None = None,
    revision: str | None = None,
    record: Path | None = None,
) -> Download:
    """Find a dataset and say what has to be fetched; without the Hub, from what lies in the folder.

    Parameters
    ----------
    spec : DatasetSpec
        What the dataset must be.
    folder : Path
        Its own folder: new, or an earlier download of the same commit.
    splits : sequence of str
        Those wanted; all of the dataset's where neither splits nor ids are named.
    ids : sequence of str
        Samples wanted, whichever split they are in.
    slices : bool
        Whether the training-ready slices of the splits are wanted too.
    repo, revision : str, optional
        `ORG/NAME`; a branch, tag or commit. By default what this version of sxtbench records.
    record : Path, optional
        Of what is published, in place of `data_cards/published.yaml`.

    Raises
    ------
    Unreachable
        Where the Hub cannot be reached and the folder does not hold all that is asked for.
    InputError
        For a dataset that is not published, another one, an unknown split or id, a folder that holds something else.
    CheckError
        Where the repository does not hold what was recorded.
    """
    require_hub()
    known = published(spec.name, record)
    if repo is None:
        if known is None:
            split = next(iter(spec.sizes)) if len(spec.sizes) == 1 else ""
            makes = f"sxtbench generate {spec.task} --tier {spec.tier}" + (f" --splits {split}" if split else "")
            raise InputError(
                f"{spec.name}: is not published yet; `{makes}` makes the same data, or name a --repo ORG/NAME"
            )
        repo = known.repo
    if known is not None and (repo != known.repo or revision is not None):
        known = None
    asked = None if known else revision or "main"
    there = _earlier(folder, repo)
    try:
        commit = known.commit if known else _resolve(repo, asked)
        if there is not None and there.commit != commit:
            raise InputError(
                f"{folder}: holds commit {there.commit[:12]} of {there.repo}, asked for is {commit[:12]}; "
                "choose another --out, or delete that folder"
            )
        if there is None:
            new = Fetched(task=spec.task, tier=spec.tier, repo=repo, revision=asked, commit=commit, files=())
            _begin(spec, folder, new, known)
            there = new
    except Unreachable as error:
        if there is None or there.revision != asked:
            raise Unreachable(f"{error}; the cache was tried, and {folder} holds nothing of it") from None
        return _planned(spec, folder, there, splits, ids, slices, known, unreachable=error)
    return _planned(spec, folder, there, splits, ids, slices, known)


def _earlier(folder: Path, repo: str) -> Fetched | None:
    """Return what was downloaded to a folder before; None for one that is new or empty."""
    if not folder.exists() or is_unused(folder):
        return None
    there = read_fetched(folder)
    if there is None:
        what = "a dataset that was made here" if (folder / STATEMENT).is_file() else "other things"
        raise InputError(f"{folder}: holds {what}; choose another --out, or delete that folder")
    if there.repo != repo:
        raise InputError(f"{folder}: was downloaded from {there.repo}, not {repo}; choose another --out")
    return there if all((folder / name).is_file() for name in (CHECKSUMS, STATEMENT)) else None


def _resolve(repo: str, revision: str | None) -> str:
    from huggingface_hub import HfApi

    with told(repo, revision):
        found = patient(lambda: HfApi().repo_info(repo, repo_type="dataset", revision=revision)).sha
    assert found is not None
    return found


def _begin(spec: DatasetSpec, folder: Path, fetched: Fetched, known: Published | None) -> None:
    """Fetch the statement and the checksums, check them, and only then touch the folder."""
    from huggingface_hub import hf_hub_download

    with tempfile.TemporaryDirectory() as name:
        staged = Path(name)
        with told(fetched.repo, fetched.revision or fetched.commit):
            for file in (STATEMENT, CHECKSUMS):
                patient(
                    lambda file=file: hf_hub_download(  # type: ignore[misc]
                        fetched.repo, file, repo_type="dataset", revision=fetched.commit, local_dir=staged
                    )
                )
        statement, where = read_statement(staged), f"{fetched.repo} at {fetched.commit[:12]}"
        for key, value in identity(spec).items():
            if statement.get(key) != value:
                raise InputError(
                    f"{where}: holds another dataset ({key} is {statement.get(key)!r}, expected {value!r})"
                )
        if known is not None and sha256_file(staged / CHECKSUMS) != known.sums_sha256:
            raise CheckError(f"{where}: its {CHECKSUMS} is not the one that this version of sxtbench records")
        sums = read_checksums(staged)
        for file in sums:
            if not _is_safe(file):
                raise InputError(f"{where}: {CHECKSUMS} names {file!r}, expected a path inside the dataset")
        if sums.get(STATEMENT) != sha256_file(staged / STATEMENT):
            raise CheckError(f"{where}: {STATEMENT} has not the SHA-256 that {CHECKSUMS} states")
        require_writable(folder)
        with one_writer(folder):
            write_fetched(folder, fetched)
            for file in (CHECKSUMS, STATEMENT):
                write_text(folder / file, (staged / file).read_text(encoding="utf-8"))


def _is_safe(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and "\\" not in name and not any(part.startswith(".") for part in path.parts)


def _planned(
    spec: DatasetSpec,
    folder: Path,
    fetched: Fetched,
    splits: Sequence[str],
    ids: Sequence[str],
    slices: bool,
    known: Published | None,
    *,
    unreachable: Unreachable | None = None,
) -> Download:
    sums = read_checksums(folder)
    held = list(read_statement(folder)["splits"])
    chosen = list(splits) or ([] if ids else held)
    for split in chosen:
        if split not in held:
            raise InputError(f"{fetched.repo}: has no split {split!r}; it has {', '.join(held)}")
    groups: set[str] = set()
    for one in ids:
        group = one.partition("~")[0]
        if not any(f"inputs/{split}/{group}.zarr.zip" in sums for split in held):
            raise InputError(f"{fetched.repo}: has no sample {one!r}; ids look like {held[-1]}-00000")
        groups.add(group)
    wanted = [name for name in sums if _is_wanted(name, held, chosen, groups, slices)]
    missing = tuple(name for name in wanted if not _is_there(folder, name, sums))
    if unreachable is not None and missing:
        raise Unreachable(
            f"{unreachable}; the cache was tried, and {folder} lacks {len(missing)} of the {len(wanted)} files "
            f"that are asked for ({missing[0]})"
        )
    return Download(
        spec=spec,
        folder=folder,
        fetched=replace(fetched, files=tuple(sorted({*fetched.files, *wanted}))),
        splits=tuple(split for split in held if split in chosen or any(g.startswith(f"{split}-") for g in groups)),
        sums=sums,
        missing=missing,
        trusted=known is not None,
    )


def _is_wanted(name: str, held: Sequence[str], chosen: Sequence[str], groups: set[str], slices: bool) -> bool:
    """Whether a file belongs to what is asked for; what is of no split belongs to everything."""
    top, *rest = name.split("/")
    if top == "slices" and not slices:
        return False
    of = [split for split in held if rest and (rest[0] == split or rest[0].startswith((f"{split}.", f"{split}-")))]
    if not of or of[0] in chosen:
        return True
    if top == "manifest":
        return any(group.startswith(f"{of[0]}-") for group in groups)
    return rest[-1].partition(".")[0] in groups


def _is_there(folder: Path, name: str, sums: dict[str, str]) -> bool:
    path = folder / name
    if not path.is_file():
        return False
    if sha256_file(path) == sums[name]:
        return True
    path.unlink()  # half of a file, or changed since
    return False


def download(plan: Download, *, progress: Callable[[str], None] | None = None) -> None:
    """Fetch what is missing; each file is checked when it has come, and one that is wrong is fetched once more.

    Where `SHA256SUMS` is not the one that this version of sxtbench records, the arrays behind the content hashes are
    read and compared too.

    Parameters
    ----------
    plan : Download
        From `prepare_download`.
    progress : callable, optional
        Called with the name of each file that has come.

    Raises
    ------
    Unreachable
        Where the Hub goes away. What has come stays; the same call continues.
    InputError
        For a full disk: likewise. For a folder that another process is writing.
    CheckError
        For a file that has twice come with another SHA-256, and for arrays that have not their content hash.
    """
    folder = plan.folder
    with saying_what_is_safe(folder, lambda: _so_far(plan)), one_writer(folder):
        write_fetched(folder, plan.fetched)
        if plan.missing:
            try:
                _fetch_all(plan, progress or (lambda name: None))
            except Unreachable as error:
                raise Unreachable(f"{error}; {_so_far(plan)}") from None
        shutil.rmtree(folder / ".cache", ignore_errors=True)  # huggingface_hub's notes; SHA256SUMS says it better
        _check_contents(plan)


def _so_far(plan: Download) -> str:
    files = plan.fetched.files
    have = sum((plan.folder / name).is_file() for name in files)
    return f"{have} of {len(files)} files are there, each whole; the same command continues"


def _fetch_all(plan: Download, progress: Callable[[str], None]) -> None:
    with told(plan.fetched.repo, plan.fetched.revision), ThreadPoolExecutor(_THREADS) as pool:
        _learn_tree(plan)
        jobs = {pool.submit(_fetch, plan, name): name for name in plan.missing}
        try:
            for job in as_completed(jobs):
                job.result()
                progress(jobs[job])
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _learn_tree(plan: Download) -> None:
    """List the commit once, so that with Xet not every file costs a request of its own."""
    from huggingface_hub import snapshot_download

    patient(
        lambda: snapshot_download(
            plan.fetched.repo,
            repo_type="dataset",
            revision=plan.fetched.commit,
            local_dir=plan.folder,
            allow_patterns=[name for name in plan.missing if "/" not in name][:1] or ["none"],
        )
    )


def _fetch(plan: Download, name: str) -> None:
    from huggingface_hub import hf_hub_download

    fetched, path = plan.fetched, plan.folder / name
    for _ in range(2):
        patient(
            lambda: hf_hub_download(
                fetched.repo, name, repo_type="dataset", revision=fetched.commit, local_dir=plan.folder
            )
        )
        if sha256_file(path) == plan.sums[name]:
            return
        path.unlink()
    raise CheckError(f"{fetched.repo}: {name} has come twice with another SHA-256 than {CHECKSUMS} states")


def _check_contents(plan: Download) -> None:
    for split in plan.splits:
        Dataset(plan.spec, plan.folder, split)  # compares the fingerprint of the manifest
    if plan.trusted:
        return
    new = set(plan.missing)
    for split in plan.splits:
        for row in reference_rows(plan.folder, split):
            if row["input_path"] not in new and row["target_path"] not in new:
                continue
            if all((plan.folder / row[key]).is_file() for key in ("input_path", "target_path")):
                for problem in contents(plan.folder, row):
                    for key in ("input_path", "target_path"):
                        (plan.folder / row[key]).unlink()
                    raise CheckError(f"{plan.fetched.repo}: {problem}; its files were deleted again")
