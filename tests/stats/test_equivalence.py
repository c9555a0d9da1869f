"""Equivalence: the closed form, its level at the margin, its power within it."""

import numpy as np
import pytest
from scipy import stats

from biaskit.stats.equivalence import equivalence
from biaskit.stats.proportions import binomial_band

UNITS = np.array([0.01, -0.02, 0.03, 0.0, 0.015])
TABLES, N, MARGIN = 600, 8, 0.5


def share_held(rng, mean, sides):
    draws = rng.normal(mean, 1.0, size=(TABLES, N))
    return np.mean([equivalence(row, MARGIN, sides=sides).holds for row in draws])


def test_it_is_two_t_tests():
    found = equivalence(UNITS, 0.05)
    above = stats.ttest_1samp(UNITS, -0.05, alternative="greater").pvalue
    below = stats.ttest_1samp(UNITS, 0.05, alternative="less").pvalue
    assert found.null.p == pytest.approx(max(above, below), rel=1e-12)
    assert equivalence(UNITS, 0.05, sides="upper").null.p == pytest.approx(below, rel=1e-12)
    assert equivalence(UNITS, 0.05, sides="lower").null.p == pytest.approx(above, rel=1e-12)


@pytest.mark.parametrize("margin", [0.012, 0.025, 0.05])
def test_it_holds_where_the_interval_lies_within_the_margin(margin):
    found = equivalence(UNITS, margin)
    assert found.holds == (-margin < found.interval.low and found.interval.high < margin)
    assert found.interval.level == pytest.approx(0.9)


@pytest.mark.parametrize(("mean", "sides"), [(MARGIN, "upper"), (-MARGIN, "lower")])
def test_at_the_margin_it_errs_in_one_of_twenty(rng, mean, sides):
    assert share_held(rng, mean, sides) in binomial_band(0.05, TABLES, 0.999)


def test_two_sided_it_errs_less():
    assert share_held(np.random.default_rng(1), MARGIN, "both") < 0.06


def test_within_the_margin_it_is_shown(rng):
    draws = rng.normal(0.0, 0.3, size=(300, N))
    assert np.mean([equivalence(row, MARGIN).holds for row in draws]) > 0.9


def test_units_that_do_not_differ():
    assert equivalence(np.zeros(3), 0.1).null.p == 0
    assert equivalence(np.full(3, 0.5), 0.5).null.p == 1


@pytest.mark.parametrize(("units", "margin"), [([0.0], 1.0), ([0.0, np.nan], 1.0), ([0.0, 1.0], 0.0)])
def test_what_cannot_be_tested(units, margin):
    with pytest.raises(ValueError, match="equivalence needs"):
        equivalence(np.array(units), margin)
