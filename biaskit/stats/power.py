"""What a design can see."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import optimize, stats


def minimum_detectable_effect(
    standard_error: float, *, alpha: float = 0.05, power: float = 0.8, df: float | None = None
) -> float:
    """Smallest true effect that a two-sided test at `alpha` finds with probability `power`.

    The effect at which `achieved_power` equals `power`, solved without leaving out the far tail. With the
    normal it is close to `(z_{1 - alpha/2} + z_power) * standard_error`.

    Args:
        standard_error: Standard error of the estimate, at least 0.
        alpha: Level of the test.
        power: Probability of finding the effect, above `alpha`.
        df: Degrees of freedom of the standard error; None for the normal.

    Returns:
        The effect, in the unit of the standard error.

    Raises:
        ValueError: A negative standard error, or `power` not between `alpha` and 1.
    """
    if standard_error < 0 or not 0 < alpha < power < 1:
        raise ValueError("needs a standard error of at least 0 and 0 < alpha < power < 1")
    return standard_error * _smallest_ratio(alpha, power, df)


def achieved_power(
    effect: float, standard_error: float, *, alpha: float = 0.05, df: float | None = None
) -> float:
    """Probability that a two-sided test at `alpha` finds a true `effect`.

    `P(|T| > critical)` with T normal around effect / standard_error, or noncentral t with `df`.

    Raises:
        ValueError: The standard error is not above 0.
    """
    if standard_error <= 0:
        raise ValueError("power needs a standard error above 0")
    return _power(abs(effect) / standard_error, alpha, df)


@lru_cache(maxsize=256)
def _smallest_ratio(alpha: float, power: float, df: float | None) -> float:
    """Effect in standard errors; kept, because a report asks for the same few designs again and again."""
    upper = 1.0
    while _power(upper, alpha, df) < power:
        upper *= 2
    return float(optimize.brentq(lambda ratio: _power(ratio, alpha, df) - power, 0.0, upper))


def _power(ratio: float, alpha: float, df: float | None) -> float:
    if df is None:
        critical = stats.norm.ppf(1 - alpha / 2)
        return float(stats.norm.sf(critical - ratio) + stats.norm.cdf(-critical - ratio))
    critical = stats.t.ppf(1 - alpha / 2, df)
    lower = stats.nct.cdf(-critical, df, ratio)
    # scipy gives NaN for a far tail that is zero to all digits.
    return float(stats.nct.sf(critical, df, ratio) + np.nan_to_num(lower))
