"""A user's tomograms and sparse labels: `sxtbench.volume_files`, which needs no network."""

from sxtbench.volume_files import read_labels, read_volume, write_labels

__all__ = ["read_labels", "read_volume", "write_labels"]
