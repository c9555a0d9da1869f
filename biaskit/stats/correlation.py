"""Do two measurements agree: ranks, slopes, dose response, and each with itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from math import factorial
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy import ndarray
from scipy import optimize, stats

from biaskit.records.estimate import Interval, Null
from biaskit.stats.unequal_clusters import clustered_statistic

EXACT_UP_TO = 8
DRAWS = 9999
# Rank correlations that are equal in theory differ by rounding.
_TIE = 1e-12


@dataclass(frozen=True, slots=True)
class Correlation:
    """A rank correlation with its uncertainty.

    Attributes:
        rho: Spearman's rho in [-1, 1]; None where it is undefined.
        n: Number of pairs.
        interval: Bonett-Wright interval; None below four pairs.
        null: Two-sided p of no relation.
        reason: Why rho or its interval is missing.
    """

    rho: float | None
    n: int
    interval: Interval | None = None
    null: Null | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A least-squares line of y on x.

    Attributes:
        slope: Change of y for one unit of x; None where x does not vary.
        intercept: y at x = 0; None with the slope.
        r_squared: Share of the variance of y on the line, in [0, 1]; None where y does not vary.
        interval: Interval of the slope; None where nothing is left to estimate its error from.
        reason: Why something is missing.
    """

    slope: float | None
    intercept: float | None
    r_squared: float | None
    interval: Interval | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Reliability:
    """How well a score agrees with itself on other templates.

    Attributes:
        value: Spearman-Brown corrected split-half correlation, at most 1; None where it is undefined.
        n: Number of targets.
        splits: Number of splits averaged.
        correlations: The correlation of the halves in each of them, before it is corrected.
        interval: Fisher interval over targets, corrected in the same way; None below four targets.
        reason: Why something is missing.
    """

    value: float | None
    n: int
    splits: int
    correlations: tuple[float, ...] = ()
    interval: Interval | None = None
    reason: str | None = None


