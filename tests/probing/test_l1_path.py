"""The path is liblinear's, found far faster."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from biaskit.probing.l1_path import entered
from biaskit.probing.one_by_one import converges, l1_logistic


def by_liblinear(rows, labels, steps=40):
    """Entry order on all columns, each step solved from nothing."""
    first, order = np.abs(rows.T @ (labels - labels.mean())).max(), {}
    for looser in np.geomspace(1.0, 1e3, steps)[:14]:
        model = l1_logistic(looser / first, seed=0, tolerance=1e-8, iterations=10000)
        converges(model, rows, labels)
        weights = np.abs(model.coef_[0])
        order |= {c: None for c in np.argsort(-weights, kind="stable") if weights[c] > 0 and c not in order}
    return list(order)


@pytest.mark.parametrize("sparse", [False, True])
def test_columns_enter_as_in_liblinear(rng, sparse):
    for _ in range(5):
        rows = np.where(rng.random((120, 60)) < 0.4, rng.exponential(size=(120, 60)), 0.0).astype(np.float32)
        labels = rows[:, 3] + rows[:, 8] - rows[:, 20] + rng.normal(size=120) > 0.5
        expected = by_liblinear(rows, labels)
        found = entered(csr_array(rows) if sparse else rows, labels, len(expected)).tolist()
        assert len(expected) >= 10
        assert found == expected


def test_rows_that_are_told_apart_end_the_path(rng):
    labels = np.arange(100) % 2 == 0
    rows = np.column_stack([4.0 * labels + 0.1 * rng.normal(size=100), rng.normal(size=(100, 80))])
    found = entered(rows.astype(np.float32), labels, 80)
    assert found[0] == 0
    assert len(found) < 80


def test_columns_that_say_nothing_never_enter():
    assert entered(np.ones((20, 3), dtype=np.float32), np.arange(20) % 2 == 0, 3).size == 0
