"""Intervals of proportions, sound at 0 of n and n of n too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
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


@dataclass(frozen=True, slots=True)
class Rate:
    """A proportion over a number of rows that need not be whole.

    Attributes:
        rate: The proportion.
        rows: The number of rows.
        freedom: Degrees of freedom of their number, where it was estimated over clusters.
        where: What the method's name says of the rows.
    """

    rate: float
    rows: float
    freedom: float | None = None
    where: str = ""

    def wilson(self, level: float) -> Interval:
        """Wilson's score interval (1927)."""
        square = self._critical(level) ** 2 / self.rows
        middle = (self.rate + square / 2) / (1 + square)
        half = float(np.sqrt(square * (self.rate * (1 - self.rate) + square / 4))) / (1 + square)
        low = 0.0 if self.rate == 0 else max(0.0, middle - half)
        high = 1.0 if self.rate == 1 else min(1.0, middle + half)
        return Interval(low=low, high=high, level=level, method=f"Wilson{self.where}")

    def exact(self, level: float) -> Interval:
        """Clopper and Pearson's interval (1934); over clusters as Korn and Graubard (1998) do."""
        rows = self.rows * (float(stats.norm.ppf((1 + level) / 2)) / self._critical(level)) ** 2
        hits, tail = self.rate * rows, (1 - level) / 2
        low = 0.0 if self.rate == 0 else float(stats.beta.ppf(tail, hits, rows - hits + 1))
        high = 1.0 if self.rate == 1 else float(stats.beta.ppf(1 - tail, hits + 1, rows - hits))
        return Interval(low=low, high=high, level=level, method=f"Clopper-Pearson{self.where}")

    def _critical(self, level: float) -> float:
        quantile = stats.norm if self.freedom is None else stats.t(self.freedom)
        return float(quantile.ppf((1 + level) / 2))


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
