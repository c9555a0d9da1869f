"""Intervals and nulls of clustered items: they hold where items of a template stand or fall together."""

import numpy as np
import pytest

from biaskit.behaviour.score import Score, estimate, family, few, finding
from biaskit.records.estimate import Unit
from biaskit.records.finding import Direction
from biaskit.stats.measured import measured_mean
from biaskit.stats.proportions import wilson


def shares(rng, clusters, sizes, spread, mean=0.5):
    """Yes-or-no items; each cluster has a rate of its own around the mean."""
    rates = rng.beta(mean * spread, (1 - mean) * spread, size=clusters)
    rows = np.concatenate(
        [(rng.random(n) < rate).astype(float) for n, rate in zip(sizes, rates, strict=True)]
    )
    return rows, np.repeat(np.arange(clusters), sizes)


def score(rows, clusters, **settings):
    return Score("x", rows, clusters, sampled="templates", method="share", **settings)


def signed(rng, clusters, size):
    """Items of -1, 0 and 1 whose templates lean either way: what the ambiguous score of BBQ averages."""
    lean = rng.normal(0, 0.8, size=clusters)
    rows = [np.sign(np.round(rng.normal(one, 1, size=size))) for one in lean]
    return np.concatenate(rows), np.repeat(np.arange(clusters), size)


SIGNED = {"unit": Unit.ONE, "neutral": 0.0, "bounds": (-1.0, 1.0), "direction": Direction.TOWARD_ZERO}
DESIGNS = {
    "25 templates of 30": (lambda rng: (shares(rng, 25, [30] * 25, 2.0), {}), 0.5),
    "77 writers of unequal size": (
        lambda rng: (shares(rng, 77, np.maximum(1, 130 // np.arange(1, 78) ** 0.8).astype(int), 6.0), {}),
        0.5,
    ),
    "signed, 25 templates of 30": (lambda rng: (signed(rng, 25, 30), SIGNED), 0.0),
}


def rates(name, draws, seed=0):
    """Coverage and false alarms of ours, and coverage of independent items."""
    draw, truth = DESIGNS[name]
    rng = np.random.default_rng(seed)
    ours = plain = alarms = 0
    for _ in range(draws):
        (rows, clusters), settings = draw(rng)
        found = estimate(score(rows, clusters, **settings), rng)
        ours += truth in found.interval
        alarms += found.null.p <= 0.05
        plain += truth in measured_mean(rows, None).interval(0.95)
    return ours / draws, alarms / draws, plain / draws


@pytest.mark.parametrize("name", DESIGNS)
def test_intervals_cover_and_nulls_hold_where_independent_items_do_not(name):
    covered, alarms, plain = rates(name, 300)
    assert 0.91 <= covered <= 0.985
    assert 0.02 <= alarms <= 0.085
    assert plain < 0.75


@pytest.mark.slow
@pytest.mark.parametrize("name", DESIGNS)
def test_coverage_is_93_to_97_percent(name):
    covered, alarms, _ = rates(name, 3000, seed=1)
    assert 0.93 <= covered <= 0.97
    assert 0.04 <= alarms <= 0.06


def test_a_planted_lean_is_found_as_often_as_the_design_says():
    rng, found, smallest = np.random.default_rng(2), 0, []
    for _ in range(200):
        rows, clusters = shares(rng, 40, [10] * 40, 8.0, mean=0.6)
        one = estimate(score(rows, clusters), rng)
        found += one.null.p <= 0.05
        smallest.append(one.minimum_detectable_effect)
    assert np.mean(smallest) == pytest.approx(0.1, abs=0.01)
    assert 0.7 <= found / 200 <= 0.9


def test_the_value_is_the_plain_mean_and_the_swap_mirrors_everything():
    rng = np.random.default_rng(3)
    rows, clusters = shares(rng, 12, [7] * 12, 4.0, mean=0.4)
    one = estimate(score(rows, clusters), np.random.default_rng(0))
    other = estimate(score(1 - rows, clusters), np.random.default_rng(0))
    assert one.value == pytest.approx(rows.mean())
    assert other.value == pytest.approx(1 - one.value)
    assert (other.interval.low, other.interval.high) == pytest.approx(
        (1 - one.interval.high, 1 - one.interval.low)
    )
    assert other.null.p == one.null.p
    assert one.n == 12


def test_items_that_are_all_alike_have_an_interval_that_counts_clusters():
    zeros = estimate(score(np.zeros(300), np.repeat(np.arange(30), 10), **SIGNED), np.random.default_rng(0))
    odd = wilson(0, 30).high
    assert (zeros.interval.low, zeros.interval.high) == pytest.approx((-odd, odd))
    ones = estimate(score(np.ones(300), np.repeat(np.arange(30), 10)), np.random.default_rng(0))
    assert (ones.interval.low, ones.interval.high) == pytest.approx((1 - odd, 1))
    free = estimate(score(np.ones(6), np.arange(6), bounds=None, neutral=0.0), np.random.default_rng(0))
    assert free.interval is None
    assert "spread" in free.reason


def test_few_clusters_are_refused_and_said():
    rows = np.array([1.0, 0.0, 1.0, 1.0])
    refused = estimate(score(rows, np.array([0, 0, 1, 2])), np.random.default_rng(0))
    assert refused.value == 0.75
    assert refused.interval is None
    assert refused.untested
    empty = estimate(score(np.empty(0), np.empty(0)), np.random.default_rng(0))
    assert empty.value is None
    assert few([score(np.ones(8), np.arange(8)), score(np.ones(30), np.arange(30))]) == (
        "x, all: 8 templates are few; its interval is rough.",
    )


def test_parts_are_corrected_for_their_number():
    rng = np.random.default_rng(0)
    whole = score(np.r_[np.ones(30), rng.random(60) < 0.5].astype(float), np.arange(90))
    kinds = np.repeat(np.arange(3), 30)
    found = family([finding(whole.part(str(k), kinds == k), rng, "set") for k in range(3)], "parts")
    nulls = [one.estimate.null for one in found]
    assert all(null.correction == "Benjamini-Hochberg over 3 parts" for null in nulls)
    assert nulls[0].adjusted == pytest.approx(3 * nulls[0].p)
