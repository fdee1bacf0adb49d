"""What a back end of the parallel beam is: arrays in, arrays out, all checks done before."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Engine(Protocol):
    """Projection for one geometry and volume; built from (geometry, volume_shape, voxel_size_nm, origin_nm, ...).

    Arrays that come in have the right shape, are float32 and in C order. An engine with `takes_tensors = True` takes
    torch tensors too, with any axes in front; one with `exact_adjoint = False` has an `adjoint` that is not exact.
    """

    def project(self, volume: Any, /) -> Any:
        """Map a volume (z, y, x) to views (angle, z, u)."""
        ...

    def adjoint(self, views: Any, /) -> Any:
        """Map views (angle, z, u) to a volume (z, y, x), by the exact adjoint unless the engine says otherwise."""
        ...

    def backproject(self, views: Any, weights: NDArray[np.float64], /) -> Any:
        """Sum views, each times its weight, where a voxel's centre is seen: pixel-driven."""
        ...
