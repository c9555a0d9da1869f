"""Groups of images found by their losses alone, judged on losses that took no part in finding them.

After the first phase of InvDiff (arXiv 2412.08480), which assigns images to groups so that the groups' mean
losses lie far apart. There each image has one loss at a random noise level, so a group mostly says which
level its images drew. Here every image has met the same levels and noise, in several independent replicates:
groups are cut on some replicates and their gap is read on the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy import stats

from biaskit.records.estimate import Interval, Null

DRAWS = 1_999
SMALLEST = 0.1
"""Smallest share of the images that a group may hold."""


@dataclass(frozen=True, slots=True, eq=False)
class LossGroups:
    """Groups of images, the best explained first.

    Attributes:
        members: Number of the group of each image; 0 has the smallest losses.
        found: Loss of each image on the replicates that the groups were cut on.
        held_out: Loss of each image on the other replicates.
        level: Confidence level of the interval.
        null: Held-out losses shuffled over images.
    """

    members: Int[ndarray, " n"]
    found: Float[ndarray, " n"]
    held_out: Float[ndarray, " n"]
    level: float
    null: Null

    @property
    def gap(self) -> float:
        """Held-out mean loss of the worst explained group less that of the best."""
        return _gap(self.held_out, self.members)

    @property
    def found_gap(self) -> float:
        """The same on the losses that the groups were cut on: what optimism would report."""
        return _gap(self.found, self.members)

    @property
    def interval(self) -> Interval:
        """Welch's t interval of the held-out gap, over images."""
        last = int(self.members.max())
        worst, best = self.held_out[self.members == last], self.held_out[self.members == 0]
        result = stats.ttest_ind(worst, best, equal_var=False).confidence_interval(self.level)
        method = f"Welch t over {len(worst)} and {len(best)} images, noise held out"
        return Interval(low=float(result.low), high=float(result.high), level=self.level, method=method)


def loss_groups(
    losses: Float[ndarray, "n r"], groups: int, rng: np.random.Generator, level: float = 0.95
) -> LossGroups:
    """Cut images into groups by their losses on even replicates and judge them on odd ones.

    The cuts of the sorted losses that leave the least variance within groups (one-dimensional k-means, exact
    by dynamic programming), no group under a tenth of the images. p: held-out losses shuffled over images,
    (1 + #{gap as large}) / (draws + 1); uniform where images do not differ.

    Args:
        losses: One row an image, one column a replicate of levels and noise that all images share.
        groups: How many groups.
        rng: Source of the shuffles.
        level: Level of the interval.

    Raises:
        ValueError: There are fewer than two groups or replicates, or too few images.
    """
    n, replicates = losses.shape
    least = max(2, int(np.ceil(SMALLEST * n)))
    if groups < 2 or replicates < 2 or n < groups * least:
        raise ValueError(f"{n} images in {replicates} replicates cannot be cut into {groups} groups")
    # What all images share at a replicate's levels and noise is no property of any image.
    centred = losses - losses.mean(axis=0)
    found, held_out = centred[:, ::2].mean(axis=1), centred[:, 1::2].mean(axis=1)
    members = _cut(found, groups, least)
    observed = _gap(held_out, members)
    hits = sum(_gap(rng.permutation(held_out), members) >= observed - 1e-12 for _ in range(DRAWS))
    kind = f"held-out losses shuffled over images, {DRAWS:,} times"
    return LossGroups(members, found, held_out, level, Null(p=(1 + hits) / (DRAWS + 1), kind=kind))


def _gap(losses: Float[ndarray, " n"], members: Int[ndarray, " n"]) -> float:
    return float(losses[members == members.max()].mean() - losses[members == 0].mean())


def _cut(losses: Float[ndarray, " n"], groups: int, least: int) -> Int[ndarray, " n"]:
    """Return the group of each image under the best cuts of the sorted losses."""
    order = np.argsort(losses, kind="stable")
    values, n = losses[order], len(losses)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    squares = np.concatenate([[0.0], np.cumsum(np.square(values))])
    starts = np.arange(n + 1)
    best = np.full((groups + 1, n + 1), np.inf)
    origin = np.zeros((groups + 1, n + 1), dtype=np.int64)
    best[0, 0] = 0.0
    for count in range(1, groups + 1):
        for end in range(count * least, n + 1):
            sizes = np.maximum(end - starts[: end - least + 1], 1)
            within = squares[end] - squares[: end - least + 1]
            within = within - np.square(sums[end] - sums[: end - least + 1]) / sizes
            costs = best[count - 1, : end - least + 1] + within
            origin[count, end] = int(np.argmin(costs))
            best[count, end] = costs[origin[count, end]]
    members, end = np.empty(n, dtype=np.int64), n
    for count in range(groups, 0, -1):
        start = int(origin[count, end])
        members[order[start:end]] = count - 1
        end = start
    return members


def association(
    members: Int[ndarray, " n"], labels: Int[ndarray, " n"], rng: np.random.Generator
) -> tuple[float, Null]:
    """Return Cramer's V of found groups and known labels, and its p over labels shuffled over images.

    `V = sqrt(X^2 / (n (min(rows, columns) - 1)))`, between 0 and 1; 0 where either has one value.
    """
    known = np.unique(labels, return_inverse=True)[1]
    if known.max(initial=0) == 0 or members.max(initial=0) == 0:
        return 0.0, Null(p=1.0, kind="one label alone")
    observed = _cramer(members, known)
    hits = sum(_cramer(members, rng.permutation(known)) >= observed - 1e-12 for _ in range(DRAWS))
    return observed, Null(p=(1 + hits) / (DRAWS + 1), kind=f"labels shuffled over images, {DRAWS:,} times")


def _cramer(one: Int[ndarray, " n"], other: Int[ndarray, " n"]) -> float:
    rows, columns = int(one.max()) + 1, int(other.max()) + 1
    table = np.bincount(one * columns + other, minlength=rows * columns).reshape(rows, columns)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    squared = float((np.square(table - expected) / np.maximum(expected, 1e-300)).sum())
    return float(np.sqrt(squared / (len(one) * (min(rows, columns) - 1))))
