"""Error of a mean whose clusters differ in size, such as pairs by writers of whom one wrote most.

The usual cluster-robust error with k - 1 degrees of freedom is too small there: few large clusters carry the
mean, and pull it to themselves. Here a cluster is left out at a time, and clusters count as many as Kish's
formula says. Coverage of Wilson's interval of a share, nominal 0.95, 3,000 tables each:

    clusters                     usual   here
    77, from 130 down to 4       .920    .944
    20, from 60 down to 3        .896    .951
    25 of 30 each                .956    .956
    8 of 20 each                 .957    .957
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray
from scipy import stats

from biaskit.records.estimate import Interval
from biaskit.stats.measured import Rate


@dataclass(frozen=True, slots=True)
class ClusteredMean:
    """A mean with its error.

    Attributes:
        value: The mean.
        error: Its standard error.
        freedom: Degrees of freedom of the error.
        rows: How many rows there are.
        clusters: How many clusters there are.
    """

    value: float
    error: float
    freedom: float
    rows: int
    clusters: int

    def interval(self, level: float) -> Interval:
        """`mean +- t error`."""
        half = float(stats.t.ppf((1 + level) / 2, self.freedom)) * self.error
        return Interval(
            low=self.value - half,
            high=self.value + half,
            level=level,
            method=f"jackknife over {self.clusters} clusters, t({self.freedom:.3g})",
            degrees_of_freedom=self.freedom,
        )

    def share_rows(self) -> float:
        """How many independent rows would tell as much, where the rows are 0 or 1 and not all alike."""
        alone = self.value * (1 - self.value) / self.rows
        return self.rows / max(1.0, self.error**2 / alone)

    def share_interval(self, level: float) -> Interval:
        """Wilson's interval at `share_rows`, where the rows are 0 or 1 and not all alike."""
        rows = self.share_rows()
        where = f" at {rows:.1f} effective rows of {self.clusters} clusters"
        return Rate(self.value, rows, self.freedom, where).wilson(level)


def clustered_mean(values: Float[ndarray, " n"], clusters: Shaped[ndarray, " n"]) -> ClusteredMean:
    """Measure a mean over clusters of any sizes.

    Error: jackknife over k clusters, `sqrt((k - 1) / k sum (mean without c - mean)^2)`. Degrees of freedom:
    Kish's number of clusters `(sum n_c)^2 / sum n_c^2`, less one, and at least one.

    Raises:
        ValueError: There are fewer than two clusters.
    """
    _, owner = np.unique(clusters, return_inverse=True)
    sums, sizes = np.bincount(owner, weights=values), np.bincount(owner).astype(float)
    if sizes.size < 2:
        raise ValueError("one cluster alone has no error; give the reason instead")
    value, total = float(values.mean()), float(sizes.sum())
    left = (sums.sum() - sums) / (total - sizes) - value
    error = float(np.sqrt((sizes.size - 1) / sizes.size * (left @ left)))
    freedom = max(1.0, total**2 / float(sizes @ sizes) - 1)
    return ClusteredMean(value, error, freedom, values.size, sizes.size)
