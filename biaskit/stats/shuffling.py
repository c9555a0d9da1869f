"""Group labels shuffled over rows: what groups of these sizes show where there is no disparity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy import ndarray

from biaskit.stats.group_metrics import is_binary


@dataclass(frozen=True, slots=True, eq=False)
class Shuffle:
    """How group labels may be exchanged.

    Whole clusters where each lies in one group; rows within a cluster where clusters cross groups; rows
    within a stratum, such as the true class, where that is asked for; else rows.

    Attributes:
        codes: The group of each row.
        clusters: The cluster of each row; None where rows are independent.
        strata: Rows that are exchanged among themselves only; used where rows are independent.
    """

    codes: Int[ndarray, " n"]
    clusters: Shaped[ndarray, " n"] | None = None
    strata: Shaped[ndarray, " n"] | None = None

    @property
    def whole_clusters(self) -> bool:
        """Whether every cluster lies in one group."""
        if self.clusters is None:
            return False
        _, owner = np.unique(self.clusters, return_inverse=True)
        first = np.zeros(int(owner.max(initial=-1)) + 1, dtype=int)
        first[owner] = self.codes
        return bool((first[owner] == self.codes).all())

    @property
    def kind(self) -> str:
        """What is exchanged, in words."""
        if self.whole_clusters:
            return "groups shuffled over whole clusters"
        if self.clusters is not None:
            return "groups shuffled over the rows of each cluster"
        return "groups shuffled over rows" + ("" if self.strata is None else " of the same true class")

    def draws(self, count: int, rng: np.random.Generator) -> Iterator[Int[ndarray, " n"]]:
        """Yield the group of each row under each shuffle."""
        if self.whole_clusters:
            _, first, owner = np.unique(np.asarray(self.clusters), return_index=True, return_inverse=True)
            for _ in range(count):
                yield rng.permutation(self.codes[first])[owner]
            return
        blocks = self.strata if self.clusters is None else self.clusters
        block = (
            np.zeros(self.codes.size, int) if blocks is None else np.unique(blocks, return_inverse=True)[1]
        )
        places = np.argsort(block, kind="stable")
        for _ in range(count):
            shuffled = np.empty_like(self.codes)
            shuffled[places] = self.codes[np.argsort(block + rng.random(block.size))]
            yield shuffled


def shuffled_means(
    values: Float[ndarray, " n"], shuffle: Shuffle, groups: int, count: int, rng: np.random.Generator
) -> Float[ndarray, "b g"]:
    """Means of `values` in each group under each shuffle; NaN for a group that a shuffle leaves empty."""
    means = np.full((count, groups), np.nan)
    if shuffle.clusters is None and is_binary(values):
        # Shuffled zeros and ones fall into groups of fixed sizes by the multivariate hypergeometric law.
        sizes = np.bincount(shuffle.codes, minlength=groups)
        hits = rng.multivariate_hypergeometric(sizes, int(values.sum()), size=count)
        np.divide(hits, sizes, out=means, where=sizes > 0)
        return means
    for row, codes in enumerate(shuffle.draws(count, rng)):
        sizes = np.bincount(codes, minlength=groups)
        sums = np.bincount(codes, weights=values, minlength=groups)
        np.divide(sums, sizes, out=means[row], where=sizes > 0)
    return means
