"""Reconstruction: from projections to a volume of LAC."""
