"""The error of a mean whose clusters differ in size."""

import numpy as np
import pytest

from biaskit.stats.bootstrap import cluster_interval
from biaskit.stats.measured import measured_mean
from biaskit.stats.unequal_clusters import clustered_mean, clustered_statistic


def test_equal_clusters_have_the_cluster_robust_interval():
    rng = np.random.default_rng(0)
    values, clusters = rng.normal(size=120), np.repeat(np.arange(12), 10)
    found, usual = clustered_mean(values, clusters), cluster_interval(values, clusters)
    assert found.freedom == pytest.approx(11)
    assert found.interval(0.95).low == pytest.approx(usual.low)
    assert found.interval(0.95).high == pytest.approx(usual.high)


def test_each_row_alone_is_the_textbook_error():
    values = np.random.default_rng(1).normal(size=40)
    found = clustered_mean(values, np.arange(40))
    assert found.error == pytest.approx(values.std(ddof=1) / np.sqrt(40))


def test_shares_of_equal_clusters_are_wilsons_as_elsewhere():
    rng = np.random.default_rng(2)
    values = (rng.random(90) < np.repeat(rng.random(9), 10)).astype(float)
    clusters = np.repeat(np.arange(9), 10)
    here, there = (
        clustered_mean(values, clusters).share_interval(0.95),
        measured_mean(values, clusters).interval(0.95),
    )
    assert (here.low, here.high) == pytest.approx((there.low, there.high))


def test_the_error_is_that_of_leaving_clusters_out_one_by_one():
    rng = np.random.default_rng(4)
    clusters = np.repeat(np.arange(5), [9, 1, 4, 4, 2])
    values = rng.normal(size=20)
    left = np.array([values[clusters != c].mean() for c in range(5)])
    found = clustered_mean(values, clusters)
    assert found.error == pytest.approx(np.sqrt(4 / 5 * ((left - values.mean()) ** 2).sum()))
    assert found.freedom == pytest.approx(400 / (81 + 1 + 16 + 16 + 4) - 1)


def test_any_statistic_of_clusters_is_a_mean_where_it_is_the_mean():
    rng = np.random.default_rng(5)
    values, clusters = rng.normal(size=30), np.sort(rng.integers(6, size=30))
    found = clustered_statistic(lambda rows: float(values[rows].mean()), clusters)
    usual = clustered_mean(values, clusters)
    assert (found.value, found.error) == pytest.approx((usual.value, usual.error))
    assert found.interval(0.9).method == usual.interval(0.9).method


def test_a_statistic_that_needs_every_cluster_has_no_error():
    found = clustered_statistic(lambda rows: np.nan if rows.size < 4 else 1.0, np.arange(4))
    assert found is None


def test_one_cluster_has_no_error():
    with pytest.raises(ValueError, match="one cluster"):
        clustered_mean(np.ones(3), np.zeros(3))
    with pytest.raises(ValueError, match="one cluster"):
        clustered_statistic(lambda rows: 0.0, np.zeros(3))
