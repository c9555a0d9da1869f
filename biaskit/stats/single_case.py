"""Is one case further from a few controls than one more control would be?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy import stats

from biaskit.records.estimate import Interval, Null

FEWEST = 3
"""Controls below which their spread is not known well enough to be used."""
_FLAT = 1e-12


class SingleCase(NamedTuple):
    """How far a case lies above its controls.

    Attributes:
        excess: The case less the mean of the controls.
        interval: Of the excess; one more control would lie outside with probability 1 - level.
        null: That the case is one more control.
        standard_error: Standard error of the excess under the null.
    """

    excess: float
    interval: Interval
    null: Null
    standard_error: float


def single_case(case: float, controls: Float[ndarray, " c"], level: float = 0.95) -> SingleCase:
    """Compare one case with a small sample of controls (Crawford and Howell 1998).

        t = (x - mean) / (s sqrt(1 + 1 / C)),   C - 1 degrees of freedom,

    with s the standard deviation of C controls. It is exact where case and controls are independent draws
    from one normal distribution; each brings its own spread, so it needs nothing about how well a
    single one was measured, as long as all were measured alike. Controls that do not differ at all have
    no spread to compare with; p is then the rank, 1 / (C + 1), where the case differs from them.

    Raises:
        ValueError: There are fewer than three controls, or a value is not a number.
    """
    count = len(controls)
    if count < FEWEST or not (np.isfinite(case) and np.isfinite(controls).all()):
        raise ValueError(f"a single case needs finite values and {FEWEST} controls at least")
    excess = float(case - controls.mean())
    error = float(controls.std(ddof=1) * np.sqrt(1 + 1 / count))
    if error <= _FLAT * (1 + abs(case)):
        p = 1.0 if abs(excess) <= _FLAT * (1 + abs(case)) else 1 / (count + 1)
        kind = f"rank among {count} neutral nouns, which are all alike"
    else:
        p = float(2 * stats.t.sf(abs(excess) / error, count - 1))
        kind = f"t({count - 1}): one more of {count} neutral nouns (Crawford and Howell)"
    reach = float(stats.t.ppf((1 + level) / 2, count - 1)) * error
    return SingleCase(
        excess=excess,
        interval=Interval(
            low=excess - reach,
            high=excess + reach,
            level=level,
            method=f"t({count - 1}) of one more case beside {count} controls",
        ),
        null=Null(p=p, kind=kind),
        standard_error=error,
    )
