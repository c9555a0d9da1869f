"""Dose ladders: how strongly each target is tied to each reference pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray

if TYPE_CHECKING:
    from collections.abc import Sequence

STRONGEST = 2.5
LARGEST_CORRELATION = 0.1


def ladders(
    targets: Sequence[str], pairs: Sequence[str], rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """Give every target one rung of each pair's ladder, in an order shuffled by `rng`.

    The rungs run evenly from -2.5 to +2.5 log-odds. Orders are drawn again until no two ladders
    correlate by more than 0.1, so that a score for one ladder cannot live on another.

    Returns:
        For each pair, each target's dose in nats.
    """
    rungs = np.linspace(-STRONGEST, STRONGEST, len(targets))
    orders = rng.permuted(np.tile(rungs, (len(pairs), 1)), axis=1)
    while largest_correlation(orders) > LARGEST_CORRELATION:
        orders = rng.permuted(orders, axis=1)
    return {
        pair: dict(zip(targets, map(float, doses), strict=True))
        for pair, doses in zip(pairs, orders, strict=True)
    }


def largest_correlation(orders: Float[ndarray, "k t"]) -> float:
    """Return the largest absolute correlation between two rows; 0 for a single row."""
    if len(orders) < 2:
        return 0.0
    correlations = np.corrcoef(orders)
    return float(np.abs(correlations[np.triu_indices(len(orders), 1)]).max())


def no_doses(targets: Sequence[str], pairs: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the null twin's ladders: every dose 0."""
    return {pair: dict.fromkeys(targets, 0.0) for pair in pairs}
