"""Publish a dataset on the Hugging Face Hub: checked first, sent file by file, visible in one commit with a tag."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sxtbench.datasets.build import CHECKSUMS, STATEMENT, identity, read_statement
from sxtbench.datasets.hub import Published, patient, require_hub, told
from sxtbench.datasets.spec import DatasetSpec
from sxtbench.datasets.verify import read_checksums, verify
from sxtbench.errors import CheckError, InputError
from sxtbench.hashing import sha256_file

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_BATCH = 64
_THREADS = 5
_NOT_OURS = (".gitattributes", "README.md")


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A dataset that may be published.

    Parameters
    ----------
    folder : Path
        Where it lies.
    statement : dict
        Its `dataset.json`.
    files : dict of str
        SHA-256 by POSIX path, `SHA256SUMS` among them.
    sizes : dict of int
        Bytes by POSIX path.
    """

    folder: Path
    statement: dict[str, Any]
    files: dict[str, str]
    sizes: dict[str, int]

    @property
    def tag(self) -> str:
        """`v<version of the data>`."""
        return f"v{self.statement['version']}"


def prepare_upload(
    folder: Path, expected: DatasetSpec | None, *, progress: Callable[[str], None] | None = None
) -> Upload:
    """Check that a folder may be published, and list what belongs to it.

    Parameters
    ----------
    folder : Path
        A dataset, as `build` leaves it.
    expected : DatasetSpec or None
        What the benchmark's own dataset of that task and tier is; None where any dataset will do.
    progress : callable, optional
        Called with the name of each file or specimen that was checked.

    Raises
    ------
    InputError
        For a folder that is no dataset, lacks a split, is of another recipe or seed, or holds a private split.
    CheckError
        Where `verify` finds something wrong.
    """
    statement = read_statement(folder)
    if not (folder / CHECKSUMS).is_file():
        raise InputError(f"{folder}: is not finished (no {CHECKSUMS}); `sxtbench generate` continues it")
    files = read_checksums(folder)
    secret = [name for name in files if name.startswith(("targets/private/", "slices/private"))]
    if "private" in statement["splits"] or secret:
        raise InputError(f"{folder}: holds a private split ({(secret or ['dataset.json'])[0]}), which is not published")
    if expected is not None:
        _require_own(folder, statement, expected)
    problems = verify(folder, progress=progress)
    if problems:
        more = f" and {len(problems) - 1} more; see `sxtbench verify {folder}`" if len(problems) > 1 else ""
        raise CheckError(f"{folder}: is not published: {problems[0]}{more}")
    files[CHECKSUMS] = sha256_file(folder / CHECKSUMS)
    sizes = {name: (folder / name).stat().st_size for name in files}
    return Upload(folder=folder, statement=statement, files=files, sizes=sizes)


def _require_own(folder: Path, statement: dict[str, Any], expected: DatasetSpec) -> None:
    hint = "--unofficial publishes it all the same, and records nothing"
    for key, value in identity(expected).items():
        if statement.get(key) != value:
            raise InputError(f"{folder}: {key} is {statement.get(key)!r}, the benchmark's own has {value!r}; {hint}")
    if not (folder / "croissant.json").is_file():
        raise InputError(f"{folder}: has no croissant.json; `sxtbench package {folder}` completes it for publishing")
    for split, size in expected.sizes.items():
        found = statement["splits"].get(split, {}).get("specimens", 0)
        if found != size:
            raise InputError(f"{folder}: has {found} specimens of {split}, the benchmark's own has {size}; {hint}")


def upload(upload: Upload, repo: str, *, progress: Callable[[str], None] | None = None) -> Published:
    """Send a dataset to a repository of the Hub and tag it; what was sent before is not sent again.

    All files become visible in one commit, so that nobody sees half of a dataset.

    Parameters
    ----------
    upload : Upload
        From `prepare_upload`.
    repo : str
        `ORG/NAME`; made where it does not exist.
    progress : callable, optional
        Called with the name of each file that is there.

    Returns
    -------
    Published
        Where it is now.

    Raises
    ------
    InputError
        Without a token, for a repository that holds something else or that the token may not write to, for a tag that
        stands for other bytes, and where the Hub cannot be reached.
    """
    require_token()
    from huggingface_hub import HfApi

    api = HfApi()
    with told(repo):
        patient(lambda: api.create_repo(repo, repo_type="dataset", exist_ok=True))
        done = _tagged(api, repo, upload)
        if done is None:
            _require_room(api, repo, upload)
            commit = patient(lambda: _send(api, repo, upload, progress or (lambda name: None)))
            patient(lambda: api.create_tag(repo, tag=upload.tag, revision=commit, repo_type="dataset", exist_ok=True))
            done = _tagged(api, repo, upload)
    if done is None:
        raise InputError(f"{repo}: does not show the tag {upload.tag} that was set; run the same command again")
    return Published(repo=repo, version=upload.statement["version"], commit=done, sums_sha256=upload.files[CHECKSUMS])


