from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.sandwich_covariance import cov_cluster_2groups

from biaskit.stats.bootstrap import (
    bootstrap_interval,
    cluster_bootstrap,
    cluster_interval,
    two_way_bootstrap,
    two_way_degrees_of_freedom,
    two_way_interval,
    two_way_standard_error,
)
from biaskit.stats.proportions import binomial_band


def crossed(rng, shape, effects, *, count=None):
    """Tables of true mean 0 with effects of rows, columns and cells."""
    rows, columns = shape
    lead = () if count is None else (count,)
    parts = [rng.normal(size=(*lead, *size)) for size in ((rows, 1), (1, columns), (rows, columns))]
    a, b, e = effects
    return a * parts[0] + (b if columns > 1 else 0.0) * parts[1] + e * parts[2]


def holed(rng, table, share=0.2):
    table = table.copy()
    table[rng.random(table.shape) < share] = np.nan
    return table


def test_draws_have_the_pigeonhole_variance(rng):
    """Var = sum r^2 / G^2 + sum c^2 / F^2 + sum e^2 / (GF)^2 with the table's row, column and cell parts."""
    table = crossed(rng, (6, 9), (1.0, 0.7, 1.5))
    rows = table.mean(axis=1) - table.mean()
    columns = table.mean(axis=0) - table.mean()
    rest = table - table.mean() - rows[:, None] - columns
    expected = (rows**2).sum() / 36 + (columns**2).sum() / 81 + (rest**2).sum() / 54**2
    draws = two_way_bootstrap(table, draws=40_000, rng=rng)
    assert draws.mean() == pytest.approx(table.mean(), abs=4 * np.sqrt(expected / draws.size))
    assert draws.var() == pytest.approx(expected, rel=0.03)


def test_one_column_is_the_ordinary_bootstrap(rng):
    values = rng.normal(size=8)
    draws = two_way_bootstrap(values[:, None], draws=40_000, rng=rng)
    assert draws.var() == pytest.approx(values.var() / 8, rel=0.03)
    assert two_way_bootstrap(values[None, :], draws=40_000, rng=rng).var() == pytest.approx(
        draws.var(), rel=0.05
    )


def test_missing_cells_are_weighted_out_and_no_draw_is_empty(rng):
    table = np.full((4, 4), np.nan)
    np.fill_diagonal(table, 5.0)
    draws = two_way_bootstrap(table, draws=500, rng=rng)
    assert draws == pytest.approx(np.full(500, 5.0))


def test_rows_and_columns_without_a_cell_change_nothing(rng):
    table = crossed(rng, (5, 4), (1, 1, 1))
    wider = np.full((6, 5), np.nan)
    wider[:5, :4] = table
    assert two_way_standard_error(wider) == pytest.approx(two_way_standard_error(table))
    assert two_way_interval(wider) == two_way_interval(table)
    assert two_way_degrees_of_freedom(wider) == 3


def statsmodels_parts(table):
    """Two-way, row and column variances of the mean by statsmodels."""
    rows, columns = np.nonzero(~np.isnan(table))
    fit = sm.OLS(table[rows, columns], np.ones(rows.size)).fit()
    return [float(part.item()) for part in cov_cluster_2groups(fit, rows, columns)]


@pytest.mark.parametrize("effects", [(1, 1, 1), (1, 0.2, 1), (0.2, 1, 1), (0, 0, 1)])
@pytest.mark.parametrize("share", [0.0, 0.2])
def test_standard_error_is_that_of_statsmodels(rng, effects, share):
    seen_both = 0
    for _ in range(20):
        table = holed(rng, crossed(rng, (8, 10), effects), share)
        both, rows, columns = statsmodels_parts(table)
        assert two_way_standard_error(table) ** 2 == pytest.approx(max(both, rows, columns))
        seen_both += both >= max(rows, columns)
    if effects == (1, 1, 1):
        assert seen_both > 10


def test_one_way_standard_error_is_the_textbook_one(rng):
    values = rng.normal(size=(8, 1))
    assert two_way_standard_error(values) == pytest.approx(stats.sem(values[:, 0]))
    low, high = stats.t.interval(0.95, 7, values.mean(), stats.sem(values[:, 0]))
    found = two_way_interval(values)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert "this filler only" in found.method


def test_interval_moves_with_location_and_scale(rng):
    table = crossed(rng, (8, 5), (1, 1, 1))
    plain, moved = two_way_interval(table), two_way_interval(3 - 2 * table)
    assert (moved.low, moved.high) == pytest.approx((3 - 2 * plain.high, 3 - 2 * plain.low))


def test_interval_ignores_the_order_of_rows_and_columns(rng):
    table = crossed(rng, (8, 5), (1, 1, 1))
    shuffled = table[rng.permutation(8)][:, rng.permutation(5)]
    assert two_way_standard_error(shuffled) == pytest.approx(two_way_standard_error(table))


DESIGNS = [(8, 10), (8, 1), (16, 10)]
EFFECTS = [(1, 1, 1), (1, 0.2, 1), (0.2, 1, 1), (0, 0, 1)]


@pytest.mark.parametrize("shape", DESIGNS)
@pytest.mark.parametrize("effects", EFFECTS)
def test_default_interval_covers(shape, effects):
    tables = crossed(np.random.default_rng(1), shape, effects, count=2000)
    coverage = np.mean([0.0 in two_way_interval(table) for table in tables])
    assert coverage >= binomial_band(0.95, 2000, 0.99).low
    # Conservative where there are neither row nor column effects, and not by much elsewhere.
    assert coverage <= (0.99 if effects == (0, 0, 1) else 0.975)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_bootstrap_intervals_fall_short_of_their_level_with_eight_templates(rng, method):
    """The reason why neither is the default."""
    tables = crossed(rng, (8, 1), (1, 0, 1), count=400)
    covered = [0.0 in two_way_interval(t, method=method, draws=400, rng=rng) for t in tables]
    assert 0.82 < np.mean(covered) < binomial_band(0.95, 400, 0.99).low


