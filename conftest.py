"""Doctests of modules whose optional package is not installed are not collected."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("astra") else ["sxtbench/operators/_astra.py"]
