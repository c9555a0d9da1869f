"""What any method of slice discovery must beat: rankings and clusters that look at one thing alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.slices.by_class import ClassSlices, find_by_class
from biaskit.slices.observations import Observations
from biaskit.slices.projection import Projection
from biaskit.slices.starts import k_means


@dataclass(frozen=True, slots=True)
class ConfidenceRanking:
    """One slice a class: all its images, those first to which the classifier gave their class the least."""

    @property
    def name(self) -> str:
        """Name of the method."""
        return "confidence-ranking"

    def fit(self, seen: Observations, rng: np.random.Generator) -> ClassSlices:  # noqa: ARG002 - nothing is drawn
        """Return the ranking; see `Slicer.fit`."""
        return find_by_class(seen, lambda _rows: _Doubt())


@dataclass(frozen=True, slots=True)
class PredictionsOnly:
    """One slice for each class taken for another; images first to which the other was given the most."""

    @property
    def name(self) -> str:
        """Name of the method."""
        return "predictions-only"

    def fit(self, seen: Observations, rng: np.random.Generator) -> ClassSlices:  # noqa: ARG002 - nothing is drawn
        """Return the slices; see `Slicer.fit`."""
        return find_by_class(seen, lambda _rows: _Said())


@dataclass(frozen=True, slots=True)
class KMeans:
    """Clusters of each class's embeddings, without a look at predictions.

    Attributes:
        clusters: Clusters in a class.
        dimensions: Principal components of the embeddings that are read.
    """

    clusters: int = 5
    dimensions: int = 128

    @property
    def name(self) -> str:
        """Name of the method."""
        return "k-means"

    def fit(self, seen: Observations, rng: np.random.Generator) -> ClassSlices:
        """Find the clusters; see `Slicer.fit`."""
        return find_by_class(seen, lambda rows: _clusters(rows, self, rng))


@dataclass(frozen=True, slots=True)
class RandomSlices:
    """Slices of each class drawn by chance.

    Attributes:
        slices: Slices in a class.
    """

    slices: int = 5

    @property
    def name(self) -> str:
        """Name of the method."""
        return "random"

    def fit(self, seen: Observations, rng: np.random.Generator) -> ClassSlices:
        """Draw slices; see `Slicer.fit`."""
        return find_by_class(seen, lambda _rows: _Chance(self.slices, int(rng.integers(2**31))))


class _Doubt:
    def membership(self, seen: Observations) -> Float[ndarray, "n s"]:
        given = seen.probabilities[np.arange(len(seen)), seen.labels]
        return np.asarray(1 - given[:, None], dtype=float)

    def recognised(self, seen: Observations) -> Float[ndarray, "n s"]:
        return np.zeros((len(seen), 1))


class _Said:
    def membership(self, seen: Observations) -> Float[ndarray, "n s"]:
        return np.asarray(seen.probabilities, dtype=float)

    def recognised(self, seen: Observations) -> Float[ndarray, "n s"]:
        return np.zeros(seen.probabilities.shape)


@dataclass(frozen=True, slots=True, eq=False)
class _Clusters:
    projection: Projection
    centres: Float[ndarray, "s d"]

    def membership(self, seen: Observations) -> Float[ndarray, "n s"]:
        """Closeness to the nearest centre, at least a half; 0 for the other centres."""
        rows = self.projection(seen).embeddings
        away = np.square(rows).sum(axis=1)[:, None] - 2 * rows @ self.centres.T
        away = np.maximum(away + np.square(self.centres).sum(axis=1), 0)
        nearest = away == away.min(axis=1, keepdims=True)
        return np.where(nearest, 0.5 + 0.5 / (1 + away / rows.shape[1]), 0.0)

    def recognised(self, seen: Observations) -> Float[ndarray, "n s"]:
        return self.membership(seen)


@dataclass(frozen=True, slots=True)
class _Chance:
    slices: int
    seed: int

    def membership(self, seen: Observations) -> Float[ndarray, "n s"]:
        return np.random.default_rng(self.seed).random((len(seen), self.slices))

    def recognised(self, seen: Observations) -> Float[ndarray, "n s"]:
        return self.membership(seen)


def _clusters(seen: Observations, asked: KMeans, rng: np.random.Generator) -> _Clusters:
    projection = Projection.of(seen.embeddings, asked.dimensions)
    rows = projection(seen).embeddings
    parts = k_means(rows, asked.clusters, rng)
    return _Clusters(projection, np.stack([rows[parts == s].mean(axis=0) for s in range(parts.max() + 1)]))
