"""Distributions as recipes write them."""

import numpy as np
import pytest
from pydantic import ValidationError

from sxtbench.distributions import Distribution, Parameters


class Holder(Parameters):
    value: Distribution


def draws(value: object, n: int = 4000) -> np.ndarray:
    rng = np.random.default_rng(0)
    holder = Holder.model_validate({"value": value})
    return np.array([holder.value.draw(rng) for _ in range(n)])


def test_a_number_is_a_constant() -> None:
    assert np.all(draws(3) == 3.0)


def test_a_range_is_uniform() -> None:
    found = draws({"min": 1, "max": 3})
    assert (found.min(), found.max()) == pytest.approx((1, 3), abs=0.01)
    assert found.mean() == pytest.approx(2, abs=0.04)


def test_a_normal_is_clipped_onto_its_bounds() -> None:
    found = draws({"mean": 0, "sd": 1, "min": -1, "max": 0.5})
    assert found.min() == -1
    assert found.max() == 0.5
    assert np.mean(found == -1) == pytest.approx(0.159, abs=0.02)


@pytest.mark.parametrize(
    "bad", [{"mean": 1}, {"min": 1}, {"min": 2, "max": 1}, {"mean": 0, "sd": -1}, True, "x", {"low": 1}]
)
def test_impossible_ones_are_refused(bad: object) -> None:
    with pytest.raises(ValidationError):
        draws(bad, 1)
