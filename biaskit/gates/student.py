"""Student's t without scipy, so that a saved run is judged on a bare machine."""

from __future__ import annotations

import math
from functools import lru_cache

_LARGE = 1e7
_TINY = 1e-300
_PRECISION = 1e-16
_TERMS = 500


def tail(t: float, freedom: float = math.inf) -> float:
    """Return P(T > t) for Student's t with `freedom` degrees of freedom; for the normal if infinite.

    `1/2 I_x(freedom / 2, 1/2)` at `x = freedom / (freedom + t^2)`, I the regularized incomplete beta.
    """
    if freedom >= _LARGE:
        return 0.5 * math.erfc(t / math.sqrt(2))
    half = 0.5 * _beta(freedom / (freedom + t * t), freedom / 2, 0.5)
    return half if t >= 0 else 1 - half


@lru_cache(maxsize=1024)
def quantile(probability: float, freedom: float = math.inf) -> float:
    """Return the t below which T lies with `probability`.

    Raises:
        ValueError: The probability is not strictly between 0 and 1.
    """
    if not 0 < probability < 1:
        raise ValueError("a quantile needs a probability strictly between 0 and 1")
    if probability < 0.5:
        return -quantile(1 - probability, freedom)
    low, high = 0.0, 1.0
    while tail(high, freedom) > 1 - probability:
        low, high = high, 2 * high
    while high - low > 1e-13 * max(1.0, high):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(middle, freedom) > 1 - probability else (low, middle)
    return (low + high) / 2


def _beta(x: float, a: float, b: float) -> float:
    """Regularized incomplete beta function, by the continued fraction that converges faster."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    log = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    if x < (a + 1) / (a + b + 2):
        return math.exp(log) * _fraction(x, a, b) / a
    return 1 - math.exp(log) * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """Continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for part in (even, odd):
            d = 1 / _away(1 + part * d)
            c = _away(1 + part / c)
            value *= c * d
        if abs(c * d - 1) < _PRECISION * 10:
            break
    return value


def _away(value: float) -> float:
    """Keep a denominator off zero."""
    return value if abs(value) > _TINY else _TINY
