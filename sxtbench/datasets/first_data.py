"""What of the first data has to be known to make them again, as no recipe says it (decision 157)."""

_DIVIDED = frozenset(
    {"00f10c81048a8f997dabf187265460a222e944f776e2a36e41e2b7b9384feea2"}  # limited-angle-segmentation-small
)


def sums_divided(recipe_hash: str) -> bool:
    """Say whether a recipe's data were made with two threads of BLAS (`sxtbench.acquisition.ordered_product`)."""
    return recipe_hash in _DIVIDED
