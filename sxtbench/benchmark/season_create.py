"""Create a season: draw a secret seed, build the private split, publish its inputs and a commitment to its truth."""

import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

from sxtbench import __version__
from sxtbench.benchmark.season import (
    COMMITMENT,
    DATA,
    ORGANISER,
    PUBLIC,
    SECRET,
    Commitment,
    Kept,
    Season,
    Secret,
    Terms,
    commitment_of,
    open_season,
    read_record,
    salted_hashes,
    with_private,
    write_record,
)
from sxtbench.benchmark.task import Task
from sxtbench.datasets.build import VERSION, build, missing_specimens, write_checksums
from sxtbench.datasets.private import published_row
from sxtbench.datasets.spec import PRIVATE
from sxtbench.datasets.store import write_table
from sxtbench.errors import InputError
from sxtbench.files import atomic_folder, require_writable, write_text

_BYTES = 32
_TIME = 315_532_800  # 1980: when a file was made may tell how long its specimen took
_TAKEN = ("inputs", "recipe", "README.md", "LICENSE", "CHANGELOG.md", "dataset.json")
_MANIFEST = Path("manifest") / f"{PRIVATE}.parquet"

_INSTRUCTIONS = """# A season of {task}, {tier}

{specimens} specimens whose truth is hidden. `data/` holds what a method gets, at the reference level of every axis;
`commitment.json` binds the organiser to the truth. At most {limit} submissions a team are scored before the reveal.

With sxtbench {version}, from this folder:

```
sxtbench predict my_method.py:Mine --season . --out answers
sxtbench submit pack answers --season . --author "A. Person" --licence MIT --training-data none --out mine.zip
sxtbench submit validate mine.zip --season .
```

Send `mine.zip` to the organiser. Means over all specimens come back in `aggregates/`; values of specimens come with the
reveal. Afterwards anyone can check the season: `sxtbench season verify .`
"""


def create(
    task: Task,
    out: Path,
    *,
    count: int,
    submissions_a_team: int = 3,
    workers: int = 1,
    progress: Callable[[str], None] | None = None,
) -> Season:
    """Make a season, or go on with one that was interrupted.

    Parameters
    ----------
    task : Task
        From `get_task`, of the benchmark's own recipe.
    out : Path
        Gets `public/` and `organiser/`: new, empty, or an unfinished season with the same terms.
    count : int
        Specimens, at least two: a mean over one would be its value.
    submissions_a_team : int
        How many are scored before the reveal.
    workers : int
        Processes that generate specimens.
    progress : callable, optional
        Called with the id of each specimen that is done.

    Raises
    ------
    InputError
        For a folder that cannot be written or holds something else, and for a count or limit that is too small.
    """
    if count < 2 or submissions_a_team < 1:
        raise InputError(
            f"a season has at least 2 specimens and 1 submission a team, not {count} and {submissions_a_team}"
        )
    if task.dataset_spec.suffix.startswith(("+seed", "+recipe")):
        raise InputError(f"{task.dataset_spec.name}: a season has the task's own recipe")
    kept = _keep(out, _terms(task, count, submissions_a_team))
    if (out / PUBLIC / COMMITMENT).is_file():
        return open_season(out)
    data = out / ORGANISER / DATA
    hidden = with_private(task, count, data)
    assert hidden.private_spec is not None
    seed = int(kept.secret.seed, 16)
    build(hidden.private_spec, data, splits=[PRIVATE], workers=workers, seed=seed, progress=progress)
    for stale in (out / PUBLIC).glob(f".{DATA}.*.part"):  # of a run that was killed
        shutil.rmtree(stale)
    with atomic_folder(out / PUBLIC / DATA) as place:
        _publish_inputs(data, place)
    stated = {**kept.terms.model_dump(mode="json"), "fingerprint": hidden.dataset(PRIVATE).fingerprint}
    text = _INSTRUCTIONS.format(
        task=task.name, tier=task.tier, specimens=count, limit=submissions_a_team, version=__version__
    )
    write_text(out / PUBLIC / "README.md", text)
    digest = commitment_of(stated, kept.secret, salted_hashes(data, kept.secret.salt))
    write_record(out / PUBLIC / COMMITMENT, Commitment(**stated, commitment=digest))
    return open_season(out)


def missing(task: Task, out: Path, count: int) -> int:
    """Return how many specimens `create` still has to make."""
    hidden = with_private(task, count, out / ORGANISER / DATA)
    assert hidden.private_spec is not None
    return missing_specimens(hidden.private_spec, out / ORGANISER / DATA, [PRIVATE])


def _terms(task: Task, count: int, limit: int) -> Terms:
    recipe = task.dataset_spec.recipe
    return Terms(
        task=task.name,
        version=task.protocol.version,
        task_hash=task.hash,
        tier=task.tier,
        recipe_sha256=recipe.hash,
        specimens=count,
        submissions_a_team=limit,
        data_major=recipe.data_major,
        data_version=VERSION,
        sxtbench=__version__,
    )


def _keep(out: Path, terms: Terms) -> Kept:
    """Return the secret that stands there, or draw one: it is on disk before anything is made from it."""
    require_writable(out)
    organiser = out / ORGANISER
    path = organiser / SECRET
    if path.is_file():
        kept = read_record(path, Kept)
        for name in Terms.model_fields:
            found, wanted = getattr(kept.terms, name), getattr(terms, name)
            if found != wanted:
                raise InputError(
                    f"{out}: holds another season ({name} is {found!r}, not {wanted!r}); choose another --out"
                )
        return kept
    if any(file.is_file() and file.suffix != ".part" for file in out.rglob("*")):
        raise InputError(f"{out}: is not empty and holds no season; choose another --out")
    organiser.mkdir(mode=0o700, exist_ok=True)
    organiser.chmod(0o700)
    kept = Kept(terms=terms, secret=Secret(**{name: secrets.token_bytes(_BYTES).hex() for name in Secret.model_fields}))
    write_record(path, kept)
    path.chmod(0o600)
    write_text(organiser / ".gitignore", "*\n")
    return kept


def _publish_inputs(data: Path, place: Path) -> None:
    """Copy what may be seen of a dataset with targets: by name, so that nothing new slips through."""
    for name in _TAKEN:
        if (data / name).is_dir():
            shutil.copytree(data / name, place / name, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(data / name, place / name)
    write_table(place / _MANIFEST, [published_row(row) for row in pq.read_table(data / _MANIFEST).to_pylist()])
    write_checksums(place)
    for path in place.rglob("*"):
        os.utime(path, (_TIME, _TIME))
