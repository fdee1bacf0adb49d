"""The way of a sample: recipe, specimen, scene, tilt series at nominal angles, reference reconstruction."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.acquisition.scene import build_scene
from sxtbench.acquisition.series import Exposure, acquire
from sxtbench.acquisition.tilt import select_range
from sxtbench.datasets.recipe import Recipe
from sxtbench.randomness import generator, stage_key
from sxtbench.reconstruction import fbp


class StageTimer:
    """Seconds spent in each stage, in the order of first use.

    >>> timer = StageTimer()
    >>> with timer("count"):
    ...     _ = sum(range(10))
    >>> list(timer.seconds)
    ['count']
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Add the time of the block to the stage `name`."""
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
