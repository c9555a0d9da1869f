"""Intervals, nulls, multiplicity and power, on numpy arrays alone."""
