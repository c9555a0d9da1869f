"""A share of a mean: the closed form of a constant share, and its coverage."""

import numpy as np
import pytest

from biaskit.stats.proportions import binomial_band
from biaskit.stats.ratio import ratio_interval

TABLES, LEFT = 400, 0.3


def test_the_same_share_everywhere_has_no_width(rng):
    before = rng.normal(2.0, 0.5, size=(6, 8))
    found = ratio_interval(0.25 * before, before)
    assert (found.low, found.high) == pytest.approx((0.25, 0.25))


def test_it_covers(rng):
    hits = 0
    for _ in range(TABLES):
        stems, words = rng.normal(0, 0.3, size=(8, 1)), rng.normal(0, 0.3, size=(1, 12))
        before = 2.0 + stems + words + rng.normal(0, 0.5, size=(8, 12))
        after = LEFT * (2.0 + stems) + rng.normal(0, 0.3, size=(1, 12)) + rng.normal(0, 0.5, size=(8, 12))
        hits += LEFT in ratio_interval(after, before)
    assert hits / TABLES >= binomial_band(0.95, TABLES, 0.999).low


def test_a_share_of_nothing():
    with pytest.raises(ValueError, match="share of nothing"):
        ratio_interval(np.ones((2, 2)), np.array([[1.0, -1.0], [1.0, -1.0]]))
