from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import NormalIndPower, TTestIndPower, TTestPower

from biaskit.stats.power import achieved_power, minimum_detectable_effect


@pytest.mark.parametrize(
    ("group", "d"), [(8, 1.51), (16, 1.02), (32, 0.71), (64, 0.50), (128, 0.35), (256, 0.25)]
)
def test_two_sample_design_numbers(group, d):
    found = minimum_detectable_effect(float(np.sqrt(2 / group)), df=2 * group - 2)
    assert found == pytest.approx(TTestIndPower().solve_power(nobs1=group, power=0.8, alpha=0.05), rel=1e-4)
    assert round(found, 2) == d


@pytest.mark.parametrize("n", [2, 5, 8, 40])
@pytest.mark.parametrize("effect", [0.0, 0.3, 1.0, 4.0])
def test_power_against_statsmodels(n, effect):
    expected = TTestPower().power(effect, n, 0.05)
    if np.isnan(expected):  # scipy's far tail at a large effect, which statsmodels does not mend
        expected = 1.0
    assert achieved_power(-effect, float(1 / np.sqrt(n)), df=n - 1) == pytest.approx(expected, abs=1e-6)
    expected = NormalIndPower().power(effect, n, 0.01)
    assert achieved_power(effect, float(np.sqrt(2 / n)), alpha=0.01) == pytest.approx(expected, abs=1e-6)


def test_normal_case_is_close_to_the_textbook_sum():
    expected = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    assert minimum_detectable_effect(2.0) == pytest.approx(2 * expected, abs=1e-4)


@pytest.mark.parametrize("df", [1, 2, 7, 300, None])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.99])
def test_effect_and_power_are_inverse(df, power):
    effect = minimum_detectable_effect(0.4, power=power, df=df)
    assert achieved_power(effect, 0.4, df=df) == pytest.approx(power, abs=1e-6)


def test_no_effect_has_the_power_of_its_level():
    assert achieved_power(0.0, 1.0, df=7) == pytest.approx(0.05)
    assert minimum_detectable_effect(0.0) == 0.0


def test_simulated_power_is_the_promised_one(rng):
    effect = minimum_detectable_effect(float(1 / np.sqrt(9)), df=8)
    samples = rng.normal(effect, size=(4000, 9))
    assert np.mean(stats.ttest_1samp(samples, 0, axis=1).pvalue <= 0.05) == pytest.approx(0.8, abs=0.02)


def test_misuse_is_refused():
    for arguments in ({"standard_error": -1.0}, {"standard_error": 1.0, "power": 0.04}):
        with pytest.raises(ValueError, match="alpha"):
            minimum_detectable_effect(**arguments)
    with pytest.raises(ValueError, match="above 0"):
        achieved_power(1.0, 0.0)
