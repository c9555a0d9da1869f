"""Behavioural benchmarks: their files, their scores and the intervals that their designs allow."""
