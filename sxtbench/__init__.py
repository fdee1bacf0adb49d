"""sxtbench, the benchmark of soft X-ray tomography."""

__version__ = "0.1.0"
