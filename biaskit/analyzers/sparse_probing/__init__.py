"""The analyzer `sparse-probing`."""

from biaskit.analyzers.sparse_probing.analyzer import SparseProbing

__all__ = ["SparseProbing"]
