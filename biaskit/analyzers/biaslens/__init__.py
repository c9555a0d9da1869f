"""BiasLens, after arXiv 2505.15524."""

from biaskit.analyzers.biaslens.analyzer import BiasLens

__all__ = ["BiasLens"]
