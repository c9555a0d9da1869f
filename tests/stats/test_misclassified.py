"""Shares behind a classifier that errs: the closed form, coverage with little validation, what cannot be."""

import numpy as np
import pytest

from biaskit.stats.misclassified import Confusion, confusion_of, corrected
from biaskit.stats.proportions import wilson

RATES = {
    2: np.array([[0.9, 0.1], [0.2, 0.8]]),
    3: np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.05, 0.15, 0.8]]),
}


def test_two_classes_have_rogan_and_gladens_form():
    table = Confusion(("a", "b"), np.array([[90, 10], [20, 80]]))
    found = corrected(np.array([620, 380]), table, np.random.default_rng(0))
    assert found.shares[0] == pytest.approx((0.62 + 0.8 - 1) / (0.9 + 0.8 - 1))
    assert table.accuracy == pytest.approx(0.85)
    assert found.shares.sum() == pytest.approx(1)


def test_a_perfect_classifier_changes_next_to_nothing():
    table = Confusion(("a", "b"), np.diag([100_000, 100_000]))
    found = corrected(np.array([30, 70]), table, np.random.default_rng(0))
    plain = wilson(30, 100)
    assert found.shares[0] == pytest.approx(0.3)
    assert found.intervals[0].low == pytest.approx(plain.low, abs=0.015)
    assert found.intervals[0].high == pytest.approx(plain.high, abs=0.015)


@pytest.mark.parametrize(("k", "truth"), [(2, (0.5, 0.5)), (2, (0.9, 0.1)), (3, (0.6, 0.3, 0.1))])
def test_corrected_intervals_hold_where_plain_ones_do_not(k, truth):
    rng = np.random.default_rng(k)
    p, runs, held, plain = np.array(truth), 200, 0, 0
    for _ in range(runs):
        said = rng.multinomial(300, RATES[k].T @ p)
        seen = np.stack([rng.multinomial(60, row) for row in RATES[k]])
        found = corrected(said, Confusion(tuple("abc"[:k]), seen), rng)
        held += all(share in one for share, one in zip(p, found.intervals, strict=True))
        plain += p[0] in wilson(int(said[0]), 300)
    assert held / runs >= 0.91
    assert plain / runs < 0.8


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([[5, 5], [0, 0]], "no image of 'b'"),
        ([[9, 0], [8, 0]], "never says 'b'"),
        ([[5, 5], [5, 5]], "the same whatever"),
    ],
)
def test_what_cannot_be_corrected_is_refused(counts, said):
    with pytest.raises(ValueError, match=said):
        Confusion(("a", "b"), np.array(counts))


def test_a_table_is_counted_from_two_columns():
    found = confusion_of(("a", "b"), ["a", "a", "b"], ["a", "b", "b"])
    assert found.counts.tolist() == [[1, 1], [0, 1]]
    with pytest.raises(ValueError, match="none of the classes"):
        confusion_of(("a", "b"), ["c"], ["a"])
