from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score

from biaskit.stats.proportions import wilson
from biaskit.stats.shortcut import (
    accuracy_curve,
    minority_at,
    randomised_auc,
    reliance,
    shortcut_score,
    variance_explained,
)

LABELS, IMPLIED = np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 1, 0, 0])


def test_reliance_counts_conflicting_rows_alone():
    assert reliance(IMPLIED, LABELS, IMPLIED).value == 1.0
    assert reliance(LABELS, LABELS, IMPLIED).value == 0.0
    half = np.array([1, 1, 1, 0, 0, 0, 1, 0])
    found = reliance(half, LABELS, IMPLIED)
    assert (found.value, found.n) == (0.5, 4)
    assert found.interval(0.95) == wilson(2, 4)


def test_a_shortcut_that_never_conflicts_has_no_reliance():
    assert reliance(LABELS, LABELS, LABELS).value is None
    assert "in no row" in shortcut_score(LABELS, LABELS, LABELS, LABELS).reason


def test_the_score_is_what_the_reference_does_not_do():
    score = shortcut_score(IMPLIED, LABELS, LABELS, IMPLIED)
    assert (score.value, score.model, score.reference, score.n) == (1.0, 1.0, 0.0, 4)
    assert score.interval.low < 1.0 == score.interval.high
    same = shortcut_score(IMPLIED, IMPLIED, LABELS, IMPLIED)
    assert same.value == 0.0
    assert 0.0 in same.interval


def test_the_score_s_interval_holds(rng):
    held = 0
    for _ in range(200):
        labels, implied = rng.integers(0, 2, 120), rng.integers(0, 2, 120)
        model = np.where(rng.random(120) < 0.4, implied, labels)
        reference = np.where(rng.random(120) < 0.1, implied, labels)
        held += 0.3 in shortcut_score(model, reference, labels, implied).interval
    assert held >= 182


def test_auc_of_two_classes_is_scikit_learn_s(rng):
    labels = rng.integers(0, 2, 60)
    logit = rng.normal(size=60) + labels
    logits = np.stack([-logit, logit], axis=1)
    assert randomised_auc(logits, labels) == pytest.approx(roc_auc_score(labels, logit))
    assert np.isnan(randomised_auc(logits, np.zeros(60, int)))


def test_auc_of_several_classes_is_scikit_learn_s(rng):
    labels = rng.integers(0, 4, 200)
    scores = rng.dirichlet(np.ones(4), 200)
    expected = roc_auc_score(labels, scores, multi_class="ovr", average="macro")
    assert randomised_auc(scores, labels) == pytest.approx(expected)


def test_variance_explained_is_the_adjusted_r_squared(rng):
    feature = rng.normal(size=(80, 3))
    representation = feature @ rng.normal(size=(3, 5)) + 2 * rng.normal(size=(80, 5))
    fitted = LinearRegression().fit(feature, representation).predict(feature)
    left = ((representation - fitted) ** 2).sum() / (80 - 1 - 3)
    total = ((representation - representation.mean(0)) ** 2).sum() / 79
    assert variance_explained(representation, feature) == pytest.approx(1 - left / total)


def test_an_unknown_feature_explains_nothing_on_average(rng):
    found = [variance_explained(rng.normal(size=(40, 6)), rng.normal(size=(40, 8))) for _ in range(200)]
    assert abs(np.mean(found)) < 0.01


def test_known_shares_of_variance(rng):
    easy, hard = rng.choice([-1.0, 1.0], (2, 4000))
    representation = np.stack([3 * easy, hard, rng.normal(size=4000)], axis=1)
    assert variance_explained(representation, easy) == pytest.approx(9 / 11, abs=0.01)
    assert variance_explained(representation, hard) == pytest.approx(1 / 11, abs=0.01)
    turned = representation @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    assert variance_explained(turned, easy) == pytest.approx(variance_explained(representation, easy))


def test_what_cannot_be_explained_is_refused(rng):
    with pytest.raises(ValueError, match="finite"):
        variance_explained(np.full((5, 2), np.nan), np.arange(5.0))
    with pytest.raises(ValueError, match="too few"):
        variance_explained(np.zeros((5, 2)), np.arange(5.0))


def test_minority_accuracy_is_read_where_the_majority_is_served():
    majority, minority = np.array([0.6, 0.96, 0.99]), np.array([0.9, 0.5, 0.7])
    assert minority_at(majority, minority, 0.95) == (pytest.approx(0.6), 2)
    assert minority_at(majority, minority, 0.999) == (None, 0)


def test_a_curve_is_told_from_a_line():
    x = np.linspace(-1, 2, 30)
    straight = accuracy_curve(norm.cdf(x), norm.cdf(0.8 * x - 0.2))
    moon = accuracy_curve(norm.cdf(x), norm.cdf((x - 0.5) ** 2 - 1))
    assert straight.linear == pytest.approx(1.0)
    assert straight.spearman == pytest.approx(1.0)
    assert moon.quadratic == pytest.approx(1.0)
    assert moon.linear < 0.1
    with pytest.raises(ValueError, match="four points"):
        accuracy_curve(np.ones(5), np.ones(5))
