"""How far groups lie apart: differences, ratios and the worst group, with intervals that hold.

The largest of several differences is picked after the fact, so it lies above 0 even where no group differs,
and an interval around it that ignores the picking misses 0 nearly always. Here the end that speaks for a
disparity is taken from intervals that hold for all pairs at once, and the end that speaks against one from
intervals of single pairs: the true extreme pair is one fixed pair, so its own interval is enough there.
Each end misses with at most half of 1 - level, whatever the groups are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from scipy import stats

from biaskit.records.estimate import Interval, Null
from biaskit.stats.measured import Measured

# Above this many degrees of freedom the studentised range is that of known variances.
_KNOWN_VARIANCE = np.inf


@dataclass(frozen=True, slots=True)
class Disparity:
    """One number that compares groups.

    Attributes:
        value: The number as observed; it leans away from "no disparity" the more, the smaller the groups.
        by_chance: Its mean over shuffled groups: what groups of these sizes show without any disparity.
        interval: Where the true number lies, for a pair or group that was picked after looking.
        null: Groups shuffled over rows.
        reason: Why something is missing.
    """

    value: float | None
    by_chance: float | None = None
    interval: Interval | None = None
    null: Null | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Worst:
    """The worst of the groups.

    Attributes:
        group: Its name; the first of several that tie; None where no group has a value.
        value: Its value.
        interval: Where the worst of the true values lies, whichever group's it is.
        reason: Why something is missing.
    """

    group: str | None
    value: float | None
    interval: Interval | None = None
    reason: str | None = None


def gap(groups: Sequence[Measured], level: float) -> Interval | None:
    """Interval of the largest minus the smallest true value.

    Pairs by the method of variance estimates recovery (Zou and Donner 2008) on the groups' own intervals;
    lower end at the critical value of the studentised range (Tukey 1953; proportions: Agresti et al. 2008),
    upper end at a single pair's. None where a group has no interval.
    """
    alpha = 1 - level
    several = stats.studentized_range.ppf(1 - alpha / 2, len(groups), _KNOWN_VARIANCE) / np.sqrt(2)
    joint = _boxes(groups, float(2 * stats.norm.cdf(several) - 1))
    single = _boxes(groups, level)
    if joint is None or single is None:
        return None
    low = max(_recovered(a, b)[0] for a, b in permutations(joint, 2))
    high = max(_recovered(a, b)[1] for a, b in permutations(single, 2))
    method = f"MOVER over {len(groups)} groups, lower end for all pairs at once (studentised range)"
    return Interval(low=max(0.0, low), high=max(0.0, high), level=level, method=method)


def gap_to_overall(
    groups: Sequence[Measured], overall: Measured, level: float, *, mixture: bool
) -> Interval | None:
    """Interval of the largest |true value of a group - that of all rows together|.

    As `gap`; where the whole is a `mixture` of the groups, as a mean is, with the correlation between a group
    and the whole it is a part of (Zou 2007), else as if there were none, which is wider.
    """
    alpha, k = 1 - level, len(groups)
    ends: list[tuple[float, float]] = []
    for wanted in (1 - alpha / (2 * k), 1 - alpha / 2):
        boxes = _boxes([*groups, overall], wanted)
        if boxes is None:
            return None
        *parts, whole = boxes
        shares = [group.n / overall.n if mixture else 0.0 for group in groups]
        pairs = [_recovered(part, whole, share) for part, share in zip(parts, shares, strict=True)]
        ends.append(
            (max(max(low, -high, 0.0) for low, high in pairs), max(max(-low, high) for low, high in pairs))
        )
    method = f"MOVER of {k} groups against all rows, lower end for all groups at once (Bonferroni)"
    return Interval(low=min(ends[0][0], ends[1][1]), high=ends[1][1], level=level, method=method)


def least_ratio(groups: Sequence[Measured], level: float) -> Interval | None:
    """Interval of the smallest over the largest true value; None where a value may be negative.

    From the groups' own intervals: the lower end with the two extreme groups' ends (a quarter of 1 - level
    each), the upper end with all groups' ends at once.
    """
    alpha, k = 1 - level, len(groups)
    single, joint = _boxes(groups, 1 - alpha / 2), _boxes(groups, 1 - alpha / (2 * k))
    if single is None or joint is None or min(box[1] for box in joint) < 0:
        return None
    low = _over(min(box[1] for box in single), max(box[2] for box in single))
    high = _over(min(box[2] for box in joint), max(box[1] for box in joint))
    method = f"from the intervals of {k} groups, upper end for all groups at once (Bonferroni)"
    return Interval(low=min(low, high), high=high, level=level, method=method)


def least_ratio_to_overall(groups: Sequence[Measured], overall: Measured, level: float) -> Interval | None:
    """Interval of the smallest of min(r, 1 / r), r a group's true value over that of all rows."""
    alpha, k = 1 - level, len(groups)
    single = _boxes([*groups, overall], 1 - alpha / 2)
    joint = _boxes([*groups, overall], 1 - alpha / (k + 1))
    if single is None or joint is None or min(box[1] for box in joint) < 0:
        return None
    low = min(min(_folded(part, single[-1])) for part in single[:-1])
    high = min(_folded(part, joint[-1])[1] for part in joint[:-1])
    method = f"from the intervals of {k} groups and of all rows, upper end for all at once (Bonferroni)"
    return Interval(low=min(low, high), high=high, level=level, method=method)


