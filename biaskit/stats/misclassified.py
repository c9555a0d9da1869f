"""Shares corrected for a classifier's errors, with what is not known about those errors counted in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from biaskit.records.estimate import Interval

DRAWS = 4_000
_WORST_CONDITION = 50.0
_JEFFREYS = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """What a classifier says of images whose class is known.

    Attributes:
        classes: The classes.
        counts: How often each true class (row) was taken for each (column).
    """

    classes: tuple[str, ...]
    counts: Int[ndarray, "k k"]

    def __post_init__(self) -> None:
        """Refuse a table from which no shares can be corrected.

        Raises:
            ValueError: A class has no image, is never said, or cannot be told from the others.
        """
        for number, name in enumerate(self.classes):
            if self.counts[number].sum() == 0:
                raise ValueError(f"there is no image of '{name}', so nobody knows how it is read")
            if self.counts[:, number].sum() == 0:
                raise ValueError(f"the classifier never says '{name}'")
        if np.linalg.cond(self.rates) > _WORST_CONDITION:
            raise ValueError("the classifier says the same whatever is shown, so nothing can be corrected")

    @property
    def rates(self) -> Float[ndarray, "k k"]:
        """P(said | true): rows add up to 1."""
        return np.asarray(self.counts / self.counts.sum(axis=1, keepdims=True))

    @property
    def accuracy(self) -> float:
        """Mean over classes of how often each is read right."""
        return float(np.diag(self.rates).mean())


@dataclass(frozen=True, slots=True, eq=False)
class Corrected:
    """Shares of the true classes.

    Attributes:
        shares: The corrected shares, cut at 0 and made to add up to 1.
        intervals: Their intervals, simultaneous for more than two classes.
    """

    shares: Float[ndarray, " k"]
    intervals: tuple[Interval, ...]


def corrected(
    said: Int[ndarray, " k"], confusion: Confusion, rng: np.random.Generator, level: float = 0.95
) -> Corrected:
    """Return the shares of the true classes behind those that were said (Rogan and Gladen 1978).

    `said = rates^T true`, solved for `true`; two classes: `(p + sp - 1) / (se + sp - 1)`
    with sensitivity se and specificity sp. Intervals are percentiles over draws of both the shares said and
    each row of the confusion table from Dirichlet distributions with Jeffreys' half count added, so a small
    validation set makes them wide.

    Args:
        said: How many images were taken for each class.
        confusion: What the classifier says of known images.
        rng: Source of the draws.
        level: Level of the intervals.

    Raises:
        ValueError: There is no image.
    """
    k, n = len(said), int(said.sum())
    if n < 1:
        raise ValueError("shares of no image cannot be corrected")
    shares = _simplex(np.linalg.solve(confusion.rates.T, said / n)[None])[0]
    own = level if k == 2 else 1 - (1 - level) / k
    seen = rng.dirichlet(said + _JEFFREYS, size=DRAWS)
    rows = np.stack([rng.dirichlet(row + _JEFFREYS, size=DRAWS) for row in confusion.counts], axis=1)
    drawn = _simplex(np.linalg.solve(np.swapaxes(rows, 1, 2), seen[..., None])[..., 0])
    ends = np.quantile(drawn, [(1 - own) / 2, (1 + own) / 2], axis=0)
    known = int(confusion.counts.sum())
    method = f"Rogan-Gladen, {DRAWS:,} draws of shares and of the confusion of {known} images"
    return Corrected(shares, _intervals(shares, ends, level, method))


def _intervals(
    shares: Float[ndarray, " k"], ends: Float[ndarray, "2 k"], level: float, method: str
) -> tuple[Interval, ...]:
    return tuple(
        Interval(low=min(low, value), high=max(high, value), level=level, method=method)
        for low, high, value in zip(*ends.tolist(), shares.tolist(), strict=True)
    )


def _simplex(rows: Float[ndarray, "d k"]) -> Float[ndarray, "d k"]:
    cut = np.clip(rows, 0.0, None)
    return np.asarray(cut / cut.sum(axis=1, keepdims=True))


def confusion_of(classes: Sequence[str], true: Sequence[str], said: Sequence[str]) -> Confusion:
    """Count how known images were read.

    Raises:
        ValueError: A name is no class, or shares cannot be corrected with this table.
    """
    place = {name: number for number, name in enumerate(classes)}
    counts = np.zeros((len(place), len(place)), dtype=np.int64)
    for one, other in zip(true, said, strict=True):
        if one not in place or other not in place:
            raise ValueError(f"'{one if one not in place else other}' is none of the classes")
        counts[place[one], place[other]] += 1
    return Confusion(tuple(classes), counts)
