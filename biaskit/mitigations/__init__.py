"""Remedies: found on data, applied to a model, saved and loaded again."""
