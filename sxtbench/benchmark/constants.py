"""The constants of a baseline: one set a tier, with exceptions for levels of an axis (PROTOCOL 3)."""

from collections.abc import Mapping
from typing import Any

from sxtbench.datasets.dataset import Sample


def constants_for(tiers: Mapping[str, Mapping[str, Any]], sample: Sample) -> dict[str, Any]:
    """Return the constants for a sample: those of its tier, over them those of its level.

    Parameters
    ----------
    tiers : mapping
        By tier, from a `config.yaml`: constants by name, and optionally `levels`, by `<axis>=<level>`, with those that
        differ there. A tier that is not there takes the constants of the last one.
    sample : Sample
        Its tier and its condition choose.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> tiers = {"tiny": {"iterations": 20, "levels": {"tilt_range_deg=80": {"iterations": 12}}}}
    >>> sample = SimpleNamespace(metadata={"tier": "tiny"}, condition={"tilt_range_deg": 80.0, "photons": 1.0})
    >>> constants_for(tiers, sample)
    {'iterations': 12}
    """
    chosen = dict(tiers.get(sample.metadata["tier"]) or list(tiers.values())[-1])
    levels = chosen.pop("levels", {})
    for axis, level in sample.condition.items():
        chosen.update(levels.get(f"{axis}={level:g}", {}))
    return chosen
