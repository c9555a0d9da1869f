from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn.isotonic import IsotonicRegression

from biaskit.stats.correlation import isotonic_r2, slope_and_r2, spearman, split_half
from biaskit.stats.proportions import binomial_band

TIED = arrays(float, 7, elements=st.sampled_from([0.0, 0.1, 0.2, 0.3]))


@given(TIED, TIED)
def test_rho_with_ties_is_that_of_scipy(x, y):
    found = spearman(x, y)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert found.rho is None
        assert found.reason
    else:
        assert found.rho == pytest.approx(stats.spearmanr(x, y).statistic)


@given(TIED, TIED)
def test_turning_one_turns_rho_and_the_interval_and_keeps_p(x, y):
    plain, turned = spearman(x, y), spearman(x, -y)
    if plain.rho is None:
        return
    assert turned.rho == pytest.approx(-plain.rho)
    assert turned.null.p == pytest.approx(plain.null.p)
    assert (turned.interval.low, turned.interval.high) == pytest.approx(
        (-plain.interval.high, -plain.interval.low)
    )


def test_exact_p_counts_all_orders(rng):
    x, y = rng.normal(size=5), np.array([1.0, 1.0, 2.0, 3.0, 2.0])
    rho = abs(stats.spearmanr(x, y).statistic)
    orders = [abs(stats.spearmanr(x, y[list(order)]).statistic) for order in permutations(range(5))]
    assert spearman(x, y).null.p == pytest.approx(np.mean(np.array(orders) >= rho - 1e-9))


def test_ties_by_order_depend_on_the_list():
    x, y = np.array([1.0, 1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0])
    assert spearman(x, y, ties="order").rho == pytest.approx(1.0)
    assert spearman(x[[1, 0, 2, 3]], y[[1, 0, 2, 3]], ties="order").rho == pytest.approx(0.8)
    assert spearman(x, y).rho == pytest.approx(spearman(x[[1, 0, 2, 3]], y[[1, 0, 2, 3]]).rho)


@pytest.mark.parametrize("n", [6, 12])
def test_p_is_uniform_without_a_relation(rng, n):
    p = np.array([spearman(*rng.normal(size=(2, n)), rng=rng if n > 8 else None).null.p for _ in range(300)])
    for level in (0.05, 0.2, 0.5):
        assert np.mean(p <= level) in binomial_band(level, 300, 0.995)


def test_t_approximation_stays_near_the_random_orders(rng):
    x = rng.normal(size=30)
    y = 0.3 * x + rng.normal(size=30)
    assert spearman(x, y).null.p == pytest.approx(spearman(x, y, rng=rng).null.p, abs=0.02)
    assert spearman(x, y).null.p == pytest.approx(stats.spearmanr(x, y).pvalue)


def test_p_of_a_perfect_order_is_small_and_not_zero():
    assert spearman(np.arange(10.0), np.arange(10.0)).null.p == pytest.approx(2 / 3628800)


def test_interval_formula():
    x, y = np.arange(20.0), np.arange(20.0)
    y[[0, 5, 11, 19]] = y[[19, 11, 5, 0]]
    found = spearman(x, y)
    half = 1.959964 * np.sqrt((1 + found.rho**2 / 2) / 17)
    expected = np.tanh(np.arctanh(found.rho) + np.array([-half, half]))
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(expected), abs=1e-6)


def test_perfect_order_of_six_still_has_a_wide_interval():
    found = spearman(np.arange(6.0), np.arange(6.0)).interval
    assert found.high == 1.0
    assert found.low == pytest.approx(spearman(np.arange(6.0), np.array([1.0, 0, 2, 3, 4, 5])).interval.low)
    assert found.low < 0.5


def test_interval_covers_the_rank_correlation_of_a_normal_pair(rng):
    """For a normal pair with correlation r the population rho is 6 / pi asin(r / 2)."""
    r, hits = 0.6, 0
    for _ in range(500):
        x, e = rng.normal(size=(2, 40))
        hits += 6 / np.pi * np.arcsin(r / 2) in spearman(x, r * x + np.sqrt(1 - r * r) * e).interval
    assert binomial_band(0.95, 500, 0.99).low <= hits / 500 < 0.99


def test_too_few_pairs_say_why():
    assert spearman(np.array([1.0, 2.0]), np.array([1.0, 2.0])).reason
    three = spearman(np.arange(3.0), np.arange(3.0))
    assert three.rho == pytest.approx(1.0)
    assert three.interval is None
    assert "four pairs" in three.reason
    assert three.null.p == pytest.approx(2 / 6)


def test_slope_is_that_of_statsmodels(rng):
    x = rng.normal(size=80)
    y = 2 + 0.7 * x + rng.normal(size=80)
    fit = sm.OLS(y, sm.add_constant(x)).fit()
    found = slope_and_r2(x, y)
    assert (found.intercept, found.slope) == pytest.approx(tuple(fit.params))
    assert found.r_squared == pytest.approx(fit.rsquared)
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(fit.conf_int()[1]))


