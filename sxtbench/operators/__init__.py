"""Linear operators and their adjoints: the parallel beam, blur, and operators made of operators."""

from sxtbench.operators.binning import Bin
from sxtbench.operators.blur import Blur
from sxtbench.operators.compose import Composition, Masked, Scaled
from sxtbench.operators.cropping import Crop
from sxtbench.operators.halves import Half, even_odd, select_views
from sxtbench.operators.parallel import ParallelBeam
from sxtbench.operators.protocol import LinearOperator, check_adjoint
from sxtbench.operators.stack import Stack

__all__ = [
    "Bin",
    "Blur",
    "Composition",
    "Crop",
    "Half",
    "LinearOperator",
    "Masked",
    "ParallelBeam",
    "Scaled",
    "Stack",
    "check_adjoint",
    "even_odd",
    "select_views",
]
