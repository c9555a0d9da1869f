from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from biaskit.stats.proportions import binomial_band, wilson


@given(
    st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.sampled_from([0.9, 0.95]),
)
def test_wilson_against_statsmodels(count, level):
    successes, n = count
    found = wilson(successes, n, level)
    expected = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)
    assert successes / n in found


def test_nothing_of_ten_is_not_a_zero_width_interval():
    found = wilson(0, 10)
    z2 = stats.norm.ppf(0.975) ** 2
    assert found.low == 0.0
    assert found.high == pytest.approx(z2 / (10 + z2))
    turned = wilson(10, 10)
    assert turned.high == 1.0
    assert turned.low == pytest.approx(1 - found.high)


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.5, 1.0])
@pytest.mark.parametrize("n", [1, 20, 600])
def test_band_holds_at_least_its_level_and_no_smaller_one_does(rate, n):
    band = binomial_band(rate, n)
    low, high = round(band.low * n), round(band.high * n)
    law = stats.binom(n, rate)
    assert law.cdf(high) - law.cdf(low - 1) >= 0.95
    assert law.cdf(low - 1) < 0.025
    assert law.sf(high) <= 0.025
    if 0 < rate < 1:
        assert law.cdf(low) >= 0.025
        assert law.sf(high - 1) > 0.025


def test_band_of_twenty_null_runs():
    band = binomial_band(0.05, 20)
    assert (band.low, band.high) == pytest.approx((0.0, 0.15))


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="nothing"):
        wilson(0, 0)
    with pytest.raises(ValueError, match="cannot be"):
        wilson(5, 4)
    with pytest.raises(ValueError, match="rate"):
        binomial_band(1.2, 10)
    with pytest.raises(ValueError, match="nothing"):
        binomial_band(0.5, 0)
