from __future__ import annotations

import numpy as np
import pytest

from biaskit.stats.paired import sign_flip
from biaskit.stats.proportions import binomial_band
from biaskit.stats.within_rows import advantages, exchanged


def test_an_advantage_is_over_the_mean_of_the_others():
    found = advantages(np.array([[3.0, 1.0, 2.0]]))
    assert found == pytest.approx(np.array([[1.5, -1.5, 0.0]]))


def test_two_groups_are_the_flip_of_signs():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(8, 2)) + np.array([0.6, 0.0])
    flipped = sign_flip(values[:, 0] - values[:, 1], np.arange(8), rng)
    assert [null.p for null in exchanged(values, rng)] == pytest.approx([flipped.p] * 2)


def test_three_groups_in_two_units_by_hand():
    """Of the 36 ways, the first group is highest in both units in 4 of them, and lowest in both in none."""
    values = np.array([[9.0, 1.0, 0.0], [9.0, 0.0, 1.0]])
    assert exchanged(values, np.random.default_rng(0))[0].p == pytest.approx(4 / 36)


@pytest.mark.parametrize("groups", [2, 4])
def test_the_null_is_rejected_at_its_level(groups):
    rng = np.random.default_rng(groups)
    found = [exchanged(rng.normal(size=(8, groups)) + rng.normal(size=(8, 1)), rng)[0].p for _ in range(300)]
    assert np.mean(np.array(found) <= 0.05) in binomial_band(0.05, 300, level=0.999)


def test_a_group_that_differs_is_found():
    rng = np.random.default_rng(5)
    found = [exchanged(rng.normal(size=(8, 4)) + np.array([1.5, 0, 0, 0]), rng) for _ in range(50)]
    assert np.mean([nulls[0].p <= 0.05 for nulls in found]) > 0.8
    assert np.mean([nulls[1].p <= 0.05 for nulls in found]) < 0.5


@pytest.mark.parametrize("shape", [(0, 2), (3, 1)])
def test_too_little_is_refused(shape):
    with pytest.raises(ValueError, match=r"no unit|one group"):
        exchanged(np.zeros(shape), np.random.default_rng(0))
