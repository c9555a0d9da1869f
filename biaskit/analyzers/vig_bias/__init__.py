"""ViG-Bias: where a vision model fails, and what it looks at there."""

from biaskit.analyzers.vig_bias.analyzer import VigBias

__all__ = ["VigBias"]