def spearman(
    x: Float[ndarray, " n"],
    y: Float[ndarray, " n"],
    *,
    ties: Literal["average", "order"] = "average",
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> Correlation:
    """Spearman's rank correlation with interval and two-sided p.

    rho is Pearson's correlation of ranks. Interval: Fisher z with standard error `sqrt((1 + rho^2 / 2) /
    (n - 3))` (Bonett and Wright 2000); at rho = +-1, where z is infinite, the inner end is taken at the
    next value that untied ranks allow, `1 - 12 / (n (n^2 - 1))`. p: up to `EXACT_UP_TO` pairs the share
    of all n! orders with |rho| at least as large; above that `DRAWS` random orders with `rng`, or without
    it the t approximation, never below the exact test's smallest p.

    Args:
        x: One value for each pair.
        y: The other value of each pair.
        ties: `average` gives tied values their mean rank. `order` ranks them as they stand in the list,
            which depends on that order; it exists to reproduce published numbers.
        level: Confidence level.
        rng: Source of random orders above `EXACT_UP_TO` pairs.

    Raises:
        ValueError: A value is not a number.
    """
    _check(x, y)
    method = {"average": "average", "order": "ordinal"}[ties]
    first, second = (_standard(stats.rankdata(v, method=method).astype(float)) for v in (x, y))
    if x.size < 3:
        return Correlation(None, x.size, reason=f"{x.size} pairs have no rank correlation worth the name")
    if first is None or second is None:
        return Correlation(None, x.size, reason="one of the two does not vary")
    # A perfect order is 1, not 1 less a rounding error.
    rho = round(float(first @ second), 12)
    null = _order_null(first, second, rng)
    if x.size < 4:
        return Correlation(
            rho, x.size, null=null, reason="an interval of a rank correlation needs four pairs"
        )
    return Correlation(rho, x.size, _bonett_wright(rho, x.size, level), null)


def slope_and_r2(
    x: Float[ndarray, " n"],
    y: Float[ndarray, " n"],
    *,
    clusters: Shaped[ndarray, " n"] | None = None,
    level: float = 0.95,
) -> Line:
    """Least squares of y on x with the interval of its slope.

    Without clusters the classical standard error and t with n - 2 degrees of freedom; with clusters that of
    `clustered_statistic`, which leaves them out one by one. Where x varies between clusters, coverage at a
    nominal .95 is .93 to .95 with 8 or 20 of them; the cluster-robust error gives .83 to .85.

    Args:
        x: Where y is read, such as a dose.
        y: What is read.
        clusters: The cluster of each row; None where rows are independent.
        level: Confidence level.

    Raises:
        ValueError: A value is not a number.
    """
    _check(x, y)
    across, up = x.astype(float) - x.mean(dtype=float), y.astype(float) - y.mean(dtype=float)
    spread = float(across @ across)
    if x.size < 2 or np.ptp(x) == 0:
        return Line(None, None, None, reason="x does not vary, so there is no slope")
    slope = float(across @ up) / spread
    rest = up - slope * across
    fit = None if np.ptp(y) == 0 else float(np.clip(1 - (rest @ rest) / (up @ up), 0, 1))
    reasons = ["y does not vary"] if fit is None else []
    interval = None
    error = _slope_error(across, rest) if clusters is None else _slope_over(x, y, clusters)
    if isinstance(error, str):
        reasons.append(error)
    else:
        half, freedom = float(stats.t.ppf((1 + level) / 2, error[1])) * error[0], error[1]
        method = f"{error[2]}, t({freedom:.4g})"
        ends = {"low": slope - half, "high": slope + half}
        interval = Interval(**ends, level=level, method=method, degrees_of_freedom=freedom)
    intercept = float(y.mean(dtype=float) - slope * x.mean(dtype=float))
    return Line(slope, intercept, fit, interval, "; ".join(reasons) or None)


def isotonic_r2(x: Float[ndarray, " n"], y: Float[ndarray, " n"]) -> float | None:
    """Share of the variance of y that a rising step function of x explains.

    `1 - SSE / SST` of the isotonic (pool adjacent violators) fit, one fitted value for tied x; in [0, 1],
    and 0 where y falls with x. Noise gives more than 0: it is a measure of shape, not a test.

    Returns:
        R^2, or None where y does not vary.

    Raises:
        ValueError: A value is not a number.
    """
    _check(x, y)
    if x.size == 0 or np.ptp(y) == 0:
        return None
    _, index, counts = np.unique(x, return_inverse=True, return_counts=True)
    means = np.bincount(index, weights=y) / counts
    fitted = optimize.isotonic_regression(means, weights=counts).x[index]
    total = y.astype(float) - y.mean(dtype=float)
    return float(np.clip(1 - ((y - fitted) @ (y - fitted)) / (total @ total), 0, 1))


def split_half(
    cells: Float[ndarray, "t g"], *, rng: np.random.Generator, splits: int = 100, level: float = 0.95
) -> Reliability:
    """Split-half reliability of target scores over templates.

    Templates are cut in two at random, `splits` times; r is the mean Pearson correlation over targets of
    the two half scores, and the reliability of the whole is `2 r / (1 + |r|)` (Spearman 1910, Brown 1910;
    the formula is theirs for r >= 0 and stays above -1 below it). A target without a value in one half is
    left out of that split. Below 0.7 a ranking of targets is not to be trusted.

    Args:
        cells: Targets x templates; NaN where a cell is missing. Average over fillers first.
        rng: Source of the splits.
        splits: How many.
        level: Confidence level of the interval over targets.

    Raises:
        ValueError: A cell is infinite.
    """
    if np.isinf(cells).any():
        raise ValueError("a cell is infinite; a missing cell is NaN")
    targets, templates = cells.shape
    if targets < 3 or templates < 2:
        return Reliability(None, targets, 0, reason="split halves need three targets and two templates")
    found = [_half_correlation(cells, rng.permutation(templates)) for _ in range(splits)]
    defined = tuple(r for r in found if r is not None)
    if not defined:
        return Reliability(
            None, targets, len(defined), reason="the scores of a half do not vary over targets"
        )
    r = float(np.mean(defined))
    if targets < 4:
        reason = "an interval needs four targets"
        return Reliability(_spearman_brown(r), targets, len(defined), defined, reason=reason)
    half = stats.norm.ppf((1 + level) / 2) / np.sqrt(targets - 3)
    z = np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12))
    interval = Interval(
        low=_spearman_brown(np.tanh(z - half)),
        high=_spearman_brown(np.tanh(z + half)),
        level=level,
        method="Fisher z over targets, Spearman-Brown corrected",
    )
    return Reliability(_spearman_brown(r), targets, len(defined), defined, interval)


