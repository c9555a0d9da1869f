"""Precision of the top members against counting by hand and against simulated chance."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from biaskit.errors import RequestError
from biaskit.slices.scoring import average_precision, precision_at_k, top_places


def test_counted_by_hand():
    membership = np.array([[0.9, 0.0], [0.8, 0.1], [0.7, 0.9], [0.1, 0.8]])
    truth = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=bool)
    found = precision_at_k(membership, truth, np.array([0, 0, 1, 1]), k=2)
    assert found.table.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert found.values.tolist() == [1.0, 1.0]
    assert found.slices.tolist() == [0, 1]
    assert found.base_rates.tolist() == [0.5, 0.5]
    assert found.class_rates.tolist() == [1.0, 1.0]
    assert found.coverage() == found.mean == 1


@pytest.mark.parametrize(("divided_by", "expected"), [("k", 0.3), ("members", 1.0)])
def test_a_slice_with_fewer_members_than_k(divided_by, expected):
    membership = np.zeros((20, 1))
    membership[:3] = 0.6
    truth = np.arange(20)[:, None] < 5
    found = precision_at_k(membership, truth, np.zeros(20, int), 10, divided_by)
    assert found.values == pytest.approx([expected])
    assert found.members.tolist() == [3]


def test_ties_count_by_expectation():
    truth = np.arange(40)[:, None] < 10
    assert precision_at_k(np.ones((40, 1)), truth, np.zeros(40, int)).values == pytest.approx([0.25])


@pytest.mark.parametrize("members", [4, 10, 30])
@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_places_hold_what_the_precision_counts(members, decimals, rng):
    membership = np.round(0.5 + rng.random((30, 1)), decimals)
    membership[members:] = 0.0
    truth = rng.random((30, 1)) < 0.4
    truth[0] = True
    places = top_places(membership[:, 0], 10)
    assert len(places) == 10
    shares = [truth[rows, 0].mean() if len(rows) else 0.0 for rows in places]
    found = precision_at_k(membership, truth, np.zeros(30, int))
    assert np.mean(shares) == pytest.approx(found.values[0], abs=1e-15)


def test_chance_is_what_random_slices_reach(rng):
    labels = np.repeat([0, 1], [60, 40])
    truth = (np.arange(100) < 15)[:, None]
    best = []
    for _ in range(1500):
        membership = rng.random((100, 4)) * (labels == 0)[:, None]
        best.append(precision_at_k(membership, truth, labels).values[0])
    found = precision_at_k(membership, truth, labels)
    assert found.chance[0] == pytest.approx(np.mean(best), abs=4 * np.std(best) / np.sqrt(1500))
    inside = np.mean([found.bands[0].low <= value <= found.bands[0].high for value in best])
    assert inside >= 0.94


def test_one_slice_by_chance_has_the_share_of_the_class():
    found = precision_at_k(np.ones((50, 1)), np.arange(50)[:, None] < 20, np.zeros(50, int))
    assert found.chance == pytest.approx([0.4])


def test_average_precision_is_scikit_learns(rng):
    membership, truth = rng.random((30, 2)), rng.random((30, 3)) < 0.4
    found = average_precision(membership, truth)
    assert found[1, 2] == average_precision_score(truth[:, 2], membership[:, 1])


@pytest.mark.parametrize("k", [0, -1])
def test_k_must_be_positive(k):
    with pytest.raises(RequestError):
        precision_at_k(np.ones((4, 1)), np.ones((4, 1), bool), np.zeros(4, int), k)


def test_an_empty_group_is_refused():
    with pytest.raises(RequestError, match="each of the true groups"):
        precision_at_k(np.ones((4, 1)), np.zeros((4, 1), bool), np.zeros(4, int))
