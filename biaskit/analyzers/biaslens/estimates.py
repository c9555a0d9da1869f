"""From cells to estimates: value, interval, null, smallest effect the design can see, evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.concepts.against_controls import Wording, estimates_against_controls
from biaskit.records.estimate import Estimate, Interval, Null, Unit
from biaskit.records.finding import Evidence
from biaskit.stats.ratio import ratio_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biaskit.analyzers.biaslens.measured import Measured

EVIDENCE_ROWS = 10


def target_estimates(
    cells: Float[ndarray, "g n"], measured: Measured, method: str, rng: np.random.Generator
) -> dict[str, Estimate]:
    """Return one estimate for each target: mean of its cells, in nats, against the neutral controls."""
    return estimates_against_controls(cells, measured.nouns, Wording(method), rng)


def share_estimate(
    after: Float[ndarray, "g f"], before: Float[ndarray, "g f"], random: Float[ndarray, " r"], method: str
) -> Estimate:
    """Return what is left of a behavioural gap, as a proportion of it, beside random directions.

    The interval is that of a ratio of means, linearised: both means vary with the stems and the fillers.
    The null counts the random directions that leave as little, whichever sign is left.

    Args:
        after: The target's behaviour cells after erasing, in nats.
        before: The same cells before, in nats; their mean is not 0.
        random: What random directions leave, as proportions.
        method: What was erased, one phrase.
    """
    gap = float(before.mean())
    left = float(after.mean() / gap)
    p = (1 + int((abs(random) <= abs(left)).sum())) / (1 + len(random))
    return Estimate(
        value=left,
        unit=Unit.PROPORTION,
        n=after.size,
        resampling_unit=f"{after.shape[0]} stems x {after.shape[1]} fillers",
        method=method,
        interval=None if after.size == 1 else ratio_interval(after, before),
        null=Null(p=p, kind=f"{len(random)} random directions of equal rank, one-sided"),
        reason="one stem with one word cannot be resampled" if after.size == 1 else None,
    )


@dataclass(frozen=True, slots=True)
class Basis:
    """What an estimate without the usual interval or null rests on.

    Attributes:
        n: How many units it rests on.
        over: What the units are.
        method: How the number was computed, one phrase.
        reason: Why something is missing; None where nothing is.
    """

    n: int
    over: str
    method: str
    reason: str | None


def plain_estimate(
    value: float | None, unit: Unit, basis: Basis, interval: Interval | None = None, null: Null | None = None
) -> Estimate:
    """Return a number whose interval or null may not apply; `basis` says why."""
    return Estimate(
        value=value,
        unit=unit,
        n=basis.n,
        resampling_unit=basis.over,
        method=basis.method,
        interval=interval,
        null=null,
        reason=basis.reason,
    )


def evidence(
    cells: Float[ndarray, "g n"], measured: Measured, columns: Sequence[int], rows: int = EVIDENCE_ROWS
) -> tuple[Evidence, ...]:
    """Return the examples that move a target's mean most, largest contribution first.

    A row's value is its own cell, in nats; the mean of all of them is the estimate. Given the references,
    a row is a stem with the noun that follows it, and the difference between the poles is its cell.
    """
    stems = measured.grid.stems
    flat = [(abs(cells[row, column]), row, column) for row in range(len(stems)) for column in columns]
    return tuple(
        Evidence(
            text=measured.sentence(row, column),
            value=float(cells[row, column]),
            template=stems[row],
            filler=measured.nouns.words[column],
        )
        for _, row, column in sorted(flat, reverse=True)[:rows]
    )
