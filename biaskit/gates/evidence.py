"""How strongly a number with an interval speaks against a limit, or for it.

An interval is taken as `estimate ± t * scale` with a scale of its own on each side, so that a skewed one
stays skewed. Student's t has the interval's degrees of freedom; where none are named, one fewer than the
units that were sampled.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from biaskit.gates.student import quantile, tail
from biaskit.records.estimate import Interval, Unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biaskit.gates.limits import Limit
    from biaskit.records.audit_spec import Statistics
    from biaskit.records.estimate import Estimate

_BOUNDS = {
    Unit.PROPORTION: (0.0, 1.0),
    Unit.AUC: (0.0, 1.0),
    Unit.PIXEL_SHARE: (0.0, 1.0),
    Unit.COSINE: (-1.0, 1.0),
}
_SAME = 1e-9


def freedom(estimate: Estimate, statistics: Statistics) -> float:
    """Return the degrees of freedom that an estimate's interval is carried with."""
    known = estimate.interval.degrees_of_freedom if estimate.interval else None
    if statistics.interval == "normal":
        return math.inf
    return known or max(1.0, estimate.n - 1.0)


def scales(estimate: Estimate, statistics: Statistics) -> tuple[float, float]:
    """Return the scale below and above the estimate: the interval's halves over its own quantile of t.

    Raises:
        TypeError: The estimate has no value or no interval.
    """
    interval, value = estimate.interval, estimate.value
    if interval is None or value is None:
        raise TypeError("an estimate without a value and an interval is not held against a limit")
    reach = quantile((1 + interval.level) / 2, freedom(estimate, statistics))
    return max(0.0, value - interval.low) / reach, max(0.0, interval.high - value) / reach


def carried(estimate: Estimate, level: float, statistics: Statistics) -> Interval:
    """Return an estimate's interval at another level, as it stands where the level is its own.

    Raises:
        TypeError: The estimate has no value or no interval.
    """
    interval, value = estimate.interval, estimate.value
    below, above = scales(estimate, statistics)
    if interval is None or value is None or abs(interval.level - level) < _SAME:
        return interval  # type: ignore[return-value]  # scales has refused an estimate without one
    reach = quantile((1 + level) / 2, freedom(estimate, statistics))
    least, most = _bounds(estimate)
    # An interval need not hold its own estimate, as one drawn towards the middle does not at the edge.
    low, high = min(value, interval.high), max(value, interval.low)
    low, high = max(least, low - reach * below), min(most, high + reach * above)
    return interval.model_copy(update={"low": min(low, high), "high": max(low, high), "level": level})


def _bounds(estimate: Estimate) -> tuple[float, float]:
    """Return what the number can be, widened where the interval already reaches further."""
    least, most = _BOUNDS.get(estimate.unit, (-math.inf, math.inf))
    interval = estimate.interval
    if interval is None:
        return least, most
    # A difference of proportions has their unit and can be negative.
    wide = interval.low < least or interval.high > most
    return (-math.inf, math.inf) if wide else (least, most)


def violation_p(estimate: Estimate, limit: Limit, statistics: Statistics) -> float:
    """Return the p-value of a violation: against the limit holding, two-sided by doubling.

    At most one minus the interval's level exactly where the interval lies wholly beyond the limit; it keeps
    its level whatever the truth inside the limit, also where the limit is a single point.
    """
    interval, value = estimate.interval, estimate.value
    below, above = scales(estimate, statistics)
    if interval is None or value is None or limit.low <= value <= limit.high:
        return 1.0
    distance, scale = (value - limit.high, below) if value > limit.high else (limit.low - value, above)
    if scale == 0:
        return 0.0
    return min(1.0, 2 * tail(distance / scale, freedom(estimate, statistics)))


def holm(p: Sequence[float]) -> list[float]:
    """Return adjusted p-values that keep the chance of any false alarm (Holm 1979), in the order given."""
    adjusted = [1.0] * len(p)
    running = 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        running = max(running, min(1.0, p[place] * (len(p) - rank)))
        adjusted[place] = running
    return adjusted


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Return q-values for the false discovery rate (Benjamini and Hochberg 1995), in the order given."""
    adjusted = [1.0] * len(p)
    running = 1.0
    order = sorted(range(len(p)), key=p.__getitem__, reverse=True)
    for left, place in zip(range(len(p), 0, -1), order, strict=True):
        running = min(running, p[place] * len(p) / left)
        adjusted[place] = running
    return adjusted
