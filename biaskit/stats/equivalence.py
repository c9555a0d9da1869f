"""Is a mean shown to lie within a margin? Two one-sided tests, in place of "no significant difference"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy import stats

from biaskit.records.estimate import Interval, Null

FEWEST = 2


@dataclass(frozen=True, slots=True)
class Equivalence:
    """What a test of equivalence says.

    Attributes:
        mean: The mean of the units.
        interval: At level 1 - 2 alpha; it lies within the margin exactly where the test holds.
        null: That the true mean lies at or beyond the margin.
        holds: Whether that null is rejected at alpha.
    """

    mean: float
    interval: Interval
    null: Null
    holds: bool


def equivalence(
    units: Float[ndarray, " n"],
    margin: float,
    *,
    alpha: float = 0.05,
    sides: Literal["both", "upper", "lower"] = "both",
) -> Equivalence:
    """Test that the mean of independent units lies within (-margin, margin) (Schuirmann 1987).

        p = max(P(T > (mean + margin) / se), P(T < (mean - margin) / se)),   T with n - 1 degrees of freedom

    `upper` asks only that the mean lies below the margin, as for a divergence, which is never negative;
    `lower` only that it lies above minus the margin, as for an ability that may well grow. Units that do
    not differ at all have no spread: p is then 0 or 1.

    Args:
        units: One value for each sampled unit.
        margin: The largest mean that still counts as no change, above 0.
        alpha: Level of each one-sided test.
        sides: Which ends of the margin are tested.

    Raises:
        ValueError: Fewer than two units, one that is not finite, or a margin that is not above 0.
    """
    if len(units) < FEWEST or not np.isfinite(units).all() or margin <= 0:
        raise ValueError("a test of equivalence needs two finite units and a margin above 0")
    freedom, mean = len(units) - 1, float(units.mean())
    error = float(units.std(ddof=1) / np.sqrt(len(units)))
    below = _tail((margin - mean), error, freedom)
    above = _tail((mean + margin), error, freedom)
    p = {"both": max(below, above), "upper": below, "lower": above}[sides]
    reach = float(stats.t.ppf(1 - alpha, freedom)) * error
    within = {
        "both": f"beyond +-{margin:g}",
        "upper": f"at least {margin:g}",
        "lower": f"at most -{margin:g}",
    }
    return Equivalence(
        mean=mean,
        interval=Interval(
            low=mean - reach,
            high=mean + reach,
            level=1 - 2 * alpha,
            method=f"t({freedom}) over {len(units)} units",
            degrees_of_freedom=freedom,
        ),
        null=Null(p=p, kind=f"the mean is {within[sides]}: one-sided t tests for equivalence"),
        holds=p < alpha,
    )


def _tail(distance: float, error: float, freedom: int) -> float:
    """P(T > distance / error): how often units that far from the margin come from beyond it."""
    if error == 0:
        return 0.0 if distance > 0 else 1.0
    return float(stats.t.sf(distance / error, freedom))
