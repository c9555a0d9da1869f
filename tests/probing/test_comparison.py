"""Paired differences: closed forms, coverage, false alarms and power."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from biaskit.concepts.probe_auc import FoldScores
from biaskit.errors import RequestError
from biaskit.probing.comparison import (
    MOST_LISTED,
    compare,
    difference_on_one,
    difference_over_datasets,
    sign_flip,
)
from biaskit.probing.quiver import Cell, Family
from biaskit.records.estimate import Unit


@pytest.fixture
def rng():
    return np.random.default_rng(12)


def table_of(differences, *, spread=0.1, rng):
    """Four cells a data set: an SAE probe that differs from a baseline by `differences`, and two losers.

    Data sets differ far more than the methods do, which only a paired comparison sees through.
    """
    rows = []
    for number, difference in enumerate(differences):
        level = 0.75 + spread * rng.normal()
        for cell in range(4):
            noise = 0.02 * rng.normal()
            for name, family, gain in (
                ("logistic", Family.BASELINE, 0),
                ("knn", Family.BASELINE, -0.1),
                ("k=16", Family.SAE, difference),
                ("k=1", Family.SAE, -0.2),
            ):
                rows.append(
                    Cell(f"set {number}", cell, name, family, 0.9 + min(gain, 0), level + noise + gain)
                )
    return rows


def test_the_difference_is_paired_and_the_choice_is_by_validation(rng):
    differences = np.array([0.015, -0.02, 0.03, -0.01, -0.03, 0.0])
    found = compare(table_of(differences - 0.01, rng=rng), rng)
    assert (found.subject.method, found.baseline.method) == ("k=16", "logistic")
    assert found.estimate.unit is Unit.AUC
    assert found.estimate.n == 6
    np.testing.assert_allclose(list(found.differences.values()), differences - 0.01)
    expected = stats.ttest_1samp(differences - 0.01, 0).confidence_interval()
    assert found.estimate.interval.low == pytest.approx(expected.low)
    assert found.estimate.interval.high == pytest.approx(expected.high)
    assert found.better == 2 / 6


def test_a_named_subject_is_taken(rng):
    found = compare(table_of(np.zeros(5), rng=rng), rng, subject="k=1")
    assert found.estimate.value == pytest.approx(-0.2)
    with pytest.raises(RequestError, match="all 20 cells"):
        compare(table_of(np.zeros(5), rng=rng), rng, subject="k=2")


def test_the_best_test_auc_has_no_say(rng):
    table = [
        Cell(f"set {n}", 0, *row)
        for n in range(4)
        for row in (
            ("validates", Family.BASELINE, 0.9, 0.6),
            ("tests", Family.BASELINE, 0.8, 1.0),
            ("k=16", Family.SAE, 0.7, 0.7),
        )
    ]
    found = compare(table, rng)
    assert found.baseline.method == "validates"
    assert found.estimate.value == pytest.approx(0.1)


def test_pairing_is_what_makes_a_small_difference_visible(rng):
    """Published error bars add the variances of both means; a paired interval is many times narrower."""
    table = table_of(-0.02 + 0.005 * rng.normal(size=30), rng=rng)
    found = compare(table, rng)
    half = (found.estimate.interval.high - found.estimate.interval.low) / 2
    tests = {name: [row.test for row in table if row.method == name] for name in ("k=16", "logistic")}
    unpaired = np.sqrt(sum(np.var(values) / 30 for values in tests.values()))
    assert half < unpaired / 5
    assert found.estimate.interval.high < 0
    assert found.estimate.null.p < 0.001


def test_the_released_difference_has_the_quoted_shape():
    """Quoted for scarcity: -.020, 95 % interval [-.024, -.016] over 113 data sets, better on 20 of them.

    A mean of -.020 with that interval means a standard deviation of .0215 over data sets; of 113 normal
    differences with this mean and spread 20 would be positive.
    """
    deviation = 0.004 / stats.t.ppf(0.975, 112) * np.sqrt(113)
    assert round(113 * stats.norm.sf(0.020 / deviation)) == pytest.approx(20, abs=2)
    quantiles = stats.norm.ppf((np.arange(113) + 0.5) / 113)
    values = -0.020 + deviation * quantiles / quantiles.std(ddof=1)
    found = difference_over_datasets(values, "quoted", np.random.default_rng(0))
    assert (round(found.interval.low, 3), round(found.interval.high, 3)) == (-0.024, -0.016)
    assert found.null.p == 1 / 10_000


@pytest.mark.parametrize("count", [5, 10])
@pytest.mark.parametrize("law", ["normal", "t3"])
def test_the_interval_covers_at_its_level(count, law, rng):
    shape = (300, count)
    draws = rng.normal(size=shape) if law == "normal" else rng.standard_t(3, size=shape)
    found = [difference_over_datasets(draw / 100, law, rng).interval for draw in draws]
    assert np.mean([0 in interval for interval in found]) > 0.92


def test_sign_flips_are_exact_where_they_can_be(rng):
    values = rng.normal(0.3, 1, size=8)
    expected = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert sign_flip(values, rng).p == pytest.approx(expected.pvalue)
    assert "all 2^8" in sign_flip(values, rng).kind
    assert sign_flip(np.ones(5), rng).p == 2 / 32
    assert sign_flip(np.zeros(3), rng).p == 1


@pytest.mark.parametrize("count", [10, MOST_LISTED + 7])
def test_false_alarms_keep_their_level_and_effects_are_found(count, rng):
    null = [sign_flip(rng.normal(size=count), rng).p for _ in range(200)]
    # Two-sided exact binomial band at 99.9 % for 5 % of 200.
    assert np.mean(np.array(null) < 0.05) < stats.binom.ppf(0.9995, 200, 0.05) / 200
    assert np.mean(null) == pytest.approx(0.5, abs=0.08)
    effect = [sign_flip(rng.normal(1.2, 1, size=count), rng).p for _ in range(50)]
    assert np.mean(np.array(effect) < 0.05) > 0.8


def test_one_data_set_has_no_interval_over_data_sets(rng):
    found = difference_over_datasets(np.array([0.1]), "one", rng)
    assert found.interval is None
    assert found.null is None
    assert "single data set" in found.reason
    with pytest.raises(RequestError):
        difference_over_datasets(np.array([0.1, np.nan]), "broken", rng)


def planted(rng, *, strengths, groups=30, rows=4, repeats=3, folds=5):
    """Two mean-difference probes on ten coordinates each; the true AUC of fitted weights is known."""
    owner = np.repeat(np.arange(2 * groups), rows)
    labels = owner < groups
    shift = np.repeat(np.array(strengths) / np.sqrt(10), 10)
    own = rng.normal(size=(2 * groups, 20))[owner]
    data = (own + rng.normal(size=own.shape)) / np.sqrt(2) + np.outer(labels - 0.5, shift)
    found, truth = ([], []), []
    for _ in range(repeats):
        parts = (rng.permutation(groups) % folds, rng.permutation(groups) % folds)
        fold_of = np.concatenate(parts)[owner]
        for fold in range(folds):
            test = fold_of == fold
            aucs = [
                _fitted(data[:, columns], labels, owner, test, shift[columns])
                for columns in (slice(0, 10), slice(10, 20))
            ]
            for side, (scores, _) in zip(found, aucs, strict=True):
                side.append(scores)
            truth.append(aucs[0][1] - aucs[1][1])
    return *found, float(np.mean(truth))


def _fitted(data, labels, owner, test, shift):
    weight = data[~test & labels].mean(axis=0) - data[~test & ~labels].mean(axis=0)
    scores = FoldScores(data[test] @ weight, labels[test], owner[test])
    return scores, stats.norm.cdf(weight @ shift / np.sqrt(2) / np.linalg.norm(weight))


def test_the_value_is_the_difference_of_mean_aucs(rng):
    first, second, _ = planted(rng, strengths=(2, 1))
    expected = np.mean(
        [
            roc_auc_score(a.target, a.scores) - roc_auc_score(b.target, b.scores)
            for a, b in zip(first, second, strict=True)
        ]
    )
    found = difference_on_one(first, second, "a less b")
    assert found.value == pytest.approx(expected)
    assert found.n == 60
    mirrored = difference_on_one(second, first, "b less a")
    assert mirrored.value == pytest.approx(-found.value)
    assert mirrored.null.p == pytest.approx(found.null.p)


def test_on_one_data_set_it_covers_and_rarely_cries_wolf(rng):
    covered, alarms = [], []
    for _ in range(60):
        first, second, truth = planted(rng, strengths=(1.5, 1.5))
        found = difference_on_one(first, second, "equals")
        covered.append(truth in found.interval)
        alarms.append(found.null.p < 0.05)
    assert np.mean(covered) > 0.92
    assert np.mean(alarms) <= 0.08


def test_on_one_data_set_a_real_difference_is_found(rng):
    seen = [
        difference_on_one(*planted(rng, strengths=(2.5, 0))[:2], "unequal").null.p < 0.05 for _ in range(15)
    ]
    assert np.mean(seen) > 0.9


def test_the_same_probe_twice_differs_by_nothing(rng):
    first, _, _ = planted(rng, strengths=(1, 1))
    found = difference_on_one(first, first, "itself")
    assert found.value == 0
    assert found.interval is None
    assert "all alike" in found.reason


def test_groups_and_not_rows_are_counted(rng):
    """Every row ten times over says nothing new."""
    first, second, _ = planted(rng, strengths=(2, 1))
    again = [[_repeated(fold, 10) for fold in side] for side in (first, second)]
    once, often = difference_on_one(first, second, "x"), difference_on_one(*again, "x")
    assert often.interval.low == pytest.approx(once.interval.low)
    assert often.interval.high == pytest.approx(once.interval.high)


def _repeated(fold, times):
    return FoldScores(*(np.repeat(part, times) for part in (fold.scores, fold.target, fold.groups)))


def test_other_folds_are_refused(rng):
    first, second, _ = planted(rng, strengths=(2, 1))
    with pytest.raises(RequestError, match="same rows"):
        difference_on_one(first, second[1:], "x")
    with pytest.raises(RequestError, match="same rows"):
        difference_on_one(first, second[::-1], "x")
