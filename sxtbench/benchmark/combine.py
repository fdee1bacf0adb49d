"""Results of one method that was trained with several seeds, put into one whose intervals cover the seeds too."""

import math
from collections.abc import Sequence
from statistics import fmean

from sxtbench.benchmark.aggregate import aggregate
from sxtbench.benchmark.compare import require_comparable
from sxtbench.benchmark.result import Resources, Result, Row, Shifted, WallTime
from sxtbench.benchmark.seeds import FEWEST_SEEDS
from sxtbench.errors import InputError


def combine(results: Sequence[Result]) -> Result:
    """Put the results of several trainings of one method into one.

    Parameters
    ----------
    results : sequence of Result
        Three or more, of one method on the same data. Each names the seed of its training, another one each; where none
        names any (weights that were trained elsewhere), they are numbered from 0 in the given order.

    Returns
    -------
    Result
        Rows of all, each with its seed. Wall times are means over the trainings, peak memory is the largest, and what
        else there is to tell is that of the first.

    Raises
    ------
    InputError
        For fewer than three results, of other methods, tracks or data, or of the same seed.

    Examples
    --------
    >>> from sxtbench.benchmark.result import load_result
    >>> from sxtbench.content import content_folder
    >>> folder = content_folder("leaderboard") / "results" / "limited-angle-segmentation" / "tiny"
    >>> one = load_result(folder / "gradient-boosting.json")
    >>> seeds = [one.model_copy(update={"method": one.method.model_copy(update={"seeds": (k,)})}) for k in range(3)]
    >>> found = combine(seeds)
    >>> found.n_seeds, found.headline.method, found.headline.n_groups
    (3, 'seeds', 6)
    """
    if len(results) < FEWEST_SEEDS:
        raise InputError(f"{len(results)} results, expected those of at least {FEWEST_SEEDS} training seeds")
    first = results[0]
    for other in results:
        require_comparable(first, other, first.primary)
        for name in ("name", "track"):
            one, two = getattr(first.method, name), getattr(other.method, name)
            if one != two:
                raise InputError(f"results are of method {name} {one!r} and {two!r}, expected one method's")
        if other.n_seeds > 1 or {row.seed for row in other.rows} != {None}:
            raise InputError(f"{other.method.name}: one of the results is of several seeds already")
    seeds = _seeds_of(results)
    rows = _with_seeds([result.rows for result in results], seeds)
    return Result(
        **{name: getattr(first, name) for name in Result.model_fields}
        | {
            "method": first.method.model_copy(update={"seeds": seeds}),
            "flags": tuple(dict.fromkeys(flag for result in results for flag in result.flags)),
            "resources": _resources([result.resources for result in results]),
            "rows": rows,
            "aggregates": aggregate(rows, first.axes),
            "shifted": _shifted(results, seeds),
        }
    )


def _seeds_of(results: Sequence[Result]) -> tuple[int, ...]:
    named = [result.method.seeds for result in results]
    if not any(named):
        return tuple(range(len(results)))
    if any(len(seeds) != 1 for seeds in named):
        raise InputError(f"{results[0].method.name}: results name the seeds {named}, expected one each or none at all")
    found = tuple(seeds[0] for seeds in named)
    if len(set(found)) < len(found):
        twice = next(seed for seed in found if found.count(seed) > 1)
        raise InputError(f"{results[0].method.name}: two results are of seed {twice}, expected another seed each")
    return found


def _with_seeds(parts: Sequence[tuple[Row, ...]], seeds: Sequence[int]) -> tuple[Row, ...]:
    return tuple(row.model_copy(update={"seed": seed}) for part, seed in zip(parts, seeds, strict=True) for row in part)


def _shifted(results: Sequence[Result], seeds: Sequence[int]) -> Shifted | None:
    parts = [result.shifted for result in results if result.shifted is not None]
    if not parts:
        return None
    if len(parts) < len(results) or len({part.fingerprint for part in parts}) > 1:
        raise InputError(f"{results[0].method.name}: not all results are of the same shifted domain; score them again")
    rows = _with_seeds([part.rows for part in parts], seeds)
    return Shifted(fingerprint=parts[0].fingerprint, rows=rows, aggregates=aggregate(rows, results[0].axes))


def _resources(parts: Sequence[Resources]) -> Resources:
    def mean(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return fmean(known) if len(known) == len(values) else None

    most = max((part.peak_memory_mb or -math.inf for part in parts), default=-math.inf)
    return parts[0].model_copy(
        update={
            "wall_time_s": WallTime(
                fit=mean([part.wall_time_s.fit for part in parts]),
                predict=mean([part.wall_time_s.predict for part in parts]),
            ),
            "peak_memory_mb": most if math.isfinite(most) else None,
        }
    )
