"""Remedies: each finds a bias, applies a change to the model, and saves and loads it."""
