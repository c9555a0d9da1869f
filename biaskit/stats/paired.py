"""Two yes-or-no outcomes of the same units, compared pair by pair."""

from __future__ import annotations

import math

from jaxtyping import Bool
from numpy import ndarray
from scipy import stats

from biaskit.records.estimate import Interval, Null


def paired_interval(one: Bool[ndarray, " n"], other: Bool[ndarray, " n"], level: float = 0.95) -> Interval:
    """Interval of the difference of two paired proportions (Bonett and Price 2012).

    With f10 units of which only `one` holds, and f01 of which only `other` does,

        p10 = (f10 + 1) / (n + 2),  p01 = (f01 + 1) / (n + 2),
        d +- z sqrt((p10 + p01 - d^2) / (n + 2)),  d = p10 - p01,

    which keeps a width where all units agree. It is stretched to hold the plain difference and cut at +-1.

    Raises:
        ValueError: There is no unit.
    """
    n = len(one)
    if n < 1:
        raise ValueError("no pair has no interval; give the reason instead")
    only_one, only_other = int((one & ~other).sum()), int((other & ~one).sum())
    p10, p01 = (only_one + 1) / (n + 2), (only_other + 1) / (n + 2)
    centre = p10 - p01
    reach = float(stats.norm.ppf((1 + level) / 2)) * math.sqrt((p10 + p01 - centre**2) / (n + 2))
    plain = (only_one - only_other) / n
    low, high = max(min(centre - reach, plain), -1.0), min(max(centre + reach, plain), 1.0)
    return Interval(low=low, high=high, level=level, method="paired proportions, Bonett-Price")


def mcnemar(one: Bool[ndarray, " n"], other: Bool[ndarray, " n"]) -> Null:
    """Exact test that a unit is as likely to have only `one` as only `other` (McNemar 1947).

    Two-sided binomial test of f10 among the f10 + f01 units on which the two differ; 1 where there are none.
    """
    only_one, only_other = int((one & ~other).sum()), int((other & ~one).sum())
    differing = only_one + only_other
    p = float(stats.binomtest(only_one, differing).pvalue) if differing else 1.0
    return Null(p=min(p, 1.0), kind=f"McNemar, exact: {differing} units differ")
