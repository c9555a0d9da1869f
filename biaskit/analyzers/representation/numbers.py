"""Counts of groups as estimates: shares, distance from the reference, shares behind a classifier's errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from biaskit.analyzers.representation.measured import lean_rows, score_rows, share_rows
from biaskit.records.estimate import Estimate, Interval, Null, Unit
from biaskit.records.finding import Direction, Finding, FromRows, Statistic
from biaskit.stats.proportions import wilson
from biaskit.stats.shares import (
    ByChance,
    by_chance,
    chance_inequality,
    discrepancy,
    discrepancy_interval,
    discrepancy_squared,
    inequality,
    inequality_interval,
)

if TYPE_CHECKING:
    from biaskit.stats.misclassified import Corrected

IMAGES = "images"
TESTED = "representation.fd"
NOT_TESTED = "A share is not tested by itself; its distance from the reference is."
SOLVED = "it is solved for with the classifier's confusion, from a file of yours"
UNTESTED_HERE = "The test stands at the FD; a debiased score can lie below what the true one can be."


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """Groups counted over the images of one target.

    Attributes:
        target: The target.
        groups: Names of the groups.
        name: Name of the set of groups.
        counts: Images that show each group.
        box: Intervals of the shares, all at once.
        reference: Shares that are compared with.
        null: The test against the reference.
        table: Table that keeps the images.
        neutral: Whether the reference was observed on images of neutral nouns.
    """

    target: str
    groups: tuple[str, ...]
    name: str
    counts: Int[ndarray, " k"]
    box: tuple[Interval, ...]
    reference: Float[ndarray, " k"]
    null: Null | None = None
    table: str = ""
    neutral: bool = False

    @property
    def n(self) -> int:
        """How many images there are."""
        return int(self.counts.sum())

    @property
    def shares(self) -> Float[ndarray, " k"]:
        """Observed shares."""
        return np.asarray(self.counts / self.n)

    @property
    def reach(self) -> float:
        """Half the width of the widest interval."""
        return max((each.high - each.low) / 2 for each in self.box)

    @property
    def chance(self) -> ByChance:
        """What a model with the reference's shares shows at this number of images."""
        return by_chance(self.n, self.reference)


def findings(one: Counted) -> list[Finding]:
    """Return shares, FD and B of one target."""
    return [*_shares(one), *_leans(one), _discrepancy(one), _squared(one), _inequality(one)]


def _shares(one: Counted) -> list[Finding]:
    method = f"share of images that show the group, of {one.name}"
    found = _by_group(one, "representation.share", method, one.shares, one.box)
    return [each.model_copy(update={"rows": share_rows(one, each.group or "")}) for each in found]


def corrected_findings(one: Counted, found: Corrected) -> list[Finding]:
    """Return the shares of the true groups behind those that the classifier said."""
    method = f"share of {one.name} once the classifier's errors are taken out"
    shares = _by_group(one, "representation.corrected_share", method, found.shares, found.intervals)
    return [each.model_copy(update={"unkept": SOLVED}) for each in shares]


def _by_group(
    one: Counted, metric: str, method: str, shares: Float[ndarray, " k"], box: tuple[Interval, ...]
) -> list[Finding]:
    return [
        Finding(
            metric=metric,
            concepts=(one.target,),
            group=group,
            direction=Direction.NONE,
            estimate=Estimate(
                value=share,
                unit=Unit.PROPORTION,
                n=one.n,
                resampling_unit=IMAGES,
                method=method,
                interval=interval,
                reason=NOT_TESTED,
            ),
        )
        for group, share, interval in zip(one.groups, shares.tolist(), box, strict=True)
    ]


def _leans(one: Counted) -> list[Finding]:
    """Signed: share less the reference's; of two groups the first alone, which has the test."""
    two = len(one.groups) == 2
    shown = one.groups[:1] if two else one.groups
    return [
        Finding(
            metric="representation.lean",
            concepts=(one.target,),
            group=group,
            direction=Direction.TOWARD_ZERO,
            rows=lean_rows(one, group),
            estimate=Estimate(
                value=float(one.shares[k] - one.reference[k]),
                unit=Unit.PROPORTION,
                n=one.n,
                resampling_unit=IMAGES,
                method=f"share of images that show {group}, less {one.reference[k]:.0%} of the reference",
                interval=_moved(one.box[k], float(one.reference[k])),
                null=one.null if two else None,
                reason=None if two and one.null else "All groups are tested at once, at the FD.",
            ),
        )
        for k, group in enumerate(shown)
    ]


def _moved(interval: Interval, by: float) -> Interval:
    return interval.model_copy(update={"low": interval.low - by, "high": interval.high - by})


def _discrepancy(one: Counted) -> Finding:
    """Distance from the reference, debiased and not below 0, with the test."""
    squared = discrepancy_squared(one.counts, one.reference)
    observed, chance = discrepancy(one.shares, one.reference), one.chance
    method = (
        f"||shares - reference||, square debiased; observed {observed:.3f}, and {chance.discrepancy:.3f} on "
        f"average (one in twenty above {chance.high:.3f}) for a model that follows the reference"
    )
    interval = discrepancy_interval(one.box, one.reference)
    rows = score_rows(one, Statistic.DISTANCE)
    return _about(one, TESTED, method, (max(0.0, squared) ** 0.5, interval), rows)


def _squared(one: Counted) -> Finding:
    interval = discrepancy_interval(one.box, one.reference)
    value = discrepancy_squared(one.counts, one.reference)
    squared = interval.model_copy(update={"low": min(interval.low**2, value), "high": interval.high**2})
    method = "||shares - reference||^2 - sum p (1 - p) / (n - 1): unbiased, so it can lie below 0"
    rows = score_rows(one, Statistic.DISTANCE_SQUARED)
    return _about(one, "representation.fd_squared", method, (value, squared), rows)


def _inequality(one: Counted) -> Finding:
    """B less what a model with equal shares shows at this number of images."""
    observed = inequality(one.shares)
    chance = chance_inequality(one.n, len(one.groups))
    own = inequality_interval(one.box)
    interval = own.model_copy(update={"low": min(own.low, observed - chance)})
    method = (
        f"mean |p_i - p_j| over pairs, observed {observed:.3f}, less {chance:.3f} by chance at equal shares"
    )
    rows = score_rows(one, Statistic.INEQUALITY)
    return _about(one, "representation.inequality", method, (observed - chance, interval), rows)


def _about(one: Counted, metric: str, method: str, found: tuple[float, Interval], rows: FromRows) -> Finding:
    headline = metric == TESTED
    null = one.null if headline else None
    return Finding(
        metric=metric,
        concepts=(one.target,),
        group=one.name,
        direction=Direction.TOWARD_ZERO,
        headline=headline,
        rows=rows,
        estimate=Estimate(
            value=found[0],
            unit=Unit.ONE,
            n=one.n,
            resampling_unit=IMAGES,
            method=method,
            interval=found[1],
            null=null,
            reason=None if null else UNTESTED_HERE,
        ),
    )


def share_of(metric: str, target: str, method: str, counted: tuple[int, int], rows: FromRows) -> Finding:
    """Return a plain share of images as a finding with Wilson's interval, such as a miss rate."""
    hits, n = counted
    return Finding(
        metric=metric,
        concepts=(target,),
        direction=Direction.NONE,
        rows=rows,
        estimate=Estimate(
            value=hits / n,
            unit=Unit.PROPORTION,
            n=n,
            resampling_unit=IMAGES,
            method=method,
            interval=wilson(hits, n),
            reason="It describes the images; there is nothing that it is tested against.",
        ),
    )
