"""How often intervals hold the truth, by simulation: small samples, 0 of n, skew, clusters of any sizes.

Nominal 95 %. The quick version draws few tables and would notice a coverage below nine in ten; the slow one
draws 1,000 and holds coverage to 93 to 97 % where nothing is known to be conservative.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from scipy.stats import norm

from biaskit.gates.differences import unpaired_difference
from biaskit.records.audit_spec import Statistics
from biaskit.records.estimate import Estimate, Unit
from biaskit.slices.slice_report import newcombe
from biaskit.stats import disparity
from biaskit.stats.bootstrap import cluster_bootstrap, cluster_interval
from biaskit.stats.measured import measured_draws, measured_mean, measured_pairs
from biaskit.stats.proportions import binomial_band, wilson
from biaskit.stats.unequal_clusters import clustered_statistic

FEW, MANY = 100, 1000
RARE = 0.9999
SIZES = {
    "twelve of 4": [4] * 12,
    "five of 10": [10] * 5,
    "50, lognormal": np.maximum(1, np.random.default_rng(1).lognormal(1, 1, 50).astype(int)),
    "20, from 60 to 3": np.maximum(1, 60 // np.arange(1, 21)),
    "8, from 40 to 5": np.maximum(1, 40 // np.arange(1, 9)),
    "2 of 100, 38 of 3": [100, 100] + [3] * 38,
}
Draw = Callable[[np.random.Generator], bool]


def owners(sizes):
    return np.repeat(np.arange(len(sizes)), sizes)


def mean_of_clusters(sizes, between, rng):
    clusters = owners(sizes)
    effects = rng.normal(size=len(sizes))[clusters] * np.sqrt(between)
    values = effects + rng.normal(size=clusters.size) * np.sqrt(1 - between)
    return 0.0 in cluster_interval(values, clusters)


def share_of_clusters(sizes, rate, rng):
    clusters = owners(sizes)
    rates = rng.beta(4 * rate, 4 * (1 - rate), len(sizes))[clusters]
    hits = (rng.random(clusters.size) < rates).astype(float)
    return rate in measured_mean(hits, clusters).interval(0.95)


def gap_of_shares(sizes, rates, rng):
    """Largest minus smallest of several groups; the true one is known."""
    groups = [
        measured_mean((rng.random(n) < rate).astype(float), None)
        for n, rate in zip(sizes, rates, strict=True)
    ]
    found = disparity.gap(groups, 0.95)
    return found.low - 1e-9 <= np.ptp(rates) <= found.high + 1e-9


def gap_of_clustered_shares(clusters, rates, rng):
    groups = []
    for rate in rates:
        own = np.repeat(np.arange(clusters), 6)
        by_cluster = rng.beta(4 * rate, 4 * (1 - rate), clusters)[own]
        groups.append(measured_mean((rng.random(own.size) < by_cluster).astype(float), own))
    found = disparity.gap(groups, 0.95)
    return found.low - 1e-9 <= np.ptp(rates) <= found.high + 1e-9


def gap_of_skewed_means(n, rng):
    groups = [measured_mean(rng.exponential(size=n) + shift, None) for shift in (0.0, 0.0, 0.5)]
    found = disparity.gap(groups, 0.95)
    return found.low <= 0.5 <= found.high


def change_of_shares(n, before, after, rng):
    """Two runs that share no unit, each with Wilson's interval (MOVER)."""
    both = []
    for rate in (before, after):
        hits = int(rng.binomial(n, rate))
        shared = {"unit": Unit.PROPORTION, "n": n, "resampling_unit": "rows", "method": "share"}
        interval = wilson(hits, n)
        both.append(Estimate(value=hits / n, interval=interval, reason="untested", **shared))
    found = unpaired_difference(both[0], both[1], (1, 1), Statistics())
    return after - before in found.interval


def gap_by_newcombe(n, worse, better, rng):
    counts = [(int(rng.binomial(n, rate)), n) for rate in (worse, better)]
    return better - worse in newcombe(*counts)


def gap_within_clusters(sizes, rate, rng):
    """Two halves of every cluster's rows, no gap between them: the jackknife."""
    clusters = owners(sizes)
    right = rng.random(clusters.size) < rng.beta(4 * rate, 4 * (1 - rate), len(sizes))[clusters]
    side = rng.random(clusters.size) < 0.4

    def gap(rows):
        mine, rest = rows[side[rows]], rows[~side[rows]]
        return float(right[rest].mean() - right[mine].mean()) if len(mine) and len(rest) else np.nan

    found = clustered_statistic(gap, clusters)
    return found is None or 0.0 in found.interval(0.95)


def auc(labels, scores, rows):
    kept, said = labels[rows], scores[rows]
    above, below = said[kept], said[~kept]
    if not (above.size and below.size):
        return np.nan
    return float((above[:, None] > below[None, :]).mean())


