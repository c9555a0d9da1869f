"""Measured values of several images as estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray
from scipy import stats

from biaskit.records.estimate import Estimate, Interval, Null, Unit
from biaskit.records.finding import Direction, Finding, FromRows
from biaskit.stats.bootstrap import cluster_interval
from biaskit.stats.multiplicity import benjamini_hochberg
from biaskit.stats.power import minimum_detectable_effect

LEVEL = 0.95
TEMPLATES, IMAGES = "templates", "images"
ONE_UNIT = "One unit alone says nothing about the spread."
NOT_TESTED = "The sizes of informations are shown, not tested; gaps between groups are."


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a mean is a mean of.

    Attributes:
        method: How the values were computed.
        unit: What they count in.
        named: What the units are.
        null: The null that the mean was tested against.
        reason: Why there is no null.
    """

    method: str
    unit: Unit = Unit.NAT
    named: str = TEMPLATES
    null: Null | None = None
    reason: str | None = None


def mean(values: Float[ndarray, " n"], units: Shaped[ndarray, " n"], about: About) -> Estimate:
    """Return the mean of image values with the t interval over the units they were sampled in.

    Args:
        values: One value an image.
        units: The unit of each image, such as its template.
        about: What it is a mean of.
    """
    count = len(np.unique(units))
    interval = _interval(values, units, about.unit) if count > 1 else None
    return Estimate(
        value=float(values.mean()),
        unit=about.unit,
        n=count,
        resampling_unit=about.named,
        method=f"{about.method}; mean of {len(values)} images",
        interval=interval,
        null=about.null,
        minimum_detectable_effect=_detectable(interval, count),
        reason=about.reason or (ONE_UNIT if interval is None else None if about.null else NOT_TESTED),
    )


def _interval(values: Float[ndarray, " n"], units: Shaped[ndarray, " n"], unit: Unit) -> Interval:
    found = cluster_interval(values, units, level=LEVEL)
    return found.cut(0.0, 1.0) if unit is Unit.PROPORTION else found


def _detectable(interval: Interval | None, units: int) -> float | None:
    """The effect that a t test over the units would find, from the interval's own standard error."""
    if interval is None:
        return None
    freedom = interval.degrees_of_freedom or units - 1
    error = (interval.high - interval.low) / 2 / float(stats.t.ppf((1 + LEVEL) / 2, freedom))
    return minimum_detectable_effect(error, df=freedom)


def corrected(nulls: Sequence[Null | None], family: str) -> tuple[Null | None, ...]:
    """Add the p-values corrected by Benjamini and Hochberg over those that were tested."""
    tested = [null.p for null in nulls if null is not None]
    if not tested:
        return tuple(nulls)
    adjusted = iter(benjamini_hochberg(np.array(tested)).tolist())
    said = f"Benjamini-Hochberg over {len(tested)} {family}"
    return tuple(
        null and null.model_copy(update={"adjusted": next(adjusted), "correction": said}) for null in nulls
    )


def dominance(share: float, words: int, rows: FromRows, *prompts: str) -> Finding:
    """Return the share of images at which the published redundancy says nothing of its own."""
    return Finding(
        metric="diffusion_pid.prior_dominance",
        concepts=prompts,
        direction=Direction.NONE,
        rows=rows,
        estimate=Estimate(
            value=share,
            unit=Unit.PROPORTION,
            n=words,
            resampling_unit="pairs of words",
            method="share of images at which Finn and Lizier's redundancy is one word's information",
            reason="It tells what a functional does to these values; it is no property of the model.",
        ),
    )
