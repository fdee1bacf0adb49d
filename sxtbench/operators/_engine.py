"""What a back end of the parallel beam is: arrays in, arrays out, all checks done before."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Engine(Protocol):
    """Projection for one geometry and volume; built from (geometry, volume_shape, voxel_size_nm, origin_nm, threads).

    Arrays that come in have the right shape, are float32 and in C order.
    """

    def project(self, volume: NDArray[np.float32], /) -> NDArray[np.float32]:
        """Map a volume (z, y, x) to views (angle, z, u)."""
        ...

    def adjoint(self, views: NDArray[np.float32], /) -> NDArray[np.float32]:
        """Map views (angle, z, u) to a volume (z, y, x), by the exact adjoint."""
        ...

    def backproject(self, views: NDArray[np.float32], weights: NDArray[np.float64], /) -> NDArray[np.float32]:
        """Sum views, each times its weight, where a voxel's centre is seen: pixel-driven."""
        ...
