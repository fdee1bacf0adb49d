"""Linear operators and their exact adjoints."""

from sxtbench.operators.parallel import ParallelBeam
from sxtbench.operators.protocol import LinearOperator, check_adjoint

__all__ = ["LinearOperator", "ParallelBeam", "check_adjoint"]
