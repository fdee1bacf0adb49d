"""Verify a revealed season: the commitment, the split made anew from the seed, the scores."""

import math
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sxtbench.benchmark.result import Result, check_aggregates, load_result
from sxtbench.benchmark.season import (
    AGGREGATES,
    DATA,
    RESULTS,
    REVEAL,
    Reveal,
    Season,
    commitment_of,
    read_record,
    salted_hashes,
    with_private,
)
from sxtbench.benchmark.season_score import only_means, score_in_season, submission_digest
from sxtbench.benchmark.submission_checks import check_submission
from sxtbench.datasets.build import build
from sxtbench.datasets.regenerated import differences
from sxtbench.datasets.spec import PRIVATE, group_id
from sxtbench.datasets.verify import verify
from sxtbench.errors import CheckError, InputError
from sxtbench.hashing import sha256_file

Report = Callable[[str], None]


def verify_season(
    season: Season, submissions: Sequence[Path] = (), *, workers: int = 1, progress: Report | None = None
) -> list[str]:
    """Return what is wrong with a revealed season, one line a problem; an empty list where all is well.

    Parameters
    ----------
    season : Season
        As it was published.
    submissions : sequence of Path
        Of which the scores are computed again; those that were scored, where they are to be had.
    workers : int
        Processes that generate specimens.
    progress : callable, optional
        Called with the name of each thing that was checked.

    Raises
    ------
    InputError
        Where the season is not revealed yet.
    CheckError
        Where `reveal.json` does not say what opens the commitment.
    """
    path, report = season.public / REVEAL, progress or (lambda name: None)
    if not season.revealed:
        raise InputError(
            f"{season.public}: not revealed yet (no {REVEAL}); the organiser writes it when the season ends"
        )
    try:
        opened = read_record(path, Reveal)
    except InputError as error:
        raise CheckError(str(error)) from None
    problems = [f"{DATA}/{line}" for line in verify(season.public / DATA, progress=report)]
    if not problems:  # or else the same fault would be told again in other words
        problems += [*_commitment(season, opened), *_ledger(season, opened)]
    if not problems:
        problems += _regenerated(season, opened, workers, report)
        for submission in submissions:
            problems += _rescored(season, opened, submission, report)
    return problems


def _commitment(season: Season, opened: Reveal) -> Iterator[str]:
    """Compare what is published with what was committed to."""
    stated = season.stated.model_dump(mode="json", exclude={"commitment"})
    if commitment_of(stated, opened, {"labels": opened.labels, "targets": opened.targets}) != season.stated.commitment:
        yield f"{REVEAL}: its seed, nonce, salt or hashes, or the terms, are not those that were committed to"
    groups = [group_id(PRIVATE, index) for index in range(season.stated.specimens)]
    if season.task.dataset(PRIVATE).fingerprint != season.stated.fingerprint:
        yield f"{DATA}: its inputs are not those that were committed to"
    for kind, found in salted_hashes(season.public / DATA, opened.salt).items():
        committed = getattr(opened, kind)
        if not committed.keys() == found.keys() == set(groups):
            yield f"{DATA}/targets: not the {len(groups)} specimens that were committed to"
            continue
        for group in groups:
            if found[group] != committed[group]:
                yield f"{group}: its {kind} are not those that were committed to"


def _ledger(season: Season, opened: Reveal) -> Iterator[str]:
    """Compare the results with the ledger, and their means with their values."""
    entries = opened.ledger.entries
    teams = Counter(entry.team for entry in entries)
    for team, count in teams.items():
        if count > season.stated.submissions_a_team:
            yield f"{REVEAL}: {team} had {count} submissions scored, {season.stated.submissions_a_team} were allowed"
    listed = {entry.result for entry in entries}
    for folder in (AGGREGATES, RESULTS):
        present = {file.name for file in (season.public / folder).glob("*.json")}
        yield from (f"{folder}/{name}: is not in the ledger" for name in sorted(present - listed))
        yield from (f"{folder}/{name}: is missing" for name in sorted(listed - present))
    for entry in entries:
        means, values = (season.public / folder / entry.result for folder in (AGGREGATES, RESULTS))
        if not (means.is_file() and values.is_file()):
            continue
        if sha256_file(means) != entry.aggregates_sha256:
            yield f"{AGGREGATES}/{entry.result}: has changed since it was scored"
            continue
        try:
            result = load_result(values)
            check_aggregates(result)
            if only_means(result).to_json() != means.read_text(encoding="utf-8"):
                yield f"{RESULTS}/{entry.result}: its means are not those that were published before the reveal"
            if (result.fingerprint, result.task_hash) != (season.stated.fingerprint, season.stated.task_hash):
                yield f"{RESULTS}/{entry.result}: was scored on other data"
        except InputError as error:
            yield f"{RESULTS}/{entry.result}: {error}"


def _regenerated(season: Season, opened: Reveal, workers: int, report: Report) -> Iterator[str]:
    """Make the split from the seed and compare every array of it."""
    with tempfile.TemporaryDirectory(prefix="sxtbench-season-") as name:
        place = Path(name) / DATA
        spec = with_private(season.task, season.stated.specimens, place).private_spec
        assert spec is not None

        def made(group: str) -> None:
            report(f"{group} made anew")

        build(spec, place, splits=[PRIVATE], workers=workers, seed=int(opened.seed, 16), progress=made)
        for index in range(season.stated.specimens):
            group = group_id(PRIVATE, index)
            for part in ("inputs", "targets"):
                file = f"{part}/{PRIVATE}/{group}.zarr.zip"
                for line in differences(season.public / DATA / file, place / file):
                    yield f"{group}: made anew from the seed, {part} {line}"


def _rescored(season: Season, opened: Reveal, path: Path, report: Report) -> Iterator[str]:
    """Score a submission again and compare each value."""
    found = check_submission(path, find_task=lambda name, tier: season.task)
    if found.faults or found.submission is None:
        yield f"{path}: is not valid: {(found.faults or [found.unchecked])[0]}"
        return
    digest = submission_digest(path)
    entry = next((entry for entry in opened.ledger.entries if entry.submission_sha256 == digest), None)
    if entry is None:
        yield f"{path}: is not in the ledger, so it was not scored in this season"
        return
    again = score_in_season(season.stated, path, found.submission, season.task, progress=report)
    if not _equal(load_result(season.public / RESULTS / entry.result), again):
        yield f"{RESULTS}/{entry.result}: {path} scores otherwise"


def _equal(published: Result, again: Result) -> bool:
    """Whether two results hold the same values, up to the last digits of another machine."""
    old, new = (
        {(r.sample, r.metric, r.class_, tuple(sorted(r.condition.items()))): r.value for r in result.rows}
        for result in (published, again)
    )
    return old.keys() == new.keys() and all(
        math.isclose(value, new[key], rel_tol=1e-6, abs_tol=1e-9) or (math.isnan(value) and math.isnan(new[key]))
        for key, value in old.items()
    )
