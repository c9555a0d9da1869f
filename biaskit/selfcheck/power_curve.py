"""Power over the dose, and the dose at which it reaches 0.8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.optimize import isotonic_regression

from biaskit.records.calibration import PowerPoint
from biaskit.records.estimate import Estimate, Interval, Unit
from biaskit.runner.specimens import Judgement
from biaskit.stats.measured import measured_mean

POWER = 0.8


def rate(hits: Sequence[bool], trials: Sequence[int], what: str) -> Estimate:
    """Return a share of tests with Wilson's interval at the effective number of independent tests.

    Tests of one analysis share a model and controls; `measured_mean` counts them as fewer rows.
    """
    found = measured_mean(np.asarray(hits, dtype=float), np.asarray(trials))
    return Estimate(
        value=found.value,
        unit=Unit.PROPORTION,
        n=found.n,
        resampling_unit="tests in analyses",
        method=what,
        interval=found.interval(0.95),
        reason="It is a rate of tests, not tested itself.",
    )


def points(tests: Sequence[Judgement], asked: Sequence[float]) -> tuple[PowerPoint, ...]:
    """Return the share found at each dose, smallest first.

    Args:
        tests: Tests of planted doses; doses of 0 are left out.
        asked: The doses that were to be planted: each test counts for the nearest, at the mean of what was
            planted; empty: every size of dose by itself.
    """
    sizes = np.array([abs(test.dose) for test in tests])
    targets = np.asarray(asked, dtype=float) if len(asked) else np.unique(sizes[sizes > 0].round(6))
    if not (sizes.size and targets.size):
        return ()
    nearest = abs(sizes[:, None] - targets[None, :]).argmin(axis=1)
    curve = []
    for number in range(targets.size):
        own = [test for test, near in zip(tests, nearest, strict=True) if near == number and test.dose]
        if own:
            mean = float(np.mean([abs(test.dose) for test in own]))
            share = rate([test.found for test in own], [test.trial for test in own], "share of plants found")
            curve.append(PowerPoint(dose=mean, rate=share))
    return tuple(sorted(curve, key=lambda point: point.dose))


@dataclass(frozen=True, slots=True, eq=False)
class _Band:
    """Doses with the share found at each, and where it may lie."""

    doses: Float[ndarray, " k"]
    shares: Float[ndarray, " k"]
    low: Float[ndarray, " k"]
    high: Float[ndarray, " k"]


def detectable(curve: Sequence[PowerPoint], alarms: float, unit: Unit) -> Estimate | None:
    """Return the dose that is found with power 0.8.

    The shares are made monotone (isotonic regression, weighted by the tests), joined by straight lines from
    the false-alarm rate at dose 0, and crossed with 0.8; the interval is where the upper and the lower
    ends of the Wilson intervals, joined likewise, cross it.

    Args:
        curve: Power by dose.
        alarms: The false-alarm rate, which is the power at dose 0.
        unit: What doses count in.

    Returns:
        The dose; its value is None where no dose was found so often. None where nothing was planted.
    """
    if not curve:
        return None
    band = _band(curve, alarms)
    value = crossing(band.doses, band.shares)
    low, high = crossing(band.doses, band.high), crossing(band.doses, band.low)
    smallest = float(band.doses[1])
    said = "Doses are planted, not tested against chance."
    if value is None:
        said = f"No dose up to {curve[-1].dose:.3g} was found with power {POWER}."
    elif value < smallest:
        said = f"Every dose was found with power {POWER} or more; it lies below the smallest, {smallest:.3g}."
    elif high is None:
        said = (
            f"The interval has no upper end within the doses that were planted, up to {curve[-1].dose:.3g}."
        )
    interval = None
    if value is not None and low is not None and high is not None:
        method = "where the Wilson intervals of the shares cross 0.8"
        interval = Interval(low=min(low, value), high=max(high, value), level=0.95, method=method)
    return Estimate(
        value=value,
        unit=unit,
        n=sum(point.rate.n for point in curve),
        resampling_unit="plants in analyses",
        method="power curve, isotonic, crossed with 0.8",
        interval=interval,
        reason=said,
    )


def _band(curve: Sequence[PowerPoint], alarms: float) -> _Band:
    shares = np.array([point.rate.value or 0.0 for point in curve])
    weights = np.array([float(point.rate.n) for point in curve])
    smooth = np.asarray(isotonic_regression(shares, weights=weights).x)
    ends = [point.rate.interval for point in curve]
    low = np.array([end.low if end else 0.0 for end in ends])
    high = np.array([end.high if end else 1.0 for end in ends])
    doses = np.concatenate([[0.0], [point.dose for point in curve]])
    starting = np.array([alarms])
    return _Band(
        doses,
        *(np.maximum.accumulate(np.concatenate([starting, one])) for one in (smooth, low, high)),
    )


def crossing(doses: Float[ndarray, " k"], shares: Float[ndarray, " k"]) -> float | None:
    """Return where a rising broken line first reaches 0.8, or None."""
    above = np.flatnonzero(shares >= POWER)
    if not above.size:
        return None
    place = int(above[0])
    if place == 0:
        return float(doses[0])
    left, right = shares[place - 1], shares[place]
    share = (POWER - left) / (right - left)
    return float(doses[place - 1] + share * (doses[place] - doses[place - 1]))
