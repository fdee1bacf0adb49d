"""Datasets: recipe to build to store to manifest."""
