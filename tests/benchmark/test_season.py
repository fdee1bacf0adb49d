"""A season from its creation to anyone's verification, what it must not tell, and how tampering is seen."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from mini_tasks import mini_contrast_task, mini_low_dose_task, mini_organelle_task, mini_pair_task, mini_task
from seasons import LABELS, change_array, change_json, every_byte, forms, leaks, number_forms, packed

import sxtbench.benchmark.season as seasons_module
import sxtbench.benchmark.season_create as create_module
from sxtbench.benchmark.result import aggregate, load_result
from sxtbench.benchmark.season import Kept, Season, commitment_of, open_season, read_record, salted_hashes
from sxtbench.benchmark.season_create import create
from sxtbench.benchmark.season_reveal import reveal
from sxtbench.benchmark.season_score import enter, hidden_task
from sxtbench.benchmark.season_verify import verify_season
from sxtbench.benchmark.submission_checks import check_submission
from sxtbench.benchmark.task import Task
from sxtbench.datasets import low_dose
from sxtbench.datasets.dataset import Dataset
from sxtbench.datasets.reconstruct import reconstruct
from sxtbench.datasets.regenerated import regenerate
from sxtbench.datasets.store import open_hierarchy
from sxtbench.datasets.verify import verify
from sxtbench.errors import CheckError, InputError
from sxtbench.hashing import sha256_file

TASKS: dict[str, Callable[[], Task]] = {
    "flat grid": mini_task,
    "cube": mini_organelle_task,
    "low dose": mini_low_dose_task,
    "two lights": mini_contrast_task,
    "two scans": lambda: mini_pair_task("interior-reconstruction"),
}


@pytest.fixture(scope="module")
def known() -> Iterator[dict[str, Task]]:
    """What `open_season` takes for the tasks of this version."""
    tasks: dict[str, Task] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seasons_module, "get_task", lambda name, tier: tasks[name])
        yield tasks


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory, known: dict[str, Task]) -> Season:
    """A season of the mini task before anyone answered."""
    task = mini_task()
    known[task.name] = task
    return create(task, tmp_path_factory.mktemp("season"), count=2, submissions_a_team=2)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory, hidden: Season) -> tuple[Season, Path]:
    """The same with one submission scored, and the submission."""
    place = tmp_path_factory.mktemp("scored")
    shutil.copytree(hidden.public.parent, place / "season")
    season = open_season(place / "season")
    submission = packed(season, place, method="fbp-otsu")
    score(season, submission)
    return season, submission


@pytest.fixture(scope="module")
def revealed(tmp_path_factory: pytest.TempPathFactory, scored: tuple[Season, Path]) -> Path:
    """What is published in the end, without the organiser's folder."""
    place = tmp_path_factory.mktemp("revealed")
    shutil.copytree(scored[0].public.parent, place / "season")
    reveal(open_season(place / "season"))
    return place / "season" / "public"


def score(season: Season, path: Path, **options: Any) -> Path:
    task = hidden_task(season)
    found = check_submission(path, find_task=lambda name, tier: task)
    assert found.faults == []
    assert found.submission is not None
    entry, _ = enter(season, path, found.submission, **options)
    return season.public / "aggregates" / entry.result


def kept(season: Season) -> Kept:
    return read_record(season.organiser / "secret.json", Kept)


@pytest.mark.parametrize("name", TASKS)
def test_no_published_byte_tells_the_seed_or_the_truth(tmp_path: Path, known: dict[str, Task], name: str) -> None:
    task = TASKS[name]()
    known[task.name] = task
    season = create(task, tmp_path / "season", count=2)
    bits = kept(season).secret
    secrets = [form for part in (bits.seed, bits.nonce, bits.salt) for form in forms(part)]
    rows = pq.read_table(season.organiser / "data" / "manifest" / "private.parquet").to_pylist()
    truth: list[bytes] = []
    for row in rows:
        with open_hierarchy(season.organiser / "data" / row["target_path"]) as root:
            names = [n for n in ("true_angles_deg", "true_shifts/interior", "true_shifts/full") if n in root]
            arrays = [np.asarray(root[n][...]) for n in names]
            truth += [np.asarray(root["labels/0"][...]).tobytes()]
        truth += [form for array in arrays for form in number_forms(array)]
        truth += [row[column].encode() for column in ("labels_sha256", "target_sha256", "objects_sha256")]
    assert leaks(season.public, secrets) == []
    assert leaks(season.public, truth) == []
    assert leaks(season.organiser, secrets) == ["secret.json"]
    assert len(leaks(season.organiser, truth)) > 2 * len(rows)
    assert verify(season.public / "data") == []
    [public, whole] = (place / "data" / "inputs" / "private" for place in (season.public, season.organiser))
    assert [path.read_bytes() for path in sorted(public.iterdir())] == [p.read_bytes() for p in sorted(whole.iterdir())]
    data = season.task.dataset("private")
    assert [set(sample.condition.items()) for sample in data] == [set(data.spec.reference.items())] * 2
    # What is published is the exposure from which the reconstruction was made, thinned or cropped.
    made = reconstruct("fbp", data.spec, data[0].series, data[0].shape)
    assert np.abs(data[0].reconstructions["fbp"] - made).max() <= 2**-12 * 1.001