def _check(x: Float[ndarray, " n"], y: Float[ndarray, " n"]) -> None:
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("values must be finite; leave out pairs that could not be measured")


def _standard(values: Float[ndarray, " n"]) -> Float[ndarray, " n"] | None:
    """Centred, of unit length; None where constant up to rounding."""
    if values.size == 0 or np.ptp(values) <= _TIE * abs(values).max():
        return None
    centred = values.astype(float) - values.mean(dtype=float)
    return np.asarray(centred / np.linalg.norm(centred))


def _order_null(
    first: Float[ndarray, " n"], second: Float[ndarray, " n"], rng: np.random.Generator | None
) -> Null:
    rho, n = float(abs(first @ second)), first.size
    if n <= EXACT_UP_TO:
        p = float(np.mean(abs(second[_orders(n)] @ first) >= rho - _TIE))
        return Null(p=p, kind=f"no relation: all {factorial(n)} orders")
    if rng is not None:
        shuffled = rng.permuted(np.tile(second, (DRAWS, 1)), axis=1)
        hits = int(np.count_nonzero(abs(shuffled @ first) >= rho - _TIE))
        return Null(p=(1 + hits) / (DRAWS + 1), kind=f"no relation: {DRAWS} random orders")
    t = rho * np.sqrt((n - 2) / max(1 - rho**2, _TIE))
    return Null(
        p=float(max(2 * stats.t.sf(t, n - 2), 2 / factorial(n))),
        kind=f"no relation: t({n - 2}) approximation",
    )


@lru_cache(maxsize=EXACT_UP_TO)
def _orders(n: int) -> Int[ndarray, "m n"]:
    return np.array(list(permutations(range(n))))


def _bonett_wright(rho: float, n: int, level: float) -> Interval:
    largest = 1 - 12 / (n * (n**2 - 1))
    inner = float(np.clip(rho, -largest, largest))
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt((1 + inner**2 / 2) / (n - 3))
    low, high = (float(end) for end in np.tanh(np.arctanh(inner) + np.array([-half, half])))
    return Interval(low=min(low, rho), high=max(high, rho), level=level, method="Bonett-Wright Fisher z")


def _slope_error(across: Float[ndarray, " n"], rest: Float[ndarray, " n"]) -> tuple[float, float, str] | str:
    """Standard error, degrees of freedom and name of the way, or why there is none."""
    n, spread = across.size, float(across @ across)
    if n < 3:
        return "two points leave no error to estimate the slope's interval from"
    return float(np.sqrt(rest @ rest / (n - 2) / spread)), float(n - 2), "least squares"


def _slope_over(
    x: Float[ndarray, " n"], y: Float[ndarray, " n"], clusters: Shaped[ndarray, " n"]
) -> tuple[float, float, str] | str:
    """The same over clusters."""
    if np.unique(clusters).size < 2:
        return "one cluster leaves no error to estimate the slope's interval from"

    def slope(rows: Int[ndarray, " m"]) -> float:
        across = x[rows] - x[rows].mean(dtype=float)
        spread = float(across @ across)
        return float(across @ y[rows]) / spread if spread > 0 else float("nan")

    found = clustered_statistic(slope, clusters)
    if found is None:
        return "x varies through one of the clusters alone, which leaves no error of the slope"
    return found.error, found.freedom, f"jackknife over {found.clusters} clusters"


def _half_correlation(cells: Float[ndarray, "t g"], order: Int[ndarray, " g"]) -> float | None:
    half = order.size // 2
    halves = cells[:, order[:half]], cells[:, order[half:]]
    seen = np.logical_and(*(~np.isnan(part).all(axis=1) for part in halves))
    first, second = (_standard(np.nanmean(part[seen], axis=1)) for part in halves)
    return None if first is None or second is None else float(first @ second)


def _spearman_brown(r: float) -> float:
    return float(2 * r / (1 + abs(r)))
