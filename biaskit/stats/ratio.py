"""What is left of a mean, as a share of it, with an interval over the units that were sampled."""

from __future__ import annotations

from jaxtyping import Float
from numpy import ndarray

from biaskit.records.estimate import Interval
from biaskit.stats.bootstrap import two_way_interval


def ratio_interval(
    after: Float[ndarray, "g f"], before: Float[ndarray, "g f"], level: float = 0.95
) -> Interval:
    """Interval of mean(after) / mean(before) over rows and columns, linearised.

    With r the ratio, the cells (after - r before) / mean(before) carry its uncertainty: both means vary with
    the rows and the columns that were sampled.

    Raises:
        ValueError: The mean before is 0, or there are neither two rows nor two columns.
    """
    gap = float(before.mean())
    if gap == 0:
        raise ValueError("a share of nothing has no interval; give the reason instead")
    ratio = float(after.mean()) / gap
    found = two_way_interval((after - ratio * before) / gap, level=level)
    return Interval(
        low=ratio + found.low,
        high=ratio + found.high,
        level=found.level,
        method=f"linearised ratio, {found.method}",
        degrees_of_freedom=found.degrees_of_freedom,
    )