def test_only_the_reference_level_is_published(hidden: Season) -> None:
    sample = hidden.task.dataset("private")[0]
    angles = sample.tilt_series.angles_deg
    assert angles.max() - angles.min() <= 100
    assert {row["condition_tilt_range_deg"] for row in manifest(hidden)} == {100.0}


def test_the_full_dose_is_not_published(tmp_path: Path, known: dict[str, Task]) -> None:
    task = mini_low_dose_task()
    known[task.name] = task
    season = create(task, tmp_path, count=2)
    sample = season.task.dataset("private")[0]
    recipe = task.dataset_spec.recipe.model_copy(update={"seed": int(kept(season).secret.seed, 16)})
    full = low_dose.simulate(recipe, "private", 0).series
    share = sample.series["main"].counts.sum(dtype=np.int64) / full["main"].counts.sum(dtype=np.int64)
    assert share == pytest.approx(0.1, rel=0.02)
    assert set(sample.series) == {"main", "paired", "paired_low"}
    np.testing.assert_array_equal(sample.series["paired"].counts, full["paired"].counts)
    assert "reference_information" in hidden_task(season).dataset("private", targets=True)[0].targets


def manifest(season: Season) -> list[dict[str, Any]]:
    return pq.read_table(season.public / "data" / "manifest" / "private.parquet").to_pylist()


def test_what_is_published_is_listed_by_name(hidden: Season) -> None:
    present = {path.relative_to(hidden.public).as_posix() for path in hidden.public.rglob("*") if path.is_file()}
    assert present == {
        "README.md",
        "commitment.json",
        *(f"data/{name}" for name in ("CHANGELOG.md", "LICENSE", "README.md", "SHA256SUMS", "dataset.json")),
        *(f"data/recipe/{name}" for name in ("environment.json", "recipe.yaml")),
        *(f"data/inputs/private/private-0000{index}.zarr.zip" for index in range(2)),
        "data/manifest/private.parquet",
    }
    told = {name for row in manifest(hidden) for name, value in row.items() if value is not None}
    assert told == {
        *("id", "group", "split", "reference", "condition_tilt_range_deg", "condition_photons", "voxel_size_nm"),
        *("energy_ev", "stored_views", "content_sha256", "input_path", "input_sha256", "floored_share"),
        *("shape_zyx", "pixel_size_nm"),
    }
    times = {path.stat().st_mtime for path in (hidden.public / "data").rglob("*")}
    assert len(times) == 1
    assert (hidden.organiser.stat().st_mode & 0o777, (hidden.organiser / "secret.json").stat().st_mode & 0o777) == (
        0o700,
        0o600,
    )


def test_the_truth_is_not_to_be_had_from_the_inputs(hidden: Season) -> None:
    data = hidden.task.dataset("private", targets=True)
    with pytest.raises(InputError, match="private-00000: its truth is hidden"):
        _ = data[0].targets
    assert isinstance(data, Dataset)


def test_two_seasons_have_nothing_in_common(hidden: Season, tmp_path: Path) -> None:
    other = create(hidden.task, tmp_path, count=2)
    assert kept(other).secret.seed != kept(hidden).secret.seed
    assert not {row["content_sha256"] for row in manifest(other)} & {row["content_sha256"] for row in manifest(hidden)}
    assert other.stated.fingerprint != hidden.stated.fingerprint


