"""Slices that are sought within each class, put in one order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from biaskit.errors import RequestError
from biaskit.slices.mixture import FittedMixture
from biaskit.slices.observations import Observations
from biaskit.slices.projection import Projection

FEWEST = 4


class Parts(Protocol):
    """Parts of some rows, without names."""

    def membership(self, seen: Observations) -> Float[ndarray, "n s"]:
        """How strongly each row belongs to each part."""

    def recognised(self, seen: Observations) -> Float[ndarray, "n s"]:
        """The same without a look at predictions."""


@dataclass(frozen=True, slots=True, eq=False)
class MixtureParts:
    """Components of a fitted mixture.

    Attributes:
        projection: What the mixture read.
        fitted: The mixture.
        chosen: Which components are handed out, in order.
    """

    projection: Projection
    fitted: FittedMixture
    chosen: Int[ndarray, " s"]

    def membership(self, seen: Observations) -> Float[ndarray, "n s"]:
        """Probability that a row comes from each component."""
        return np.asarray(self.fitted.owned(self.projection(seen))[:, self.chosen])

    def recognised(self, seen: Observations) -> Float[ndarray, "n s"]:
        """The same from embeddings and labels alone."""
        return np.asarray(self.fitted.owned(self.projection(seen), blind=True)[:, self.chosen])


@dataclass(frozen=True, slots=True, eq=False)
class ClassSlices:
    """Slices of single classes; a row of another class belongs to none of them.

    Attributes:
        parts: What was found in each class.
        order: Which column of all classes' parts side by side is handed out first, second, ...
        names: `class 1, part 3`; parts are counted within the class, worst first.
    """

    parts: Mapping[int, Parts]
    order: Int[ndarray, " s"]
    names: tuple[str, ...]

    def membership(self, seen: Observations) -> Float[ndarray, "n s"]:
        """Membership within the row's own class."""
        return side_by_side(self.parts, seen, lambda parts, rows: parts.membership(rows))[:, self.order]

    def recognised(self, seen: Observations) -> Float[ndarray, "n s"]:
        """The same without a look at predictions."""
        return side_by_side(self.parts, seen, lambda parts, rows: parts.recognised(rows))[:, self.order]


def find_by_class(seen: Observations, find: Callable[[Observations], Parts]) -> ClassSlices:
    """Find parts in every class that has at least four images; worst first.

    Raises:
        RequestError: No class has enough images.
    """
    classes = [int(c) for c in np.unique(seen.labels) if (seen.labels == c).sum() >= FEWEST]
    if not classes:
        raise RequestError(
            f"Slices are sought within classes, and no class has {FEWEST} of the {len(seen)} images.",
            fix="Give more images.",
        )
    parts = {c: find(seen.take(np.flatnonzero(seen.labels == c))) for c in classes}
    belongs = side_by_side(parts, seen, lambda found, rows: found.membership(rows))
    order = np.argsort(-error_rates(belongs, seen), kind="stable")
    widths = [parts[c].membership(seen.take(np.arange(1))).shape[1] for c in classes]
    return ClassSlices(parts, order, numbered(np.repeat(classes, widths)[order]))


def error_rates(membership: Float[ndarray, "n s"], seen: Observations) -> Float[ndarray, " s"]:
    """Error rate of each slice, drawn to the overall rate as if one more image had that."""
    mass = membership.sum(axis=0)
    return np.asarray((membership.T @ seen.errors + seen.errors.mean()) / (mass + 1))


def numbered(classes: Iterable[int]) -> tuple[str, ...]:
    """Name slices by their class and count those of one class."""
    counts: Counter[int] = Counter()
    names = []
    for one in classes:
        counts[int(one)] += 1
        names.append(f"class {one}, part {counts[int(one)]}")
    return tuple(names)


def side_by_side(
    parts: Mapping[int, Parts], seen: Observations, read: Callable[[Parts, Observations], ndarray]
) -> Float[ndarray, "n s"]:
    """Columns of all classes; 0 for rows of other classes."""
    columns = []
    for one, found in parts.items():
        rows = np.flatnonzero(seen.labels == one)
        # A class without rows still has its columns.
        inside = read(found, seen.take(rows if len(rows) else np.arange(1)))
        column = np.zeros((len(seen), inside.shape[1]))
        column[rows] = inside[: len(rows)]
        columns.append(column)
    return np.concatenate(columns, axis=1)
