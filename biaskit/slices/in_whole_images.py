"""Slices that are sought in masked images and recognised in whole ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.special import softmax

from biaskit.slices.observations import Observations
from biaskit.slices.projection import Projection
from biaskit.slices.slicer import Slicer, Slices

RIDGE = 0.1
EMPTY = 1e-9


@dataclass(frozen=True, slots=True)
class InWholeImages:
    """A slicer of masked images whose slices are recognised in whole ones.

    A mask that follows the classifier shows what it said: the map of a mistake lies elsewhere, so embeddings
    of masked images tell mistakes from hits even where mistakes fall anywhere. Whether a slice fails can be
    tested on members that are recognised in whole images only. There a slice is one class of a linear
    discriminant within its label, with what belongs to no slice as another.

    Attributes:
        slicer: The method.
        masked: How many of the leading columns of the embeddings are those of the masked image; the others
            are those of the whole one.
    """

    slicer: Slicer
    masked: int

    @property
    def name(self) -> str:
        """Name of the method."""
        return self.slicer.name

    def fit(self, seen: Observations, rng: np.random.Generator) -> SlicesInWholeImages:
        """Find slices in the masked images and learn to recognise them; see `Slicer.fit`."""
        found = self.slicer.fit(_leading(seen, self.masked), rng)
        belongs = found.recognised(_leading(seen, self.masked))
        projection = Projection.of(seen.embeddings[:, self.masked :], seen.embeddings.shape[1])
        rows = projection(_following(seen, self.masked)).embeddings
        labels = {int(c): seen.labels == c for c in np.unique(seen.labels)}
        learnt = {c: _Discriminant.of(rows[inside], belongs[inside]) for c, inside in labels.items()}
        return SlicesInWholeImages(found, self.masked, projection, learnt)


@dataclass(frozen=True, slots=True, eq=False)
class SlicesInWholeImages:
    """Slices with a way to recognise them in whole images.

    Attributes:
        found: The slices.
        masked: Leading columns that are those of the masked image.
        projection: What is read of a whole image.
        learnt: How slices are recognised, for each label.
    """

    found: Slices
    masked: int
    projection: Projection
    learnt: Mapping[int, _Discriminant]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the slices."""
        return self.found.names

    def membership(self, seen: Observations) -> Float[ndarray, "n s"]:
        """How strongly each masked image belongs to each slice."""
        return self.found.membership(_leading(seen, self.masked))

    def recognised(self, seen: Observations) -> Float[ndarray, "n s"]:
        """The same from whole images and labels alone; 0 for a label that was not seen."""
        rows = self.projection(_following(seen, self.masked)).embeddings
        belongs = np.zeros((len(seen), len(self.names)))
        for label, learnt in self.learnt.items():
            inside = seen.labels == label
            belongs[inside] = learnt(rows[inside])
        return belongs


@dataclass(frozen=True, slots=True, eq=False)
class _Discriminant:
    """Linear discriminant with soft classes: the slices, and last what belongs to none."""

    slopes: Float[ndarray, "s d"]
    offsets: Float[ndarray, " s"]

    @classmethod
    def of(cls, rows: Float[ndarray, "n d"], belongs: Float[ndarray, "n s"]) -> _Discriminant:
        owned = np.column_stack([belongs, np.clip(1 - belongs.sum(axis=1), 0, None)])
        mass = owned.sum(axis=0)
        alive = mass > EMPTY
        means = owned.T @ rows / np.where(alive, mass, 1)[:, None]
        # Total less between-class scatter, as shares of the rows.
        spread = (rows.T * owned.sum(axis=1)) @ rows - (means.T * mass) @ means
        spread /= mass.sum()
        spread += RIDGE * (np.trace(spread) / len(spread) + EMPTY) * np.eye(len(spread))
        slopes = np.linalg.solve(spread, means.T).T
        shares = np.log(np.where(alive, mass, 1) / mass.sum())
        offsets = np.where(alive, shares - 0.5 * (means * slopes).sum(axis=1), -np.inf)
        return cls(slopes, offsets)

    def __call__(self, rows: Float[ndarray, "n d"]) -> Float[ndarray, "n s"]:
        likely: Float[ndarray, "n s"] = softmax(rows @ self.slopes.T + self.offsets, axis=1)
        return likely[:, :-1]


def _leading(seen: Observations, columns: int) -> Observations:
    return replace(seen, embeddings=seen.embeddings[:, :columns])


def _following(seen: Observations, columns: int) -> Observations:
    return replace(seen, embeddings=seen.embeddings[:, columns:])
