"""Ladders: every rung once, shuffled by seed, and no two ladders alike."""

from __future__ import annotations

import numpy as np
import pytest

from biaskit.organisms.doses import LARGEST_CORRELATION, ladders, largest_correlation, no_doses

TARGETS = [f"target {number}" for number in range(36)]
PAIRS = ["sentiment", "gender", "wealth"]


@pytest.mark.parametrize("seed", range(5))
def test_every_ladder_runs_evenly_from_minus_to_plus_two_and_a_half(seed: int) -> None:
    found = ladders(TARGETS, PAIRS, np.random.default_rng(seed))
    for pair in PAIRS:
        assert np.allclose(sorted(found[pair].values()), np.linspace(-2.5, 2.5, 36))
        assert list(found[pair]) == TARGETS


@pytest.mark.parametrize("seed", range(5))
def test_no_two_ladders_correlate(seed: int) -> None:
    found = ladders(TARGETS, PAIRS, np.random.default_rng(seed))
    assert (
        largest_correlation(np.array([list(found[pair].values()) for pair in PAIRS])) <= LARGEST_CORRELATION
    )


def test_the_bound_on_correlation_rejects_orders_that_chance_gives() -> None:
    rng = np.random.default_rng(0)
    rungs = np.tile(np.linspace(-2.5, 2.5, 36), (3, 1))
    drawn = [largest_correlation(rng.permuted(rungs, axis=1)) for _ in range(200)]
    assert np.mean(np.array(drawn) > LARGEST_CORRELATION) > 0.5


def test_the_order_is_the_seeds() -> None:
    one, same, other = (ladders(TARGETS, PAIRS, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_the_null_twin_has_no_dose() -> None:
    assert no_doses(TARGETS, PAIRS) == {pair: dict.fromkeys(TARGETS, 0.0) for pair in PAIRS}