def require_token() -> None:
    """Raise `InputError` unless there is a token for the Hub."""
    require_hub()
    from huggingface_hub import get_token

    if get_token() is None:
        raise InputError("no token: set HF_TOKEN to one that may write, or run `hf auth login`")


def _tagged(api: "HfApi", repo: str, upload: Upload) -> str | None:
    """Return the commit of this version's tag, None where there is no such tag; other bytes there are an error."""
    refs = patient(lambda: api.list_repo_refs(repo, repo_type="dataset"))
    if upload.tag not in [tag.name for tag in refs.tags]:
        return None
    found = patient(lambda: api.repo_info(repo, repo_type="dataset", revision=upload.tag)).sha
    with tempfile.TemporaryDirectory() as folder:
        path = patient(
            lambda: api.hf_hub_download(repo, CHECKSUMS, repo_type="dataset", revision=upload.tag, local_dir=folder)
        )
        if sha256_file(Path(path)) != upload.files[CHECKSUMS]:
            raise InputError(
                f"{repo}: {upload.tag} is there with other bytes, and versions do not change; a repackaging needs "
                "another PATCH version of the data (VERSION in sxtbench/datasets/build.py)"
            )
    return found


def _require_room(api: "HfApi", repo: str, upload: Upload) -> None:
    """Raise `InputError` where the repository holds something else than a version of the same dataset."""
    names = _names(api, repo)
    if STATEMENT not in names:
        others = sorted(names - set(_NOT_OURS) - set(upload.files))
        if others:
            raise InputError(f"{repo}: holds other things ({others[0]}) and no sxtbench dataset; take another --repo")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = patient(lambda: api.hf_hub_download(repo, STATEMENT, repo_type="dataset", local_dir=folder))
        try:
            there = json.loads(Path(path).read_text(encoding="utf-8"))
            name = there["name"]
        except (ValueError, TypeError, KeyError):
            raise InputError(
                f"{repo}: its {STATEMENT} is not that of an sxtbench dataset; take another --repo"
            ) from None
    if name != upload.statement["name"]:
        raise InputError(
            f"{repo}: holds another dataset ({name}), expected {upload.statement['name']}; take another --repo"
        )
    major = [str(one.get("version")).partition(".")[0] for one in (there, upload.statement)]
    if major[0] == major[1] and there.get("recipe_sha256") != upload.statement["recipe_sha256"]:
        raise InputError(f"{repo}: holds {name} {there['version']} of another recipe; another recipe is another MAJOR")


def _names(api: "HfApi", repo: str) -> set[str]:
    return set(patient(lambda: api.list_repo_files(repo, repo_type="dataset")))


def _send(api: "HfApi", repo: str, upload: Upload, progress: Callable[[str], None]) -> str:
    """Send the files, then commit them all at once; return the commit."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    head = api.repo_info(repo, repo_type="dataset").sha
    additions = []
    for name, digest in upload.files.items():
        addition = CommitOperationAdd(path_in_repo=name, path_or_fileobj=upload.folder / name)
        addition.upload_info.sha256 = bytes.fromhex(digest)  # `verify` has just read the file
        additions.append(addition)
    for start in range(0, len(additions), _BATCH):
        batch = additions[start : start + _BATCH]
        api.preupload_lfs_files(repo, batch, repo_type="dataset", num_threads=_THREADS, free_memory=False)
        for addition in batch:
            progress(addition.path_in_repo)
    stale = sorted(_names(api, repo) - set(upload.files) - {".gitattributes"})
    deletions = [CommitOperationDelete(path_in_repo=name) for name in stale]
    info = api.create_commit(
        repo,
        [*deletions, *additions],
        commit_message=f"{upload.statement['name']} {upload.statement['version']}",
        repo_type="dataset",
        parent_commit=head,
    )
    return info.oid
