"""The constants of a baseline: one set a tier, with exceptions for levels of an axis (PROTOCOL 3)."""

from collections.abc import Mapping
from typing import Any

from sxtbench.datasets.dataset import Sample
from sxtbench.datasets.spec import level_text


def constants_for(tiers: Mapping[str, Mapping[str, Any]], sample: Sample) -> dict[str, Any]:
    """Return the constants for a sample: those of its tier, over them those of its level.

    Parameters
    ----------
    tiers : mapping
        By dataset (`contrast-enhancement-tiny`), else by tier, from a `config.yaml`: constants by name, and optionally
        `levels`, by `<axis>=<level>`, with those that differ there. What is not there takes the constants of the last.
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
    chosen = dict(tiers[key_of(tiers, sample.metadata.get("dataset", ""), sample.metadata["tier"])])
    levels = chosen.pop("levels", {})
    for axis, level in sample.condition.items():
        chosen.update(levels.get(f"{axis}={level_text(level)}", {}))
    return chosen


def key_of(tiers: Mapping[str, Mapping[str, Any]], dataset: str, tier: str) -> str:
    """Return where a dataset finds its constants: its own name (less `+seed7`), its tier, or the last.

    >>> tiers = {"tiny": {"filter": "hann"}, "contrast-enhancement-tiny": {"filter": "ram-lak"}}
    >>> key_of(tiers, "contrast-enhancement-tiny", "tiny")
    'contrast-enhancement-tiny'
    """
    return next((name for name in (dataset.partition("+")[0], tier) if tiers.get(name)), list(tiers)[-1])
