"""The findings of an analysis held against what is known of its specimen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from biaskit.records.calibration import Planting
from biaskit.records.finding import Direction, Finding
from biaskit.runner.specimens.specimen import Bench, Specimen

LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Judgement:
    """One test of one finding.

    Attributes:
        kind: The specimen's kind.
        trial: Number of the analysis; tests of one are not independent.
        dose: The signed dose of what it is about.
        value: The estimate.
        alarm: Whether p is at or below the level.
        found: Whether it is an alarm, with the dose's sign where it has one, whose interval leaves out 0
            where that is the metric's target: what a gate would fail.
        detectable: The minimum detectable effect that the estimate states, where that is a dose, or None.
        comparable: Whether the estimate is one of the dose.
    """

    kind: str
    trial: int
    dose: float
    value: float
    alarm: bool
    found: bool
    detectable: float | None
    comparable: bool = True


def judgements(
    findings: Iterable[Finding], planting: Planting, specimen: Specimen, shown: Bench, trial: int = 0
) -> Iterator[Judgement]:
    """Yield every test of the planted metric about something whose dose is known."""
    for finding in findings:
        estimate = finding.estimate
        asked = finding.metric == planting.metric and finding.group in (planting.groups or (finding.group,))
        if not asked or estimate.null is None or estimate.value is None:
            continue
        dose = specimen.dose(finding)
        if dose is None:
            continue
        alarm = estimate.null.p <= LEVEL
        same = planting.measures_dose and estimate.unit == shown.unit
        right = not shown.signed or dose == 0 or estimate.value * dose > 0
        yield Judgement(
            specimen.kind,
            trial,
            dose,
            estimate.value,
            alarm,
            alarm and right and _beyond(finding),
            estimate.minimum_detectable_effect if same else None,
            same,
        )


def _beyond(finding: Finding) -> bool:
    """Whether a gate at the metric's target would see the number wholly beyond it."""
    interval = finding.estimate.interval
    return finding.direction is not Direction.TOWARD_ZERO or (interval is not None and 0.0 not in interval)
