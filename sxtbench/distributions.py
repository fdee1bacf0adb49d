"""Distributions as a recipe writes them: a number, `{min, max}` or `{mean, sd}` with optional clipping.

A number is a constant, `{min, max}` is uniform, `{mean, sd}` is normal, `{mean, sd, min, max}` is normal and then
*clipped* (values outside land on the bound, as the source papers do it).
"""

from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator


class Parameters(BaseModel):
    """A frozen declaration that refuses unknown keys: the base of everything a recipe holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Distribution(Parameters):
    mean: float | None = None
    sd: float | None = None
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _possible(self) -> "_Distribution":
        if (self.mean is None) != (self.sd is None):
            raise ValueError("a normal distribution needs both mean and sd")
        if self.mean is None and (self.min is None or self.max is None):
            raise ValueError(
                "needs {mean, sd}, optionally with {min, max}, or {min, max} alone for a uniform distribution"
            )
        if self.sd is not None and self.sd < 0:
            raise ValueError(f"sd is {self.sd}, it must not be negative")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"impossible range: min {self.min} > max {self.max}")
        return self

    def draw(self, rng: np.random.Generator) -> float:
        """Draw one value."""
        if self.mean is None or self.sd is None:
            assert self.min is not None
            assert self.max is not None
            return float(rng.uniform(self.min, self.max))
        low = -np.inf if self.min is None else self.min
        high = np.inf if self.max is None else self.max
        return float(np.clip(rng.normal(self.mean, self.sd), low, high))

    def cdf(self, values: ArrayLike, *, below: bool = False) -> NDArray[np.float64]:
        """Return the probability of a draw up to each value; a clipped normal has atoms at its bounds.

        Parameters
        ----------
        values : array_like, any shape
            Where.
        below : bool
            The probability of a draw strictly below, which leaves out an atom at the value.

        Returns
        -------
        ndarray, shape of `values`, float64
            In [0, 1].

        Examples
        --------
        >>> half_open = _Distribution(mean=0, sd=1, min=0)
        >>> half_open.cdf([-1, 0, 9]).tolist(), half_open.cdf([-1, 0, 9], below=True).tolist()
        ([0.0, 0.5, 1.0], [0.0, 0.0, 1.0])
        """
        from scipy.special import ndtr

        x = np.asarray(values, np.float64)
        low = -np.inf if self.min is None else self.min
        high = np.inf if self.max is None else self.max
        if self.mean is not None and self.sd:
            inside = ndtr((x - self.mean) / self.sd)
        elif self.mean is None and low < high:
            inside = (x - low) / (high - low)
        else:
            low = high = low if self.mean is None else float(np.clip(self.mean, low, high))
            inside = np.ones_like(x)
        before, beyond = (x <= low, x > high) if below else (x < low, x >= high)
        return np.asarray(np.where(before, 0.0, np.where(beyond, 1.0, inside)))


def _from_number(value: Any) -> Any:
    return {"min": value, "max": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


Distribution = Annotated[_Distribution, BeforeValidator(_from_number)]
