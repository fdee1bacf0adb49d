"""Score a submission of a season: means to publish at once, the rest for the reveal, a line in the ledger."""

from collections.abc import Callable
from pathlib import Path

from sxtbench.benchmark.evaluate import file_name
from sxtbench.benchmark.hostile import opened, whole
from sxtbench.benchmark.result import Result
from sxtbench.benchmark.season import (
    AGGREGATES,
    DATA,
    LEDGER,
    RESULTS,
    SECRET,
    Commitment,
    Entry,
    Ledger,
    Season,
    read_ledger,
    with_private,
    write_record,
)
from sxtbench.benchmark.submission import CHECKSUMS, Submission
from sxtbench.benchmark.submission_checks import score_submission
from sxtbench.benchmark.task import Task
from sxtbench.errors import CheckError, InputError
from sxtbench.hashing import sha256_bytes, sha256_file

ONLY_MEANS = "values of samples are published when the season is revealed"
"""Flag of a result that holds aggregates only."""

_MOST_CHECKSUMS = 4 << 20


def hidden_task(season: Season) -> Task:
    """Return the task of a season with its truth in reach.

    Raises
    ------
    InputError
        Where this is not the organiser's copy.
    """
    if not (season.organiser / SECRET).is_file():
        raise InputError(f"{season.organiser}: is not here; only the organiser has what submissions are scored against")
    return with_private(season.task, season.stated.specimens, season.organiser / DATA)


def enter(
    season: Season, path: Path, submission: Submission, *, team: str = "", progress: Callable[[str], None] | None = None
) -> tuple[Entry, bool]:
    """Score a submission that `check_submission` found valid, and write it down.

    Parameters
    ----------
    season : Season
        The organiser's copy, before the reveal.
    path : Path
        The submission.
    submission : Submission
        What it says of itself.
    team : str
        Who sent it; by default its authors.
    progress : callable, optional
        Called with the id of each sample that is scored.

    Returns
    -------
    Entry
        Of the ledger.
    bool
        Whether it is new: the same submission is scored once, and counted once.

    Raises
    ------
    InputError
        After the reveal, and where this is not the organiser's copy.
    CheckError
        Where the team has had its number of submissions.
    """
    task = hidden_task(season)
    if season.revealed:
        raise InputError(f"{season.public}: the season is revealed; answers that come now may have seen the truth")
    ledger = read_ledger(season.organiser)
    digest = submission_digest(path)
    for entry in ledger.entries:
        if entry.submission_sha256 == digest:
            return entry, False
    name = team or ", ".join(sorted(submission.method.authors, key=str.casefold))[:300]
    had, limit = sum(entry.team == name for entry in ledger.entries), season.stated.submissions_a_team
    if had >= limit:
        raise CheckError(f"{path}: not scored, {name} has had {had} of {limit} submissions; more would probe the truth")
    number = len(ledger.entries) + 1
    file = f"{number:03d}-{file_name(submission.method.name)}.json"
    result = score_in_season(season.stated, path, submission, task, progress=progress)
    whole_results, means = season.organiser / RESULTS, season.public / AGGREGATES
    for folder in (whole_results, means):
        for stale in folder.glob(f"{number:03d}-*.json"):  # of a run that was killed
            stale.unlink()
    result.save(whole_results / file)
    published = only_means(result).save(means / file)
    entry = Entry(
        number=number,
        team=name,
        method=submission.method.name,
        submission_sha256=digest,
        result=file,
        aggregates_sha256=sha256_file(published),
    )
    write_record(season.organiser / LEDGER, Ledger(entries=(*ledger.entries, entry)))
    return entry, True


def score_in_season(
    stated: Commitment,
    path: Path,
    submission: Submission,
    task: Task,
    *,
    progress: Callable[[str], None] | None = None,
) -> Result:
    """Return the whole result of a valid submission, with a flag that names the season."""
    result = score_submission(path, submission, task, progress=progress)
    flag = f"private split of the season {stated.commitment[:16]}"
    return result.model_copy(update={"flags": (*result.flags, flag)})


def only_means(result: Result) -> Result:
    """Return a result without the values of its samples: what is published before the reveal."""
    return result.model_copy(update={"rows": (), "flags": (*result.flags, ONLY_MEANS)})


def submission_digest(path: Path) -> str:
    """Return what tells submissions apart: the SHA-256 of the file that holds those of all others."""
    with opened(path) as container:
        return sha256_bytes(whole(container, CHECKSUMS, _MOST_CHECKSUMS))
