"""Specimens: labelled regions with a linear attenuation coefficient, before any artefact."""