def auc_of_rows(n, shift, rng):
    labels = np.arange(n) % 2 == 0
    scores = rng.normal(size=n) + shift * labels
    found = measured_pairs(partial(auc, labels, scores), np.arange(n), n // 2)
    return norm.cdf(shift / np.sqrt(2)) in found.ends(0.95)


def auc_of_clusters(people, rng):
    """Rows of one person share a shift of their score, whatever their class."""
    clusters = np.repeat(np.arange(people), 6)
    labels = rng.random(clusters.size) < 0.5
    scores = rng.normal(size=people)[clusters] + rng.normal(size=clusters.size) + labels
    found = measured_pairs(partial(auc, labels, scores), clusters, people)
    return norm.cdf(0.5) in found.ends(0.95)


def resampled_rows(n, rng):
    """What other statistics by group have; of a mean the true value is known."""
    values = rng.exponential(size=n)
    drawn = cluster_bootstrap(lambda rows: float(values[rows].mean()), np.arange(n), draws=200, rng=rng)
    return 1.0 in measured_draws(float(values.mean()), n, drawn).ends(0.95)


def resampled_mean(sizes, method, rng):
    clusters = owners(sizes)
    values = rng.normal(size=len(sizes))[clusters] + rng.normal(size=clusters.size)
    return 0.0 in cluster_interval(values, clusters, method=method, rng=rng)


# Name, what is drawn, and the band that many draws must lie in.
CASES: dict[str, tuple[Draw, tuple[float, float]]] = {
    **{
        f"mean, {name}, {between:g} of the variance between": (
            partial(mean_of_clusters, sizes, between),
            (0.93, 0.985),
        )
        for name, sizes in SIZES.items()
        for between in (0.0, 0.2, 1.0)
    },
    **{
        f"share of {rate:g}, {name}": (partial(share_of_clusters, sizes, rate), (0.93, 1.0))
        for name, sizes in SIZES.items()
        for rate in (0.5, 0.02)
    },
    "MOVER, groups of 10": (partial(gap_of_shares, (10, 10, 10), (0.9, 0.9, 0.6)), (0.93, 1.0)),
    "MOVER, groups near 0": (partial(gap_of_shares, (25, 25, 200), (0.02, 0.02, 0.02)), (0.93, 1.0)),
    "MOVER, two groups": (partial(gap_of_shares, (60, 60), (0.8, 0.6)), (0.93, 0.985)),
    "MOVER, clustered": (partial(gap_of_clustered_shares, 12, (0.8, 0.5)), (0.93, 1.0)),
    "MOVER, skewed means": (partial(gap_of_skewed_means, 30), (0.93, 1.0)),
    "MOVER, change of a share": (partial(change_of_shares, 40, 0.3, 0.5), (0.93, 0.97)),
    "MOVER, change near 0": (partial(change_of_shares, 30, 0.02, 0.05), (0.93, 1.0)),
    "Newcombe, 40 and 40": (partial(gap_by_newcombe, 40, 0.5, 0.8), (0.93, 0.97)),
    "Newcombe, 10 and 10": (partial(gap_by_newcombe, 10, 0.5, 0.9), (0.93, 0.985)),
    "AUC of 14 rows": (partial(auc_of_rows, 14, 1.0), (0.93, 1.0)),
    "AUC of 30 rows, near 1": (partial(auc_of_rows, 30, 2.0), (0.93, 0.985)),
    "AUC of 60 rows, at 1 one time in five": (partial(auc_of_rows, 60, 3.5), (0.93, 1.0)),
    "AUC of 100 rows": (partial(auc_of_rows, 100, 1.0), (0.93, 0.97)),
    "AUC of 20 clusters": (partial(auc_of_clusters, 20), (0.93, 0.985)),
    "gap within 10 clusters": (partial(gap_within_clusters, [10] * 10, 0.5), (0.92, 0.985)),
    "gap within 20 unequal clusters": (
        partial(gap_within_clusters, SIZES["20, from 60 to 3"], 0.9),
        (0.93, 0.995),
    ),
}
# Resampled draws fall short with few rows or clusters; how far is measured here and said in the documents.
SHORT: dict[str, tuple[Draw, tuple[float, float]]] = {
    "percentile, mean of 30 skewed rows": (partial(resampled_rows, 30), (0.88, 0.95)),
    "percentile, mean of 100 skewed rows": (partial(resampled_rows, 100), (0.91, 0.96)),
    "percentile, mean of 8 clusters": (partial(resampled_mean, [5] * 8, "percentile"), (0.85, 0.93)),
    "BCa, mean of 8 clusters": (partial(resampled_mean, [5] * 8, "bca"), (0.85, 0.94)),
}


def covered(draw: Draw, tables: int) -> float:
    rng = np.random.default_rng(17)
    return float(np.mean([draw(rng) for _ in range(tables)]))


@pytest.mark.parametrize("name", CASES)
def test_intervals_hold_the_truth(name):
    """A coverage of 0.8 passes one time in ten; the slow test sees more."""
    assert covered(CASES[name][0], FEW) >= binomial_band(0.95, FEW, RARE).low


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES | SHORT)
def test_coverage_over_many_tables(name, record_property):
    draw, (least, most) = (CASES | SHORT)[name]
    found = covered(draw, MANY)
    record_property("coverage", found)
    margin = 2 * np.sqrt(0.95 * 0.05 / MANY)
    assert least - margin <= found <= min(1.0, most + margin)


def test_too_small_an_error_would_be_noticed():
    """What is compared with the bands can fail: the usual error over two large clusters and small ones."""
    clusters, rng, hits = owners(SIZES["2 of 100, 38 of 3"]), np.random.default_rng(3), 0
    for _ in range(FEW):
        values = rng.normal(size=40)[clusters] + rng.normal(size=clusters.size)
        sums = np.bincount(clusters, weights=values - values.mean())
        hits += abs(values.mean()) <= 2.02 * np.sqrt(40 / 39 * sums @ sums) / clusters.size
    assert hits / FEW < binomial_band(0.95, FEW, RARE).low
