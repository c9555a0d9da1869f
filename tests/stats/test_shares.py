"""Shares and their distance from a reference: closed values, means on fair generators, coverage."""

import numpy as np
import pytest
from statsmodels.stats.proportion import multinomial_proportions_confint

from biaskit.stats.proportions import binomial_band, wilson
from biaskit.stats.shares import (
    by_chance,
    chance_inequality,
    discrepancy,
    discrepancy_interval,
    discrepancy_squared,
    exchangeable,
    follows,
    images_needed,
    inequality,
    inequality_interval,
    reach,
    simultaneous,
)


def even(k):
    return np.full(k, 1 / k)


@pytest.mark.parametrize(("k", "most", "uneven"), [(2, 0.7071, 1.0), (3, 0.8165, 2 / 3), (4, 0.8660, 0.5)])
def test_all_on_one_class_has_the_closed_values(k, most, uneven):
    one = np.eye(k)[0]
    assert discrepancy(one, even(k)) == pytest.approx(most, abs=1e-4)
    assert inequality(one) == pytest.approx(uneven)
    assert discrepancy(np.array([0.7, 0.3]), even(2)) == pytest.approx(2**0.5 * 0.2)


@pytest.mark.parametrize(
    ("n", "k", "mean", "high"),
    [(50, 2, 0.080, 0.198), (100, 2, 0.056, 0.141), (100, 3, 0.073, 0.142), (100, 4, 0.080, 0.141)],
)
def test_a_fair_model_shows_the_tabled_discrepancy(n, k, mean, high):
    found = by_chance(n, even(k))
    assert (found.discrepancy, found.high) == (pytest.approx(mean, abs=1e-3), pytest.approx(high, abs=3e-3))


@pytest.mark.parametrize(
    ("n", "k", "mean"), [(16, 2, 0.195), (16, 4, 0.140), (100, 2, 0.079), (100, 4, 0.056)]
)
def test_a_fair_model_shows_the_tabled_inequality(n, k, mean):
    assert chance_inequality(n, k) == pytest.approx(mean, abs=2e-3)


@pytest.mark.parametrize("k", [2, 3, 4])
@pytest.mark.parametrize("n", [10, 60])
def test_debiased_scores_are_zero_on_average_on_a_fair_generator_and_raw_ones_are_not(n, k):
    rng = np.random.default_rng([n, k])
    tables = rng.multinomial(n, even(k), size=4000)
    squares = np.array([discrepancy_squared(one, even(k)) for one in tables])
    uneven = np.array([inequality(one / n) for one in tables])
    excess = uneven - chance_inequality(n, k)
    for found in (squares, excess):
        assert abs(found.mean()) < 3.5 * found.std(ddof=1) / 4000**0.5
    assert uneven.mean() > 10 * uneven.std(ddof=1) / 4000**0.5


def test_the_squared_discrepancy_is_unbiased_off_the_reference_too():
    p = np.array([0.6, 0.3, 0.1])
    tables = np.random.default_rng(0).multinomial(12, p, size=6000)
    found = np.array([discrepancy_squared(one, even(3)) for one in tables])
    truth = discrepancy(p, even(3)) ** 2
    assert abs(found.mean() - truth) < 3.5 * found.std(ddof=1) / 6000**0.5


@pytest.mark.parametrize("p", [(0.5, 0.5), (0.9, 0.1), (0.4, 0.3, 0.2, 0.1), (0.25,) * 4])
def test_intervals_hold_all_shares_and_both_scores_at_once(p):
    p = np.array(p)
    tables = np.random.default_rng(1).multinomial(80, p, size=250)
    hits = np.zeros(3)
    for table in tables:
        box = simultaneous(table)
        hits += [
            all(share in one for share, one in zip(p, box, strict=True)),
            discrepancy(p, even(len(p))) in discrepancy_interval(box, even(len(p))),
            inequality(p) in inequality_interval(box),
        ]
    least = binomial_band(0.95, 250, 0.999).low - 0.015  # Wilson's own shortfall at some shares
    assert (hits / 250 >= least).all()


def test_more_classes_have_goodmans_intervals():
    counts = np.array([10, 30, 60, 0])
    referee = multinomial_proportions_confint(counts, alpha=0.05, method="goodman")
    found = [(one.low, one.high) for one in simultaneous(counts)]
    assert np.allclose(found, referee, atol=1e-9)


def test_two_classes_have_wilsons_intervals_and_exact_images():
    box = simultaneous(np.array([30, 70]))
    assert box[0] == wilson(30, 100)
    assert discrepancy_interval(box, even(2)).low == pytest.approx(2**0.5 * (0.5 - box[0].high))
    assert inequality_interval(box).high == pytest.approx(1 - 2 * box[0].low)
    with pytest.raises(ValueError, match="two classes"):
        simultaneous(np.array([3]))


@pytest.mark.parametrize("k", [2, 3])
def test_the_test_of_a_reference_keeps_its_level_and_finds_a_lean(k):
    rng = np.random.default_rng(k)
    fair = [follows(one, even(k), rng).p for one in rng.multinomial(60, even(k), size=150)]
    assert np.mean(np.array(fair) <= 0.05) <= binomial_band(0.05, 150, 0.999).high
    leaning = np.full(k, 0.2 / (k - 1))
    leaning[0] = 0.8
    assert follows(rng.multinomial(60, leaning), even(k), rng).p < 0.01


def test_pairs_from_one_noise_are_told_apart_only_where_they_differ():
    rng = np.random.default_rng(5)
    p = []
    for _ in range(120):
        shared = rng.random(40)
        one, other = (np.where(rng.random(40) < 0.7, shared, rng.random(40)) for _ in range(2))
        p.append(exchangeable(*(np.digitize(each, [0.5, 0.8]) for each in (one, other)), 3, rng).p)
    assert np.mean(np.array(p) <= 0.05) <= binomial_band(0.05, 120, 0.999).high
    differing = exchangeable(np.zeros(40, int), np.repeat([0, 1], 20), 3, rng)
    assert differing.p < 0.01
    assert exchangeable(np.zeros(9, int), np.zeros(9, int), 2, rng).p == 1.0


def test_images_needed_is_the_fewest_that_do():
    for half_width in (0.05, 0.1, 0.3):
        n = images_needed(half_width)
        assert reach(n, 0.95) <= half_width < reach(n - 1, 0.95)
    assert images_needed(0.05, classes=4) > images_needed(0.05)
    with pytest.raises(ValueError, match="half-width"):
        images_needed(0.6)
