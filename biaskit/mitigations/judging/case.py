"""A remedy before its judge: held-out units, their gaps before and after, and how a number is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.errors import RequestError
from biaskit.mitigations.erase.behaviour import Behaviour, readable
from biaskit.mitigations.erase.finding import digests
from biaskit.mitigations.erase.remedy import edits_of
from biaskit.mitigations.judging.rows import Parts
from biaskit.records.estimate import Estimate, Interval, Null, Unit
from biaskit.records.finding import Direction, Finding
from biaskit.records.reading import Reading
from biaskit.stats.bootstrap import two_way_interval

if TYPE_CHECKING:
    from biaskit.hooks.edits import Edit
    from biaskit.mitigations.erase.changes import Change
    from biaskit.mitigations.erase.remedy import TextRemedy
    from biaskit.mitigations.erase.units import Units
    from biaskit.records.site import Site
    from biaskit.session import Comparison, Session


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """What every point looks at.

    A cell is turned so that the gap of its word is positive before; which way that is was read on the fitted
    stems, so that noise on the held-out ones does not pass for a gap.

    Attributes:
        session: The model and the source of generators.
        comparison: What the remedy was found for.
        remedy: The remedy.
        behaviour: The reading it was fitted on.
        units: The held-out units.
        signs: +1 or -1 for each word, the targets' and then the neutral ones.
        before: Cells without the remedy, controls included.
        after: Cells with it.
        parts: What further numbers follow from, row by row.
    """

    session: Session
    comparison: Comparison
    remedy: TextRemedy
    behaviour: Behaviour
    units: Units
    signs: Float[ndarray, " n"]
    before: Float[ndarray, "g n"]
    after: Float[ndarray, "g n"]
    parts: Parts = field(default_factory=Parts)

    @classmethod
    def of(cls, session: Session, remedy: TextRemedy) -> Case:
        """Read the held-out units with and without the remedy.

        Raises:
            RequestError: The remedy belongs to another model or to other probe sets.
        """
        edits = remedy.edits(session.model)
        found = [one for one in session.comparisons if digests(one) == remedy.record.probe_sets]
        if not found:
            raise RequestError(
                "The remedy was found for other probe sets than those given.",
                why=f"It was found for {', '.join(remedy.record.probe_sets)}.",
                fix="Name the same concept and reference pair.",
            )
        behaviour = Behaviour.of(session.model, found[0], remedy.record.reading)
        units, fitted = remedy.record.units.held_out, remedy.record.units.fitted
        stems = {"stems": fitted.stems, "reverse_stems": fitted.reverse_stems}
        known = behaviour.cells(units.model_copy(update=stems))
        signs = np.where(known.mean(axis=0) < 0, -1.0, 1.0)
        before = behaviour.cells(units)
        after = behaviour.cells(units, edits)
        return cls(session, found[0], remedy, behaviour, units, signs, before, after)

    @property
    def edits(self) -> dict[Site, Edit]:
        """The remedy's edits."""
        return self.remedy.edits(self.session.model)

    @property
    def stems(self) -> tuple[str, ...]:
        """The held-out stems of the direction of reading: the rows of the cells."""
        reverse = self.behaviour.reading is Reading.GIVEN_REFERENCE
        return self.units.reverse_stems if reverse else self.units.stems

    def gaps(self, cells: Float[ndarray, "g n"]) -> Float[ndarray, "g w"]:
        """Return the target words' cells, turned so that the gap before is positive."""
        words = len(self.units.words)
        turned: Float[ndarray, "g w"] = cells[:, :words] * self.signs[:words]
        return turned

    @property
    def neutral_gaps(self) -> Float[ndarray, "g c"]:
        """The neutral words' cells without the remedy, turned as the targets' are."""
        words = len(self.units.words)
        turned: Float[ndarray, "g c"] = self.before[:, words:] * self.signs[words:]
        return turned

    def with_changes(self, changes: Mapping[Site, Change], strength: float | None = None) -> np.ndarray:
        """Return the turned cells with other changes in force."""
        at = self.remedy.record.strength if strength is None else strength
        return self.gaps(self.behaviour.cells(self.units, edits_of(changes, at)))

    def left(self, gaps: Float[ndarray, "g w"]) -> float:
        """Return what is left of the gap, as a share."""
        return float(gaps.mean() / self.gaps(self.before).mean())

    def turned(self) -> Case | None:
        """Return the same case in the other direction of reading; None where too few words are one token."""
        behaviour = self.behaviour.turned()
        units = readable(self.units, self.session.model)
        if len(units.words) < 1 or len(units.controls) < 2:
            return None
        before, after = behaviour.cells(units), behaviour.cells(units, self.edits)
        kept = [self.units.columns.index(word) for word in units.columns]
        signs = self.signs[kept]
        return replace(self, behaviour=behaviour, units=units, signs=signs, before=before, after=after)

    def finding(self, metric: str, estimate: Estimate, **rest: Any) -> Finding:
        """Return a finding about the remedy."""
        fields = {"site": self.remedy.record.sites[-1], "direction": Direction.NONE} | rest
        return Finding(
            metric=f"erasing.{metric}",
            concepts=(self.comparison.targets.name,),
            references=self.comparison.pair.poles,
            estimate=estimate,
            **fields,
        )


def over_cells(cells: Float[ndarray, "g w"], unit: Unit, method: str) -> Estimate:
    """Return the mean of cells with its interval over stems and words."""
    return Estimate(
        value=float(cells.mean()),
        unit=unit,
        n=cells.size,
        resampling_unit=f"{cells.shape[0]} stems x {cells.shape[1]} words",
        method=method,
        interval=two_way_interval(cells) if cells.size > 1 else None,
        reason="it is compared with controls" if cells.size > 1 else "one cell cannot be resampled",
    )


def controlled(values: Float[ndarray, " r"], unit: Unit, what: str, method: str) -> Estimate:
    """Return the median of what controls gave, with their range."""
    count = len(values)
    interval = None
    if count > 1:
        interval = Interval(
            low=float(values.min()),
            high=float(values.max()),
            level=(count - 1) / (count + 1),
            method=f"range of the {what}",
        )
    return Estimate(
        value=float(np.median(values)),
        unit=unit,
        n=count,
        resampling_unit=what,
        method=method,
        interval=interval,
        reason="it is a null of another number",
    )


def missing(unit: Unit, reason: str) -> Estimate:
    """Return an estimate that could not be measured, and why."""
    return Estimate(
        value=None, unit=unit, n=0, resampling_unit="nothing", method="not measured", reason=reason
    )


def rank_null(reached: int, count: int, what: str) -> Null:
    """Return (1 + #) / (N + 1) over controls."""
    return Null(p=(1 + reached) / (1 + count), kind=f"{count} {what}, one-sided")
