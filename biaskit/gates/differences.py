"""The difference of two numbers with its interval: paired where both rest on the same units, else not."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

from biaskit.gates.evidence import carried, freedom, scales
from biaskit.gates.intervals import paired_ends
from biaskit.gates.rows import error_of_mean, mean, measurements
from biaskit.gates.student import quantile
from biaskit.records.estimate import Estimate, Interval, Unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from biaskit.gates.rows import Unit as RowUnit
    from biaskit.records.audit_spec import Statistics
    from biaskit.records.finding import Analysis, Finding

Placed = tuple["Analysis", "Finding"]
Paired = tuple[list["RowUnit"], list[float], list[float]]
_NO_NULL = "a change is held against its limit by its interval"


def paired_rows(before: Placed, after: Placed) -> Paired | str:
    """Return the units that both numbers were measured on with both values, or why they are not paired."""
    found = [measurements(*before), measurements(*after)]
    for side in found:
        if isinstance(side, str):
            return side
    first, second = (_by_unit(side) for side in found if not isinstance(side, str))
    if first is None or second is None:
        return "its rows do not name their units"
    if set(first) != set(second):
        return f"{len(set(first) & set(second))} of {len(set(first) | set(second))} units are in both runs"
    units = sorted(first, key=str)
    return units, [first[unit] for unit in units], [second[unit] for unit in units]


def _by_unit(rows: list[tuple[RowUnit, float]]) -> Mapping[RowUnit, float] | None:
    """Return values by unit; None where a unit has several, so that nothing says which belong together."""
    by_unit = dict(rows)
    return by_unit if len(by_unit) == len(rows) and rows[0][0] else None


def paired_difference(
    rows: Paired, signs: tuple[float, float], like: Estimate, statistics: Statistics
) -> Estimate | str:
    """Return `signs[1] * after - signs[0] * before` with the interval of its mean over units.

    The units are those of the tables: templates and fillers both vary. Shares of units that say yes or no
    are compared as paired proportions. Returns why where one unit stands alone.
    """
    units, before, after = rows
    moved = [signs[1] * new - signs[0] * old for old, new in zip(before, after, strict=True)]
    if like.unit is Unit.PROPORTION and signs[0] == signs[1] and _yes_or_no(rows):
        return _estimate(mean(moved), _of_proportions(moved, statistics.level), like, len(units))
    found = error_of_mean(list(zip(units, moved, strict=True)))
    if found is None:
        return "one unit alone has no spread"
    error, df = found
    half, value = quantile((1 + statistics.level) / 2, df) * error, mean(moved)
    method = f"paired, cluster-robust standard error, t({df:.3g})"
    interval = _interval(value - half, value + half, statistics.level, method, df)
    return _estimate(value, interval, like, len(units))


def _yes_or_no(rows: Paired) -> bool:
    """Tell whether each row is one unit that says yes or no: two values, 1 apart."""
    units, before, after = rows
    values = sorted({*before, *after})
    return len(units[0]) == 1 and (len(values) < 2 or (len(values) == 2 and _is_one(values[1] - values[0])))


def _is_one(value: float) -> bool:
    return math.isclose(abs(value), 1.0, rel_tol=1e-9)


def _of_proportions(moved: Sequence[float], level: float) -> Interval:
    """Interval of a difference of paired proportions, which keeps a width where no unit moves."""
    risen, fallen = (sum(_is_one(one) and one * sign > 0 for one in moved) for sign in (1, -1))
    ends = paired_ends(risen, fallen, len(moved), NormalDist().inv_cdf((1 + level) / 2))
    return _interval(*ends, level, "paired proportions, Bonett-Price", None)


def unpaired_difference(
    before: Estimate, after: Estimate, signs: tuple[float, float], statistics: Statistics
) -> Estimate | str:
    """Return `signs[1] * after - signs[0] * before` with an interval from both intervals.

    Low and high ends by `d - sqrt((a - a_low)^2 + (b_high - b)^2)` and its mirror image (MOVER, Zou and
    Donner 2008), which is wide where the runs share their units; degrees of freedom by Welch and
    Satterthwaite.
    Returns why where one has no interval.
    """
    if before.value is None or after.value is None:
        return "one of the runs has no value"
    if before.interval is None or after.interval is None:
        return "one of the runs has no interval"
    value = signs[1] * after.value - signs[0] * before.value
    (new_low, new_high), (old_low, old_high) = (
        _reach(one, sign, statistics) for one, sign in ((after, signs[1]), (before, signs[0]))
    )
    interval = _interval(
        value - math.hypot(new_low, old_high),
        value + math.hypot(new_high, old_low),
        statistics.level,
        "unpaired, from both intervals (MOVER)",
        _welch(before, after, statistics),
    )
    return _estimate(value, interval, after, min(before.n, after.n))


def _reach(one: Estimate, sign: float, statistics: Statistics) -> tuple[float, float]:
    """Return how far the interval reaches below and above the number, once its sign is applied."""
    at = carried(one, statistics.level, statistics)
    value = one.value or 0.0
    below, above = max(0.0, value - at.low), max(0.0, at.high - value)
    return (below, above) if sign > 0 else (above, below)


def _welch(before: Estimate, after: Estimate, statistics: Statistics) -> float | None:
    variances = [max(scales(one, statistics)) ** 2 for one in (before, after)]
    shares = [v * v / freedom(one, statistics) for v, one in zip(variances, (before, after), strict=True)]
    found = sum(variances) ** 2 / sum(shares) if sum(shares) > 0 else None
    return found if found is not None and math.isfinite(found) else None


def _interval(low: float, high: float, level: float, method: str, df: float | None) -> Interval:
    return Interval(low=low, high=high, level=level, method=method, degrees_of_freedom=df)


def _estimate(value: float, interval: Interval, like: Estimate, n: int) -> Estimate:
    return Estimate(
        value=value,
        unit=like.unit,
        n=n,
        resampling_unit=like.resampling_unit,
        method="change since the baseline",
        interval=interval,
        reason=_NO_NULL,
    )