@pytest.mark.parametrize("sizes", [[8] * 8, np.maximum(1, 60 // np.arange(1, 21))])
def test_clustered_slope_covers_where_other_errors_do_not(rng, sizes):
    """Dose and disturbance both belong to the target; the robust error of statsmodels gives .83 to .85."""
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    hits = dict.fromkeys(("clustered", "robust", "plain"), 0)
    for _ in range(300):
        dose = rng.normal(size=len(sizes))[clusters]
        y = dose + rng.normal(size=len(sizes))[clusters] + rng.normal(size=clusters.size)
        how = {"cov_type": "cluster", "cov_kwds": {"groups": clusters}, "use_t": True}
        low, high = sm.OLS(y, sm.add_constant(dose)).fit(**how).conf_int()[1]
        hits["robust"] += low <= 1.0 <= high
        hits["clustered"] += 1.0 in slope_and_r2(dose, y, clusters=clusters).interval
        hits["plain"] += 1.0 in slope_and_r2(dose, y).interval
    assert 0.9 < hits["clustered"] / 300 < 0.99
    assert hits["robust"] / 300 < 0.9
    assert hits["plain"] / 300 < 0.8


def test_a_slope_that_one_cluster_carries_has_no_interval():
    x = np.r_[np.zeros(6), 1.0]
    found = slope_and_r2(x, np.arange(7.0), clusters=np.arange(7))
    assert found.slope is not None
    assert found.interval is None
    assert "one of the clusters alone" in found.reason


def test_lines_that_cannot_be_say_why():
    flat = slope_and_r2(np.ones(4), np.arange(4.0))
    assert flat.slope is None
    assert "x does not vary" in flat.reason
    level = slope_and_r2(np.arange(4.0), np.ones(4))
    assert (level.slope, level.r_squared) == (0.0, None)
    assert level.reason
    assert slope_and_r2(np.arange(2.0), np.arange(2.0)).interval is None
    assert slope_and_r2(np.arange(4.0), np.arange(4.0) ** 2, clusters=np.zeros(4)).interval is None


@given(
    arrays(float, 9, elements=st.sampled_from([0.0, 1.0, 2.0, 3.0])),
    arrays(float, 9, elements=st.floats(-3, 3)),
)
def test_isotonic_fit_is_that_of_scikit_learn(x, y):
    y = np.round(y, 3)
    found = isotonic_r2(x, y)
    if np.ptp(y) == 0:
        assert found is None
        return
    assert found == pytest.approx(IsotonicRegression().fit(x, y).score(x, y), abs=1e-9)


def test_isotonic_fit_sees_shape_and_sign(rng):
    x = np.linspace(-3, 3, 40)
    assert isotonic_r2(x, np.tanh(3 * x)) == pytest.approx(1.0)
    assert isotonic_r2(x, -np.tanh(3 * x)) == pytest.approx(0.0)
    assert isotonic_r2(x, rng.normal(size=40)) < 0.6


def test_split_half_gives_the_reliability_that_was_built_in(rng):
    """Parallel templates: reliability of the mean of g is v / (v + e / g)."""
    found = []
    for _ in range(10):
        cells = rng.normal(size=(200, 1)) + 2.0 * rng.normal(size=(200, 8)) + rng.normal(size=8)
        found.append(split_half(cells, rng=rng).value)
    assert np.mean(found) == pytest.approx(1 / (1 + 4 / 8), abs=0.02)


def test_split_half_of_two_templates_is_the_closed_form(rng):
    cells = rng.normal(size=(30, 1)) + rng.normal(size=(30, 2))
    r = np.corrcoef(cells.T)[0, 1]
    found = split_half(cells, rng=rng, splits=3)
    assert found.value == pytest.approx(2 * r / (1 + r))
    half = 1.959964 / np.sqrt(27)
    low = np.tanh(np.arctanh(r) - half)
    assert found.interval.low == pytest.approx(2 * low / (1 + low), abs=1e-5)


def test_split_half_of_noise_is_near_zero_and_of_copies_is_one(rng):
    noise = [split_half(rng.normal(size=(40, 8)), rng=rng, splits=30).value for _ in range(30)]
    assert abs(np.mean(noise)) < 0.2
    assert split_half(np.tile(rng.normal(size=(12, 1)), 6), rng=rng).value == pytest.approx(1.0)


def test_split_half_of_opposites_stays_above_minus_one(rng):
    score = rng.normal(size=(20, 1))
    assert -1 <= split_half(np.hstack([score, -score]), rng=rng).value < -0.99


def test_split_half_bears_missing_cells_and_says_when_it_cannot_be(rng):
    cells = np.tile(rng.normal(size=(20, 1)), 6) + 0.1 * rng.normal(size=(20, 6))
    cells[rng.random(cells.shape) < 0.2] = np.nan
    assert split_half(cells, rng=rng).value > 0.95
    assert split_half(np.full((5, 7), 0.1), rng=rng).value is None
    with pytest.raises(ValueError, match="infinite"):
        split_half(np.full((5, 4), np.inf), rng=rng)
    assert split_half(rng.normal(size=(2, 4)), rng=rng).reason
    assert split_half(rng.normal(size=(5, 1)), rng=rng).value is None
    assert "four targets" in split_half(rng.normal(size=(3, 1)) + np.zeros((3, 4)), rng=rng).reason


def test_values_that_are_no_numbers_are_refused():
    bad = np.array([1.0, np.nan, 2.0, 3.0])
    for measure in (spearman, slope_and_r2, isotonic_r2):
        with pytest.raises(ValueError, match="finite"):
            measure(bad, np.arange(4.0))