def worst_value(groups: Sequence[Measured], level: float, *, higher_is_better: bool) -> Interval | None:
    """Interval of the worst true value, whichever group has it.

    For the lowest value: the lowest of the lower ends at `level`, and of the upper ends of all at once.
    """
    alpha, k = 1 - level, len(groups)
    single, joint = _boxes(groups, level), _boxes(groups, 1 - alpha / k)
    if single is None or joint is None:
        return None
    if higher_is_better:
        low, high = min(box[1] for box in single), min(box[2] for box in joint)
    else:
        low, high = max(box[1] for box in joint), max(box[2] for box in single)
    end = "upper" if higher_is_better else "lower"
    method = f"worst of the intervals of {k} groups, {end} end for all groups at once (Bonferroni)"
    return Interval(low=low, high=high, level=level, method=method)


def _boxes(groups: Sequence[Measured], level: float) -> list[tuple[float, float, float]] | None:
    """Value, lower and upper end of each group; None where one is missing."""
    boxes = []
    for group in groups:
        if group.value is None or group.ends is None:
            return None
        interval = group.ends(level)
        # A bootstrap interval of a biased statistic can leave its own value out.
        low, high = min(interval.low, group.value), max(interval.high, group.value)
        boxes.append((group.value, low, high))
    return boxes


def _recovered(
    first: tuple[float, float, float], second: tuple[float, float, float], share: float = 0.0
) -> tuple[float, float]:
    """Interval of first - second; `share` of the rows of the second are those of the first."""
    (a, a_low, a_high), (b, b_low, b_high) = first, second
    width = b_high - b_low
    together = min(1.0, share * (a_high - a_low) / width) if width > 0 else 0.0
    down, up = (
        float(np.sqrt(max(0.0, x**2 + y**2 - 2 * together * x * y)))
        for x, y in ((a - a_low, b_high - b), (a_high - a, b - b_low))
    )
    return a - b - down, a - b + up


def _over(small: float, large: float) -> float:
    """Quotient of the two, at most 1; 1 where both may be 0."""
    return min(1.0, small / large) if large > 0 else 1.0


def _folded(part: tuple[float, float, float], whole: tuple[float, float, float]) -> tuple[float, float]:
    """Least and largest of min(r, 1 / r) for every r that the two intervals allow."""
    up, down = _over(part[1], whole[2]), _over(whole[1], part[2])
    # Intervals that touch allow equality; otherwise the nearer ends are the most equal values.
    return min(up, down), min(_over(part[2], whole[1]), _over(whole[2], part[1]))
