"""Intervals of proportions, sound at 0 of n and n of n too."""

from __future__ import annotations

from scipy import stats

from biaskit.records.estimate import Interval


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Wilson score interval of a proportion (Wilson 1927).

    The rates that a score test does not reject; never of zero width, never outside [0, 1].

    Raises:
        ValueError: n is 0, or successes are not between 0 and n.
    """
    _check_count(n)
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} cannot be")
    found = stats.binomtest(successes, n).proportion_ci(confidence_level=level, method="wilson")
    # Rounding leaves 1e-17 where the closed form is exactly 0 or 1.
    low = 0.0 if successes == 0 else float(found.low)
    high = 1.0 if successes == n else float(found.high)
    return Interval(low=low, high=high, level=level, method="Wilson")


def binomial_band(rate: float, n: int, level: float = 0.95) -> Interval:
    """Where the observed rate of n independent trials lies if the true one is `rate`.

    The central band of the binomial distribution, divided by n, holding at least `level`; it judges a
    false-alarm rate of simulated nulls.

    Raises:
        ValueError: n is 0 or the rate is not in [0, 1].
    """
    _check_count(n)
    if not 0 <= rate <= 1:
        raise ValueError(f"a rate of {rate} cannot be")
    low, high = stats.binom.interval(level, n, rate)
    return Interval(
        low=float(low) / n, high=float(high) / n, level=level, method=f"binomial band of a true rate {rate:g}"
    )


def _check_count(n: int) -> None:
    if n < 1:
        raise ValueError("a proportion of nothing has no interval; give the reason instead")
