"""The error of a mean whose clusters differ in size."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from biaskit.stats.bootstrap import cluster_interval
from biaskit.stats.measured import measured_mean
from biaskit.stats.proportions import wilson
from biaskit.stats.unequal_clusters import clustered_mean, clustered_statistic, clustered_step


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


def test_a_step_is_the_statistic_of_leaving_clusters_out_in_one_pass():
    rng = np.random.default_rng(6)
    values, clusters, inside = rng.normal(size=60), rng.integers(8, size=60), rng.random(60) < 0.3

    def step(rows):
        return float(values[rows][inside[rows]].mean() - values[rows][~inside[rows]].mean())

    found, usual = clustered_step(values, inside, clusters), clustered_statistic(step, clusters)
    assert (found.value, found.error) == pytest.approx((usual.value, usual.error))
    assert found.freedom <= usual.freedom


def test_a_step_of_rows_alone_has_the_degrees_of_freedom_of_welch():
    rng = np.random.default_rng(7)
    values, inside = rng.normal(size=40), np.arange(40) < 5
    found = clustered_step(values, inside, np.arange(40))
    welch = stats.ttest_ind(values[inside], values[~inside], equal_var=False)
    assert found.freedom == pytest.approx(welch.df)
    # Welch divides variances by 5 and 35; the jackknife by 4 and 34, and takes 39 of 40 parts.
    one, other = (values[side].var(ddof=1) for side in (inside, ~inside))
    assert found.error == pytest.approx(np.sqrt(39 / 40 * (one / 4 + other / 34)))


def test_a_side_in_one_cluster_has_no_step():
    clusters = np.repeat(np.arange(4), 3)
    assert clustered_step(np.arange(12.0), clusters == 2, clusters) is None
    assert clustered_step(np.arange(12.0), np.zeros(12, dtype=bool), clusters) is None


def test_a_step_keeps_its_level_where_few_clusters_hold_a_side():
    """Sixty clusters of three, a few wholly on one side, and no step: .88 with the freedom of all of them."""
    rng, clusters, kept, usual, sets = np.random.default_rng(8), np.repeat(np.arange(60), 3), 0, 0, 0
    while sets < 400:
        inside = (rng.random(60) < 0.06)[clusters]
        values = rng.normal(size=60)[clusters] + 0.3 * rng.normal(size=180)
        found = clustered_step(values, inside, clusters)
        if found is None:
            continue
        sets += 1
        kept += 0.0 in found.interval(0.95)
        usual += 0.0 in replace(found, freedom=59.0).interval(0.95)
    assert wilson(kept, sets, 0.99).high >= 0.95
    assert wilson(usual, sets, 0.99).high < 0.95
