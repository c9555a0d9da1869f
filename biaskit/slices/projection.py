"""Embeddings in few dimensions of one common scale, as mixtures read them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.linalg import eigh

from biaskit.slices.observations import Observations


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Principal components, divided by one number so that the mean variance of a coordinate is 1.

    Attributes:
        centre: Mean embedding.
        axes: One direction a row, the widest first, divided by the common scale.
    """

    centre: Float[ndarray, " d"]
    axes: Float[ndarray, "p d"]

    @classmethod
    def of(cls, embeddings: Float[ndarray, "n d"], dimensions: int) -> Projection:
        """Fit on embeddings; at most `dimensions` axes and none along which nothing varies.

        One axis is kept where all rows are the same, so that there is something to read.
        """
        rows = np.asarray(embeddings, dtype=float)
        centre = rows.mean(axis=0)
        moved = rows - centre
        spread, axes = _principal(moved, dimensions)
        kept = max(1, int((spread > 1e-12 * max(spread[0], 1e-300)).sum()))
        scale = float(np.sqrt(spread[:kept].mean())) or 1.0
        return cls(centre, axes[:kept] / scale)

    def __call__(self, seen: Observations) -> Observations:
        """Return the same rows with projected embeddings."""
        return replace(seen, embeddings=(seen.embeddings - self.centre) @ self.axes.T)


def _principal(
    moved: Float[ndarray, "n d"], dimensions: int
) -> tuple[Float[ndarray, " p"], Float[ndarray, "p d"]]:
    """Variances along the principal axes, widest first, and the axes; from the smaller Gram matrix."""
    rows, width = moved.shape
    few = rows < width
    gram = (moved @ moved.T if few else moved.T @ moved) / rows
    most = min(dimensions, len(gram))
    spread, vectors = eigh(gram, subset_by_index=(len(gram) - most, len(gram) - 1))
    spread, vectors = np.maximum(spread[::-1], 0.0), vectors[:, ::-1]
    if not few:
        return spread, vectors.T
    return spread, (moved.T @ vectors / np.sqrt(np.maximum(spread * rows, 1e-300))).T
