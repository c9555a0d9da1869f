"""Behavioural benchmarks on what a model says: CrowS-Pairs, StereoSet, BBQ, HONEST and their kin."""

from biaskit.analyzers.behaviour.analyzer import Behaviour

__all__ = ["Behaviour"]