def test_rows_as_if_independent_would_not_cover(rng):
    """What resampling single cells would report; the coverage test has power."""
    tables = crossed(rng, (8, 10), (1, 1, 1), count=400)
    half = stats.t.ppf(0.975, 79) * tables.std(axis=(1, 2), ddof=1) / np.sqrt(80)
    assert np.mean(abs(tables.mean(axis=(1, 2))) <= half) < 0.6


def test_bca_agrees_with_scipy_one_way(rng):
    values = rng.exponential(size=25)
    ours = two_way_interval(values[:, None], method="bca", draws=40_000, rng=rng)
    theirs = stats.bootstrap(
        (values,), np.mean, method="BCa", n_resamples=40_000, rng=rng
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.035)
    plain = two_way_interval(values[:, None], method="percentile", draws=40_000, rng=rng)
    assert ours.high > plain.high + 0.07


def test_cluster_bca_agrees_with_scipy(rng):
    values = rng.exponential(size=25)
    ours = cluster_interval(values, np.arange(25), method="bca", rng=rng)
    theirs = stats.bootstrap(
        (values,), np.mean, method="BCa", n_resamples=40_000, rng=rng
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.05)


def test_two_way_bca_is_skewed_like_its_rows(rng):
    table = rng.exponential(size=(12, 1)) + 0.1 * rng.normal(size=(12, 6))
    plain = two_way_interval(table, method="percentile", draws=20_000, rng=rng)
    skewed = two_way_interval(table, method="bca", draws=20_000, rng=rng)
    assert skewed.high > plain.high
    assert skewed.low > plain.low


def test_cluster_interval_is_that_of_statsmodels(rng):
    clusters = rng.permutation(np.repeat(np.arange(12), 8))
    values = rng.normal(size=12)[clusters] + rng.normal(size=96)
    fit = sm.OLS(values, np.ones(96)).fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
    found = cluster_interval(values, np.array([f"c{i}" for i in clusters]))
    assert (found.low, found.high) == pytest.approx(tuple(fit.conf_int()[0]))


def test_cluster_interval_covers_where_rows_do_not(rng):
    clusters = np.repeat(np.arange(10), 8)
    hits = rows = 0
    for _ in range(400):
        values = rng.normal(size=10)[clusters] + rng.normal(size=80)
        hits += 0.0 in cluster_interval(values, clusters)
        rows += abs(values.mean()) <= 1.99 * stats.sem(values)
    assert hits / 400 >= binomial_band(0.95, 400, 0.99).low
    assert rows / 400 < 0.8


def test_cluster_bootstrap_of_a_mean_is_cluster_interval(rng):
    clusters = rng.integers(9, size=60)
    values = rng.normal(size=9)[clusters] + rng.normal(size=60)
    draws = cluster_bootstrap(lambda rows: float(values[rows].mean()), clusters, draws=3000, rng=rng)
    ours = cluster_interval(values, clusters, method="percentile", rng=rng)
    general = bootstrap_interval(draws)
    assert (general.low, general.high) == pytest.approx((ours.low, ours.high), abs=0.08)


def test_undefined_draws_are_counted_and_not_hidden():
    draws = np.append(np.linspace(0, 1, 98), [np.nan, np.nan])
    assert "(2 undefined)" in bootstrap_interval(draws).method
    with pytest.raises(ValueError, match="undefined in 3 of 4"):
        bootstrap_interval(np.array([1.0, np.nan, np.nan, np.nan]))


def test_an_observed_value_beyond_every_draw_keeps_its_width():
    found = bootstrap_interval(np.linspace(0, 1, 100), method="bca", observed=2.0)
    assert found.low <= found.high <= 1.0


@pytest.mark.parametrize(
    "cells", [np.ones((1, 1)), np.full((3, 3), np.nan), np.array([[1.0, np.nan], [np.nan, np.nan]])]
)
def test_one_cell_or_none_has_no_interval(cells):
    with pytest.raises(ValueError, match="cannot be resampled"):
        two_way_interval(cells)


def test_misuse_is_refused(rng):
    with pytest.raises(ValueError, match="rng"):
        two_way_interval(np.ones((3, 3)), method="percentile")
    with pytest.raises(ValueError, match="infinite"):
        two_way_interval(np.array([[1.0, np.inf], [1.0, 2.0]]))
    with pytest.raises(ValueError, match="one cluster"):
        cluster_interval(np.ones(3), np.zeros(3))
    with pytest.raises(ValueError, match="two clusters"):
        cluster_interval(np.ones(3), np.zeros(3), method="percentile", rng=rng)
    with pytest.raises(ValueError, match="finite"):
        cluster_interval(np.array([1.0, np.nan]), np.arange(2))
    with pytest.raises(ValueError, match="observed"):
        bootstrap_interval(np.ones(10), method="bca")


def test_the_same_seed_gives_the_same_interval(rng):
    table = crossed(rng, (8, 5), (1, 1, 1))
    first, second = (two_way_interval(table, method="bca", rng=np.random.default_rng(3)) for _ in range(2))
    assert first == second


def test_constant_cells_give_an_interval_of_no_width(rng):
    for method in ("t", "percentile", "bca"):
        found = two_way_interval(np.full((4, 5), 2.5), method=method, rng=rng)
        assert (found.low, found.high) == pytest.approx((2.5, 2.5))
