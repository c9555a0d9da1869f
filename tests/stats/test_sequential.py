"""Stopping early: the interval at the stop holds, where a peeking one does not."""

import numpy as np
import pytest

from biaskit.stats.proportions import wilson
from biaskit.stats.sequential import looks

RUNS = 1200


def test_looks_grow_by_half_and_end_where_any_share_is_known():
    plan = looks(32, 0.1)
    assert plan.sizes[:4] == (32, 48, 72, 108)
    last = plan.sizes[-1]
    assert plan.enough(np.array([last // 2, last - last // 2]))
    assert not plan.enough(np.array([16, 16]))
    assert looks(2000, 0.1).sizes == (2000,)
    with pytest.raises(ValueError, match="image"):
        looks(0, 0.1)


@pytest.mark.parametrize("p", [0.5, 0.8, 0.97])
def test_no_look_misses_more_often_than_stated(p):
    """Over all looks, not at the stop alone: every way of stopping is covered."""
    plan = looks(16, 0.12)
    rng = np.random.default_rng(int(p * 100))
    drawn = rng.random((RUNS, plan.sizes[-1])) < p
    hits = np.stack([drawn[:, :size].sum(axis=1) for size in plan.sizes], axis=1)
    held, plain = np.ones((2, RUNS), dtype=bool)
    for column, size in enumerate(plan.sizes):
        for hit in np.unique(hits[:, column]):
            rows = hits[:, column] == hit
            held[rows] &= p in plan.intervals(np.array([hit, size - hit]))[0]
            plain[rows] &= p in wilson(int(hit), size)
    missed, peeked = (~held).sum(), (~plain).sum()
    before = plan.sizes[-2]
    stopped_early = sum(plan.enough(np.array([hit, before - hit])) for hit in hits[:, -2])
    assert missed / RUNS <= 0.05
    assert peeked / RUNS > 0.07, "looking again and again with plain intervals misses more often"
    assert p == 0.5 or stopped_early / RUNS > 0.9, "a lopsided share is known sooner"


def test_more_classes_share_the_error():
    plan = looks(16, 0.12, classes=4)
    assert plan.each == pytest.approx(1 - 0.05 / (4 * len(plan.sizes)))
    p = np.array([0.4, 0.3, 0.2, 0.1])
    tables = np.random.default_rng(3).multinomial(plan.sizes[0], p, size=300)
    held = [all(s in one for s, one in zip(p, plan.intervals(t), strict=True)) for t in tables]
    assert np.mean(held) >= 0.95
