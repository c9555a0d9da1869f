import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from biaskit.probing.auc import auc


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_is_scikit_learns_with_and_without_ties(rng, decimals):
    scores, labels = rng.standard_normal((6, 200)).round(decimals), rng.random(200) < 0.3
    expected = [roc_auc_score(labels, row) for row in scores]
    np.testing.assert_allclose(auc(scores, labels), expected, atol=1e-12)


def test_infinite_scores_are_certain():
    labels = np.array([True, True, False, False])
    scores = np.array([[np.inf, 0, 0, -np.inf], [np.inf, -np.inf, np.inf, -np.inf]])
    np.testing.assert_allclose(auc(scores, labels), [7 / 8, 1 / 2])


def test_a_missing_class_has_no_auc():
    assert np.isnan(auc(np.zeros((3, 4)), np.ones(4, dtype=bool))).all()
    assert np.isnan(auc(np.zeros((2, 0)), np.zeros(0, dtype=bool))).all()


def test_reversing_turns_it_round(rng):
    scores, labels = rng.standard_normal((3, 50)), rng.random(50) < 0.5
    np.testing.assert_allclose(auc(scores, labels) + auc(-scores, labels), 1.0)
