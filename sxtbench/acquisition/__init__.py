"""Acquisition: from a specimen to a tilt series."""
