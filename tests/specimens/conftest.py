"""Recipes: yeast with the values of PROTOCOL 1.6-1.8 and 6 (tiny), and the two capillary families of families.yaml."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from sxtbench.randomness import generator
from sxtbench.specimens.bacteria import BacteriaParameters
from sxtbench.specimens.mammalian import MammalianParameters
from sxtbench.specimens.yeast import YeastParameters

FAMILIES: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("families.yaml").read_text(encoding="utf-8"))


def recipe() -> dict[str, Any]:
    near_one = {"mean": 1.0, "sd": 0.05, "min": 0.9, "max": 1.1}
    return {
        "cells": {
            "count": 1,
            "neighbour_count": 0,
            "radius_um": {"min": 1.7, "max": 2.2},
            "axis_ratio": near_one,
            "depth_offset_um": {"mean": 0.0, "sd": 0.15, "min": -0.1, "max": 0.1},
            "plane_offset_um": {"mean": 0.0, "sd": 0.2, "min": -0.5, "max": 0.5},
            "wall": {"thickness_um": 0.12, "lac_per_um": 0.45},
            "cytoplasm_lac_per_um": {"mean": 0.346, "sd": 0.027},
        },
        "vacuoles": {
            "count": [0.0, 0.5, 0.19, 0.15, 0.16],
            "radius_fraction": {"min": 0.42, "max": 0.62},
            "count_exponent": 1 / 3,
            "smallest_radius_um": 0.27,
            "axis_ratio": near_one,
            "lac_per_um": {"mean": 0.182, "sd": 0.039},
            "lac_above_ice_per_um": 0.02,
            "lac_below_cytoplasm_per_um": 0.08,
            "fragmentation": {
                "probability": 0.3,
                "radius_factor": 0.9,
                "kept_probability": 0.7,
                "smallest_radius_um": 0.27,
                "droplet_probability": 0.0,
            },
        },
        "nucleus": {
            "probability": 1.0,
            "smallest_radius_fraction": 0.28,
            "largest_radius_fraction": 0.38,
            "room_fraction": 0.93,
            "axis_ratio": 1.0,
            "lac_per_um": 0.27,
        },
        "mitochondria": {
            "count": {"min": 5, "max": 12},
            "diameter_um": {"min": 0.25, "max": 0.35},
            "length_um": {"min": 0.5, "max": 1.8},
            "segment_um": 0.15,
            "bend": 0.35,
            "lac_per_um": 0.38,
        },
        "droplets": {
            "count": {"mean": 12, "sd": 4, "min": 3, "max": 30},
            "radius_um": {"min": 0.20, "max": 0.34},
            "lac_per_um": {"mean": 0.62, "sd": 0.08, "max": 0.89},
            "lac_above_cytoplasm_per_um": 0.12,
            "inside_vacuoles": True,
        },
        "texture": {"correlation_um": [0.04, 0.12], "cytoplasm_sd_per_um": 0.03, "vacuole_sd_per_um": 0.015},
        "deformation": {"sd_um": 0.05, "correlation_um": 1.0},
        "gap_um": 0.03,
    }


def replaced(content: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Replace `{"group.key": value}` in a recipe."""
    for path, value in changes.items():
        *groups, key = path.split(".")
        inner = content
        for group in groups:
            inner = inner[group]
        assert key in inner
        inner[key] = value
    return content


def changed(changes: dict[str, Any]) -> YeastParameters:
    """Return the yeast recipe with `{"group.key": value}` replaced."""
    return YeastParameters.model_validate(replaced(recipe(), changes))


@pytest.fixture
def mammalian() -> Any:
    """Changes -> parameters."""

    def of(changes: dict[str, Any] | None = None) -> MammalianParameters:
        return MammalianParameters.model_validate(replaced(deepcopy(FAMILIES["mammalian"]), changes or {}))

    return of


@pytest.fixture
def bacteria() -> Any:
    """Changes -> parameters."""

    def of(changes: dict[str, Any] | None = None) -> BacteriaParameters:
        return BacteriaParameters.model_validate(replaced(deepcopy(FAMILIES["bacteria"]), changes or {}))

    return of


@pytest.fixture
def tiers() -> Any:
    """(tier, family) -> changes in the form `{"group.key": value}`."""

    def of(tier: str, family: str) -> dict[str, Any]:
        groups = FAMILIES["tiers"][tier].get(family, {})
        return {f"{group}.{key}": value for group, keys in groups.items() for key, value in keys.items()}

    return of


@pytest.fixture
def parameters() -> YeastParameters:
    return changed({})


@pytest.fixture
def with_changes() -> Any:
    return changed


@pytest.fixture
def stages() -> Any:
    """Seed -> stage -> generator."""

    def of(seed: int) -> Any:
        def stage(name: str) -> np.random.Generator:
            return generator(7, "test", seed, name)

        return stage

    return of
