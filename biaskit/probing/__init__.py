"""Probing: how well a property can be read from activations, by which probe, without leaks."""
