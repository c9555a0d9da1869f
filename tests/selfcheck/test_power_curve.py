"""The power curve against a closed form: a normal test of known error."""

import numpy as np
import pytest

from biaskit.records.calibration import PowerPoint
from biaskit.records.estimate import Unit
from biaskit.runner.specimens import Judgement
from biaskit.selfcheck.power_curve import crossing, detectable, points, rate
from biaskit.stats.power import achieved_power, minimum_detectable_effect

DOSES = np.array([0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0])


def drawn(each, seed=0):
    rng = np.random.default_rng(seed)
    return [
        Judgement("plants", number, dose * sign, dose, hit, hit, None)
        for dose in DOSES
        for number, (sign, hit) in enumerate(
            zip(rng.choice([-1, 1], each), rng.random(each) < achieved_power(dose, 1.0), strict=True)
        )
    ]


def test_the_crossing_of_the_exact_curve_is_the_analytic_dose():
    fine = np.linspace(0, 5, 501)
    power = np.array([0.05, *(achieved_power(dose, 1.0) for dose in fine[1:])])
    assert crossing(fine, power) == pytest.approx(minimum_detectable_effect(1.0), abs=0.01)


def test_draws_give_the_analytic_dose_back_with_an_interval_that_holds_it():
    found = detectable(points(drawn(400), DOSES), 0.05, Unit.NAT)
    assert found.value == pytest.approx(minimum_detectable_effect(1.0), rel=0.05)
    assert minimum_detectable_effect(1.0) in found.interval


def test_the_interval_covers():
    """Over 60 sets of draws the interval holds the analytic dose at least as often as it says."""
    held = [
        minimum_detectable_effect(1.0) in detectable(points(drawn(40, seed), DOSES), 0.05, Unit.NAT).interval
        for seed in range(60)
    ]
    assert np.mean(held) >= 0.9


def test_doses_count_for_the_nearest_that_was_asked():
    tests = [Judgement("p", 0, dose, dose, dose > 1.5, dose > 1.5, None) for dose in (0.98, -1.02, 2.1, 0.0)]
    curve = points(tests, [1.0, 2.0])
    assert [(round(one.dose, 2), one.rate.value, one.rate.n) for one in curve] == [
        (1.0, 0.0, 2),
        (2.1, 1.0, 1),
    ]


def test_a_ladder_is_taken_rung_by_rung():
    tests = [Judgement("p", 0, dose, dose, True, True, None) for dose in (-0.2, 0.2, 0.4, 0.0)]
    assert [one.rate.n for one in points(tests, ())] == [2, 1]


def at(dose, hits, n):
    return PowerPoint(dose=dose, rate=rate([True] * hits + [False] * (n - hits), range(n), "share"))


def test_what_is_found_everywhere_lies_below_the_smallest_dose():
    found = detectable([at(1.0, 50, 50), at(2.0, 50, 50)], 0.05, Unit.NAT)
    assert 0 < found.value < 1.0
    assert "below the smallest" in found.reason


def test_what_is_never_found_has_no_value():
    found = detectable([at(1.0, 2, 50), at(2.0, 3, 50)], 0.05, Unit.NAT)
    assert found.value is None
    assert "No dose up to 2" in found.reason


def test_nothing_planted_is_nothing_said():
    assert detectable([], 0.05, Unit.NAT) is None
    assert points([], [1.0]) == ()


def test_tests_of_one_analysis_count_as_fewer():
    alike = rate([True] * 10 + [False] * 10, [0] * 10 + [1] * 10, "share")
    apart = rate([True] * 10 + [False] * 10, range(20), "share")
    width = [one.interval.high - one.interval.low for one in (alike, apart)]
    assert width[0] > width[1]
