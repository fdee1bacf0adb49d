"""Give a result the columns that it lacks, from the same predictions, and leave all else as it is."""

import math

from sxtbench.benchmark.records import Row, condition_text
from sxtbench.benchmark.result import Result
from sxtbench.errors import InputError

_SAME = ("task", "tier", "split", "task_hash", "fingerprint")
_FROM_SCORING = ("rows", "aggregates", "shifted", "axes")


def with_columns_of(scored: Result, old: Result) -> Result:
    """Return a result with the values of a newer scoring, once it is clear that both scored the same answers.

    What the old result says of the method, of time, memory and machine, and its pictures, stay: scoring again tells
    nothing of those.

    Parameters
    ----------
    scored : Result
        The predictions as they are scored now.
    old : Result
        What the predictions got when they were made.

    Returns
    -------
    Result

    Raises
    ------
    InputError
        If the two are of another task or of other data, or a value of the old one is not met.
    """
    for name in _SAME:
        if getattr(scored, name) != getattr(old, name):
            raise InputError(
                f"{old.method.name}: its {name.replace('_', ' ')} is {getattr(old, name)}, that of the predictions is "
                f"{getattr(scored, name)}; run the method again instead"
            )
    _check_met(scored.rows, old.rows, old.method.name)
    if old.shifted is not None:
        found = () if scored.shifted is None else scored.shifted.rows
        _check_met(found, old.shifted.rows, f"{old.method.name}, shifted domain")
    return old.model_copy(update={name: getattr(scored, name) for name in _FROM_SCORING})


def _check_met(rows: tuple[Row, ...], old: tuple[Row, ...], who: str) -> None:
    values = {_key(row): row.value for row in rows}
    for row in old:
        found = values.get(_key(row), None)
        same = found is not None and (
            math.isclose(found, row.value, rel_tol=1e-6, abs_tol=1e-9) or (math.isnan(found) and math.isnan(row.value))
        )
        if not same:
            place = f"{row.metric}{'' if row.class_ is None else f', class {row.class_}'} of {row.sample}"
            raise InputError(
                f"{who}: {place} is {row.value:.6g} in the result and {'missing' if found is None else f'{found:.6g}'} "
                "from the predictions; they are not those that it was made from"
            )


def _key(row: Row) -> tuple[str, str, str, int | None, int | None]:
    return row.sample, condition_text(row.condition), row.metric, row.class_, row.seed
