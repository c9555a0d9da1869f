"""A value that was measured in one group, with its interval at any level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy import ndarray

from biaskit.records.estimate import Interval
from biaskit.stats.bootstrap import bootstrap_interval, cluster_interval
from biaskit.stats.group_metrics import is_binary
from biaskit.stats.proportions import Rate
from biaskit.stats.unequal_clusters import clustered_mean, clustered_statistic, kish


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One group's value.

    Attributes:
        value: The value; None where it could not be measured.
        n: How many rows it rests on.
        ends: Its interval at a level, each end missing with half of 1 - level; None where there is none.
        reason: Why value or interval is missing.
        own: The interval to show for this group alone, where it is another one than `ends` gives.
    """

    value: float | None
    n: int
    ends: Callable[[float], Interval] | None = None
    reason: str | None = None
    own: Callable[[float], Interval] | None = None

    def interval(self, level: float) -> Interval | None:
        """Return the interval to show for this group alone, where there is one."""
        ends = self.own or self.ends
        return None if ends is None else ends(level)


def measured_mean(values: Float[ndarray, " n"], clusters: Shaped[ndarray, " n"] | None) -> Measured:
    """Measure the mean of `values`; NaN entries do not count.

    A proportion has Wilson's interval, with clusters at the effective number of rows (`effective_rows`), and
    never zero width; for comparisons it has Clopper and Pearson's, since near 0 and 1 one end of Wilson's
    misses far more often than its half, which no correction for many groups can make good. Another mean has
    the cluster-robust t interval.
    """
    counted = ~np.isnan(values)
    kept, owners = values[counted], None if clusters is None else clusters[counted]
    if not kept.size:
        return Measured(None, 0, reason="no row counts")
    value = float(kept.mean())
    if is_binary(kept):
        rate = _rate(kept, owners)
        return Measured(value, kept.size, rate.exact, own=rate.wilson)
    owners = np.arange(kept.size) if owners is None else owners
    if np.unique(owners).size < 2 or np.ptp(kept) == 0:
        reason = "one row, one cluster or one value alone says nothing about the spread"
        return Measured(value, kept.size, reason=reason)
    return Measured(value, kept.size, lambda level: cluster_interval(kept, owners, level=level))


def measured_draws(value: float, n: int, draws: Float[ndarray, " b"]) -> Measured:
    """Measure a statistic whose interval is that of bootstrap draws; NaN draws are undefined."""
    if not np.isfinite(value):
        return Measured(None, n, reason="these rows do not define it")
    defined = draws[np.isfinite(draws)]
    if 2 * defined.size <= draws.size:
        return Measured(value, n, reason="most bootstrap draws of so few rows do not define it")
    if np.ptp(defined) == 0:
        return Measured(
            value, n, reason="every bootstrap draw is the same, which says nothing about the spread"
        )
    return Measured(value, n, lambda level: bootstrap_interval(draws, level=level))


def measured_pairs(
    statistic: Callable[[Int[ndarray, " rows"]], float], units: Shaped[ndarray, " n"], rarer: int
) -> Measured:
    """Measure a share of pairs of rows, such as an AUC, with Wilson's interval.

    The number of rows is `v (1 - v) / error^2`, the error that of `clustered_statistic` over units; where
    every pair agrees and nothing shows the error, it is the units of the rarer kind of row. Coverage of an
    AUC at a nominal .95, 2,000 tables of normal scores: .93 to .99 for 14 to 100 rows and true values from .5
    to .99, where the quantiles of resampled rows give .88 to .93.

    Args:
        statistic: Takes row numbers and gives a share; NaN where they do not define it.
        units: The unit of each row.
        rarer: How many units hold rows of the kind that fewer units hold.
    """
    value = statistic(np.arange(units.size)) if units.size else float("nan")
    if not np.isfinite(value):
        return Measured(None, units.size, reason="these rows do not define it")
    found = clustered_statistic(statistic, units) if rarer > 1 else None
    if found is None:
        return Measured(value, units.size, reason="one unit alone holds a kind of row, which has no spread")
    if found.error:
        rows, how = value * (1 - value) / found.error**2, f"jackknife over {found.clusters}"
    else:
        rows, how = float(rarer), "all pairs alike"
    rate = Rate(value, rows, found.freedom, f" at {rows:.1f} effective rows, {how}")
    return Measured(value, units.size, rate.wilson)


def effective_rows(values: Float[ndarray, " n"], clusters: Shaped[ndarray, " n"]) -> float:
    """How many independent rows would tell as much about a proportion as these clustered ones.

    `n / deff`, deff the variance of `clustered_mean` over the binomial one, at least 1 (Kish 1965). At 0 and
    at n of n nothing shows how alike the rows of a cluster are: then each cluster counts as one row, and
    clusters of unequal sizes as `kish` says.
    """
    sizes = np.unique(clusters, return_counts=True)[1]
    if sizes.size == values.size:
        return float(sizes.size)
    if values.mean() in {0.0, 1.0} or sizes.size == 1:
        return kish(sizes)
    return clustered_mean(values, clusters).share_rows()


def _rate(values: Float[ndarray, " n"], clusters: Shaped[ndarray, " n"] | None) -> Rate:
    value = float(values.mean())
    sizes = np.ones(values.size) if clusters is None else np.unique(clusters, return_counts=True)[1]
    if sizes.size == values.size or clusters is None:
        return Rate(value, float(values.size))
    rows = effective_rows(values, clusters)
    where = f" at {rows:.1f} effective rows of {sizes.size} clusters"
    return Rate(value, rows, max(kish(sizes) - 1, 1.0), where)
