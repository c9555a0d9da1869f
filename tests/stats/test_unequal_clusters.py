"""The error of a mean whose clusters differ in size."""

import numpy as np
import pytest

from biaskit.stats.bootstrap import cluster_interval
from biaskit.stats.measured import measured_mean
from biaskit.stats.unequal_clusters import clustered_mean


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


def test_unequal_clusters_are_covered_where_the_usual_error_is_too_small():
    rng, sizes = np.random.default_rng(3), np.maximum(1, 60 // np.arange(1, 21))
    clusters = np.repeat(np.arange(20), sizes)
    here = there = 0
    for _ in range(1000):
        values = (rng.random(clusters.size) < rng.beta(2, 2, size=20)[clusters]).astype(float)
        here += 0.5 in clustered_mean(values, clusters).share_interval(0.95)
        there += 0.5 in measured_mean(values, clusters).interval(0.95)
    assert 0.93 <= here / 1000 <= 0.97
    assert there / 1000 < 0.92


def test_one_cluster_has_no_error():
    with pytest.raises(ValueError, match="one cluster"):
        clustered_mean(np.ones(3), np.zeros(3))
