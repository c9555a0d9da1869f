import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    f1_score,
    log_loss,
    roc_auc_score,
)

from biaskit.probing.metrics import SMALLEST_PROBABILITY, Metrics, measure


def oracle(log_odds, labels):
    probability = expit(log_odds)
    clipped = np.clip(probability, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    ranks = np.unique(log_odds, return_inverse=True)[1]
    return {
        "auc": roc_auc_score(labels, ranks),
        "pr_auc": average_precision_score(labels, ranks),
        "f1": f1_score(labels, log_odds > 0),
        "accuracy": accuracy_score(labels, log_odds > 0),
        "brier": brier_score_loss(labels, probability),
        "log_loss": log_loss(labels, clipped),
    }


@given(
    rows=st.lists(
        st.tuples(
            st.one_of(
                st.floats(-40, 40),
                st.sampled_from([-np.inf, np.inf, 0.0, 1.0, -1.0]),
            ),
            st.booleans(),
        ),
        min_size=2,
        max_size=40,
    ).filter(lambda rows: len({label for _, label in rows}) == 2)
)
def test_agrees_with_scikit_learn_with_ties_and_infinities(rows):
    log_odds, labels = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    found = measure(log_odds, labels)
    for name, value in oracle(log_odds, labels).items():
        assert getattr(found, name) == pytest.approx(value, abs=1e-9), name


def test_a_wrong_certainty_costs_sixteen_nats():
    found = measure(np.array([np.inf, -np.inf]), np.array([False, True]))
    assert found.log_loss == pytest.approx(-np.log(1e-7))
    assert (found.auc, found.brier, found.accuracy) == (0.0, 1.0, 0.0)


@pytest.mark.parametrize("label", [True, False])
def test_one_class_leaves_the_ranking_undefined_and_the_rest_defined(label):
    found = measure(np.array([1.0, -1.0]), np.array([label, label]))
    assert (found.auc, found.pr_auc) == (None, None)
    assert found.accuracy == 0.5
    assert found.log_loss == pytest.approx((np.logaddexp(0, 1) + np.logaddexp(0, -1)) / 2)


def test_nothing_positive_has_no_f1():
    assert measure(np.array([-1.0, -2.0]), np.array([False, False])).f1 is None


def test_no_rows_have_no_measure():
    assert measure(np.zeros(0), np.zeros(0, bool)) == Metrics(None, None, None, None, None, None)
