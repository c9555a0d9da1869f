"""One case against a few controls: level, coverage, power, and controls that do not differ."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from biaskit.stats.power import achieved_power
from biaskit.stats.single_case import single_case

RUNS = 2000


def drawn(kind, shift=0.0, controls=10):
    rng = np.random.default_rng(5)
    for _ in range(RUNS):
        if kind == "normal":
            values = rng.normal(size=controls + 1) + rng.normal()
        else:
            # Means of 16 images of either group, as a gap is, about a lean that all nouns share.
            values = 10 * rng.binomial(16, 0.6, size=controls + 1) / 16
        values[0] += shift
        yield single_case(values[0], values[1:])


@pytest.mark.parametrize("kind", ["normal", "images"])
def test_one_more_control_is_accused_at_the_level_alone(kind):
    found = list(drawn(kind))
    for level in (0.01, 0.05, 0.2):
        low, high = stats.binom.interval(0.999, RUNS, level)
        assert low <= sum(one.null.p <= level for one in found) <= high
    inside = sum(0.0 in one.interval for one in found)
    assert inside == sum(one.null.p > 0.05 for one in found)


def test_power_is_what_a_t_test_promises():
    found = list(drawn("normal", shift=3.0))
    expected = achieved_power(3.0, np.sqrt(1.1), df=9)
    assert np.mean([one.null.p <= 0.05 for one in found]) == pytest.approx(expected, abs=0.04)


def test_it_agrees_with_a_two_sample_t_test_of_one_against_many():
    controls = np.array([0.3, -1.2, 0.8, 0.1, 2.0])
    found = single_case(2.9, controls)
    assert found.null.p == pytest.approx(stats.ttest_ind([2.9], controls).pvalue)
    assert found.excess == pytest.approx(2.9 - controls.mean())


def test_controls_that_are_all_alike_give_a_rank():
    alike = np.full(9, 0.25)
    assert single_case(0.25, alike).null.p == 1.0
    assert single_case(0.5, alike).null.p == pytest.approx(0.1)


@pytest.mark.parametrize("controls", [[0.0, 1.0], [0.0, 1.0, float("nan")]])
def test_too_few_and_missing_controls_are_refused(controls):
    with pytest.raises(ValueError, match="3 controls"):
        single_case(1.0, np.array(controls))
