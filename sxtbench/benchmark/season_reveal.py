"""Reveal a season: the seed, the truth and every value that was scored go into the folder that is published."""

import shutil
from pathlib import Path

from sxtbench.benchmark.season import (
    DATA,
    RESULTS,
    REVEAL,
    SECRET,
    Kept,
    Reveal,
    Season,
    read_ledger,
    read_record,
    salted_hashes,
    write_record,
)
from sxtbench.benchmark.season_score import hidden_task
from sxtbench.datasets.build import dataset_files
from sxtbench.files import atomic_path


def reveal(season: Season) -> Path:
    """Copy the truth and the results to the published folder, then write `reveal.json`; a rerun continues.

    `data/` is then a dataset like any other, with targets.

    Parameters
    ----------
    season : Season
        The organiser's copy.

    Returns
    -------
    Path
        Of `reveal.json`.

    Raises
    ------
    InputError
        Where this is not the organiser's copy.
    """
    hidden_task(season)
    secret = read_record(season.organiser / SECRET, Kept).secret
    data = season.organiser / DATA
    for name in (*dataset_files(data), "SHA256SUMS"):
        _copy(data / name, season.public / DATA / name)
    ledger = read_ledger(season.organiser)
    for entry in ledger.entries:
        _copy(season.organiser / RESULTS / entry.result, season.public / RESULTS / entry.result)
    opened = Reveal(**secret.model_dump(), **salted_hashes(data, secret.salt), ledger=ledger)
    write_record(season.public / REVEAL, opened)
    return season.public / REVEAL


def _copy(source: Path, target: Path) -> None:
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