def test_an_interrupted_creation_goes_on(
    known: dict[str, Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = mini_task()
    known[task.name] = task

    def stop(*words: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        create(task, tmp_path, count=2, progress=stop)
    first = tmp_path / "organiser" / "data" / "inputs" / "private" / "private-00000.zarr.zip"
    made, secret = first.stat().st_mtime_ns, (tmp_path / "organiser" / "secret.json").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(create_module, "write_checksums", stop)
        with pytest.raises(KeyboardInterrupt):
            create(task, tmp_path, count=2)
    assert not list((tmp_path / "public").rglob("*.zip"))
    with pytest.raises(InputError, match="it is unfinished, run `season create` again"):
        open_season(tmp_path)
    season = create(task, tmp_path, count=2)
    assert (first.stat().st_mtime_ns, (tmp_path / "organiser" / "secret.json").read_bytes()) == (made, secret)
    assert create(task, tmp_path, count=2).stated == season.stated
    with pytest.raises(InputError, match=r"holds another season \(specimens is 2, not 3\)"):
        create(task, tmp_path, count=3)


def test_other_folders_and_silly_terms_are_refused(known: dict[str, Task], tmp_path: Path) -> None:
    task = mini_task()
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty and holds no season"):
        create(task, tmp_path, count=2)
    with pytest.raises(InputError, match="at least 2 specimens and 1 submission a team, not 1 and 3"):
        create(task, tmp_path / "new", count=1)
    with pytest.raises(InputError, match="no season there"):
        open_season(tmp_path)
    assert not (tmp_path / "new").exists()


def test_a_private_split_is_never_made_from_the_public_seed(hidden: Season, tmp_path: Path) -> None:
    shutil.copytree(hidden.public, tmp_path / "public")
    (tmp_path / "public" / "data" / "SHA256SUMS").unlink()
    with pytest.raises(InputError, match="needs a secret seed"):
        open_season(tmp_path).task.dataset("private")


def test_only_means_are_told_before_the_reveal(scored: tuple[Season, Path]) -> None:
    season, submission = scored
    [path] = (season.public / "aggregates").iterdir()
    result = load_result(path)
    whole = load_result(season.organiser / "results" / path.name)
    assert (result.rows, result.previews, result.origin, result.split) == ((), (), "scored", "private")
    assert result.aggregates == whole.aggregates
    assert len(whole.rows) > 2
    assert not leaks(season.public / "aggregates", [b"private-0000"])
    assert result.headline.n_groups == 2
    assert score(season, submission) == path  # the same again counts once
    assert len(list((season.public / "aggregates").iterdir())) == 1


def test_probing_is_limited(scored: tuple[Season, Path], tmp_path: Path) -> None:
    shutil.copytree(scored[0].public.parent, tmp_path / "season")
    season = open_season(tmp_path / "season")
    score(season, packed(season, tmp_path, name="second"))
    third = packed(season, tmp_path, name="third")
    with pytest.raises(CheckError, match=r"A\. Person has had 2 of 2 submissions"):
        score(season, third)
    assert score(season, third, team="B").name == "003-third.json"


def test_a_participant_cannot_score(hidden: Season, tmp_path: Path) -> None:
    shutil.copytree(hidden.public, tmp_path / "downloaded")
    with pytest.raises(InputError, match="only the organiser has what submissions are scored against"):
        hidden_task(open_season(tmp_path / "downloaded"))


def test_nothing_is_scored_after_the_reveal(revealed: Path, scored: tuple[Season, Path]) -> None:
    with pytest.raises(InputError, match="the season is revealed"):
        score(open_season(revealed.parent), scored[1])


def test_anyone_verifies(revealed: Path, scored: tuple[Season, Path], tmp_path: Path) -> None:
    shutil.copytree(revealed, tmp_path / "downloaded")
    season = open_season(tmp_path / "downloaded")
    assert verify_season(season, [scored[1]]) == []
    assert regenerate(season.public / "data", season.task.dataset_spec, 1) == []
    assert season.task.dataset("private", targets=True)[0].targets["labels"].max() > 0
    with pytest.raises(InputError, match="not revealed yet"):
        verify_season(scored[0])
    stranger = packed(season, tmp_path, name="stranger")
    [told] = verify_season(season, [stranger])
    assert "is not in the ledger" in told


def test_creation_is_repeatable_from_the_seed(revealed: Path, scored: tuple[Season, Path]) -> None:
    """The commitment follows from what is revealed and nothing else."""
    opened = json.loads((revealed / "reveal.json").read_text())
    stated = json.loads((revealed / "commitment.json").read_text())
    digest = stated.pop("commitment")
    secret = kept(scored[0]).secret
    assert commitment_of(stated, secret, opened) == digest
    assert salted_hashes(revealed / "data", secret.salt)["labels"] == opened["labels"]


def relabel(public: Path) -> None:
    change_array(public / "data", LABELS, "labels/0")


def relabel_and_rehash(public: Path) -> None:
    relabel(public)
    salt = json.loads((public / "reveal.json").read_text())["salt"]
    change_json(public / "reveal.json", lambda c: c.update(salted_hashes(public / "data", salt)))


def other_seed(public: Path) -> None:
    change_json(public / "reveal.json", lambda c: c.update(seed="ab" * 32))


def other_seed_and_commitment(public: Path) -> None:
    other_seed(public)
    opened = read_record(public / "reveal.json", seasons_module.Reveal)
    stated = json.loads((public / "commitment.json").read_text())
    stated.pop("commitment")
    digest = commitment_of(stated, opened, {"labels": opened.labels, "targets": opened.targets})
    change_json(public / "commitment.json", lambda c: c.update(commitment=digest))


def other_counts(public: Path) -> None:
    change_array(public / "data", LABELS.replace("targets", "inputs"), "tilt_series/main/counts")


def other_means(public: Path) -> None:
    [path] = (public / "aggregates").iterdir()
    change_json(path, lambda c: c["aggregates"][0].update(mean=0.9))


def other_means_in_the_ledger(public: Path) -> None:
    other_means(public)
    into_ledger(public)


def into_ledger(public: Path) -> None:
    [path] = (public / "aggregates").iterdir()
    digest = sha256_file(path)
    change_json(public / "reveal.json", lambda c: c["ledger"]["entries"][0].update(aggregates_sha256=digest))


def other_values(public: Path) -> None:
    [path] = (public / "results").iterdir()
    change_json(path, lambda c: c["rows"][0].update(value=0.9))


def other_values_throughout(public: Path) -> None:
    """What an organiser can do who also rewrites what was published before."""
    [whole], [means] = (list((public / name).iterdir()) for name in ("results", "aggregates"))
    result = load_result(whole)
    rows = tuple(row.model_copy(update={"value": 0.9}) for row in result.rows)
    better = result.model_copy(update={"rows": rows, "aggregates": aggregate(rows, result.axes)})
    better.save(whole)
    flags = load_result(means).flags
    better.model_copy(update={"rows": (), "flags": flags}).save(means)
    into_ledger(public)


def one_too_many(public: Path) -> None:
    def add(content: dict[str, Any]) -> None:
        [entry] = content["ledger"]["entries"]
        content["ledger"]["entries"] = [entry] * 3

    change_json(public / "reveal.json", add)


TAMPERING: list[tuple[Callable[[Path], object], str]] = [
    (relabel, "private-00001: its labels are not those that were committed to"),
    (relabel_and_rehash, "reveal.json: its seed, nonce, salt or hashes, or the terms, are not those"),
    (other_seed, "reveal.json: its seed, nonce, salt or hashes, or the terms, are not those"),
    (other_seed_and_commitment, "private-00000: made anew from the seed, inputs tilt_series/main/counts: "),
    (other_counts, "data/private-00001: its arrays have not the content_sha256 of the manifest"),
    (other_means, "aggregates/001-mine.json: has changed since it was scored"),
    (other_means_in_the_ledger, "results/001-mine.json: its means are not those that were published before"),
    (other_values, "results/001-mine.json: mine: mean of miou@1"),
    (other_values_throughout, "results/001-mine.json: {submission} scores otherwise"),
    (one_too_many, "reveal.json: A. Person had 3 submissions scored, 2 were allowed"),
    (lambda p: next((p / "results").iterdir()).unlink(), "results/001-mine.json: is missing"),
    (lambda p: (p / "aggregates" / "x.json").write_text("{}"), "aggregates/x.json: is not in the ledger"),
    (lambda p: (p / "data" / LABELS).unlink(), f"data/{LABELS}: missing"),
    (lambda p: change_json(p / "commitment.json", lambda c: c.update(submissions_a_team=9)), "or the terms, are not"),
]


@pytest.mark.parametrize(("tamper", "said"), TAMPERING)
def test_tampering_is_seen(
    revealed: Path, scored: tuple[Season, Path], tmp_path: Path, tamper: Callable[[Path], object], said: str
) -> None:
    shutil.copytree(revealed, tmp_path / "public")
    tamper(tmp_path / "public")
    problems = verify_season(open_season(tmp_path), [scored[1]])
    assert any(said.format(submission=scored[1]) in line for line in problems), problems


@pytest.mark.parametrize("gone", ["nonce", "seed", "salt", "labels"])
def test_a_reveal_without_a_part_opens_nothing(revealed: Path, tmp_path: Path, gone: str) -> None:
    shutil.copytree(revealed, tmp_path / "public")
    change_json(tmp_path / "public" / "reveal.json", lambda c: c.pop(gone))
    with pytest.raises(CheckError, match=rf"reveal.json: {gone}: Field required"):
        verify_season(open_season(tmp_path))


def test_the_search_for_leaks_finds_what_is_planted(hidden: Season, tmp_path: Path) -> None:
    shutil.copytree(hidden.public, tmp_path / "public")
    seed = kept(hidden).secret.seed
    for number, form in enumerate(forms(seed)):
        (tmp_path / "public" / "planted").write_bytes(b"x" + form + b"y")
        assert leaks(tmp_path / "public", forms(seed)) == ["planted"], number
    assert len(dict(every_byte(tmp_path / "public"))) > 20
