"""Every finding that a gate names, held against its limit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from biaskit.gates.changes import differences_by_finding, identity
from biaskit.gates.evidence import carried, holm, violation_p
from biaskit.gates.limits import check, limit_of
from biaskit.gates.said import numbers, sentence, tested
from biaskit.gates.waivers import waive
from biaskit.records.audit_spec import Rule, Statistics
from biaskit.records.consequence import matches
from biaskit.records.estimate import UNTESTED
from biaskit.records.report import Outcome, Report, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from biaskit.gates.limits import Limit
    from biaskit.records.audit_spec import Gate, Waiver
    from biaskit.records.comparison import Difference
    from biaskit.records.estimate import Estimate
    from biaskit.records.finding import Finding

R = TypeVar("R", bound=Report)

UNDECIDED = "undecided:"
"""An estimate whose reason starts so is undecided, whatever its interval."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One finding before one gate.

    Attributes:
        gate: The gate.
        finding: The finding; None where the gate matches none.
        estimate: The number that is held against the limit: the finding's, or its change since the baseline.
        difference: What became of the finding since the baseline, for a gate against one.
        settled: Outcome and reason where no number can decide.
        p: p-value of a violation, then the corrected one.
    """

    gate: Gate
    finding: Finding | None = None
    estimate: Estimate | None = None
    difference: Difference | None = None
    settled: tuple[Outcome, str] | None = None
    p: float | None = None

    @property
    def limit(self) -> Limit | None:
        return None if self.finding is None else limit_of(self.gate, self.finding.direction)


def judged(report: R, today: date, baseline: Report | None = None) -> R:
    """Return a report judged by the gates, waivers and statistics of its own spec.

    Args:
        report: The run.
        today: The day on which waivers are read.
        baseline: The run that gates with `against = "baseline"` compare with; without it they are undecided.

    Raises:
        RequestError: A gate cannot be judged, or the baseline cannot be compared with.
    """
    spec = report.spec
    known = None if baseline is None else differences_by_finding(baseline, report)
    cases = [case for gate in spec.gates for case in _cases(gate, report, report.findings(), known)]
    verdicts = _verdicts(cases, spec.waivers, today, spec.statistics)
    return report.model_copy(update={"verdicts": verdicts, "baseline": baseline.run.id if baseline else None})


def judge(
    source: Report | Iterable[Finding],
    gates: Sequence[Gate],
    waivers: Sequence[Waiver],
    today: date,
    statistics: Statistics | None = None,
) -> tuple[Verdict, ...]:
    """Judge every finding that a gate names.

    Args:
        source: A report, or findings. In a partial report every verdict is undecided.
        gates: The limits. A gate that matches nothing is undecided, or an error where its analyzer stopped.
        waivers: Failures that are tolerated until a date; they are shown and not counted.
        today: The day on which waivers are read.
        statistics: Level, correction and family; by default those of the report's spec.

    Returns:
        One verdict for each gate and finding, in the order of the gates.

    Raises:
        RequestError: A gate has no limit, or asks for a key that findings do not have.
    """
    report = source if isinstance(source, Report) else None
    findings: tuple[Finding, ...] = source.findings() if isinstance(source, Report) else tuple(source)
    how = statistics or (report.spec.statistics if report else Statistics())
    cases = [case for gate in gates for case in _cases(gate, report, findings, None)]
    return _verdicts(cases, waivers, today, how)


def _verdicts(
    cases: Iterable[_Case], waivers: Sequence[Waiver], today: date, how: Statistics
) -> tuple[Verdict, ...]:
    corrected = _corrected([_tested(case, how) for case in cases], how)
    return tuple(waive(_verdict(case, how), case.gate, waivers, today) for case in corrected)


def _cases(
    gate: Gate,
    report: Report | None,
    findings: Iterable[Finding],
    known: Mapping[object, Difference] | None,
) -> list[_Case]:
    check(gate)
    matching = [finding for finding in findings if matches(gate, finding)]
    if not matching:
        return [_Case(gate, settled=_nothing(gate, report))]
    partial = report is not None and report.run.status is Status.PARTIAL
    return [_case(gate, finding, known, partial=partial) for finding in matching]


def _case(gate: Gate, finding: Finding, known: Mapping[object, Difference] | None, *, partial: bool) -> _Case:
    case = _Case(gate, finding, finding.estimate)
    if partial:
        return replace(case, settled=(Outcome.UNDECIDED, "The run is partial; nothing is decided on it."))
    settled = _unmeasured(finding.estimate)
    if settled is not None or gate.against is None:
        return replace(case, settled=settled)
    if known is None:
        said = "No baseline was given; name an earlier run with --baseline."
        return replace(case, estimate=None, settled=(Outcome.UNDECIDED, said))
    difference = known[identity(finding)]
    moved = difference.change_in_value if gate.within is not None else difference.worsening
    if moved is None:
        said = sentence(difference.reason or "It is not in the baseline")
        return replace(case, difference=difference, settled=(Outcome.UNDECIDED, said))
    return replace(case, estimate=moved, difference=difference, settled=_unmeasured(moved))


def _unmeasured(estimate: Estimate) -> tuple[Outcome, str] | None:
    """Say why a number cannot be held against a limit; None where it can."""
    reason = estimate.reason or ""
    if reason.startswith(UNDECIDED):
        return Outcome.UNDECIDED, sentence(reason.removeprefix(UNDECIDED))
    if estimate.value is None:
        return Outcome.UNDECIDED, sentence(f"not measured: {reason}")
    if estimate.interval is None:
        why = reason.removeprefix(UNTESTED).strip()
        return Outcome.UNDECIDED, sentence(f"{numbers(estimate.value)} has no interval: {why}")
    return None


def _nothing(gate: Gate, report: Report | None) -> tuple[Outcome, str]:
    """Say that a gate has nothing to judge, and whether that is because its analyzer stopped."""
    wanted = ", ".join(f"{key} = {value}" for key, value in gate.where.items())
    about = f"{gate.metric} where {wanted}" if wanted else gate.metric
    if report is not None and (stopped := _stopped(gate, report)):
        return Outcome.ERROR, f"Not judged: {stopped} stopped before it gave {about}."
    return Outcome.UNDECIDED, f"Nothing to judge: no finding of {about}."


def _stopped(gate: Gate, report: Report) -> str:
    """Return the analyzer of a gate's metric where it did not finish; empty otherwise."""
    if report.run.status not in {Status.ERROR, Status.INTERRUPTED}:
        return ""
    finished = {one.analyzer for one in report.analyses}
    own = gate.metric.partition(".")[0]
    asked = (one.name for one in report.spec.analyzers)
    return next((n for n in asked if n not in finished and n.replace("-", "_") == own), "")


def _tested(case: _Case, how: Statistics) -> _Case:
    if case.settled is not None or case.estimate is None or case.limit is None:
        return case
    return replace(case, p=violation_p(case.estimate, case.limit, how))


def _corrected(cases: list[_Case], how: Statistics) -> list[_Case]:
    """Correct failures for how many were possible; advisory verdicts are a family of their own."""
    if how.multiplicity == "none":
        return cases
    families: dict[object, list[int]] = {}
    for place, case in enumerate(cases):
        if case.p is not None:
            family = (case.gate.advisory, case.gate.id if how.family == "gate" else None)
            families.setdefault(family, []).append(place)
    corrected = list(cases)
    for places in families.values():
        adjusted = holm([cases[place].p or 0.0 for place in places])
        for place, p in zip(places, adjusted, strict=True):
            corrected[place] = replace(cases[place], p=p)
    return corrected


def _verdict(case: _Case, how: Statistics) -> Verdict:
    gate, finding, limit = case.gate, case.finding, case.limit
    outcome, reason = case.settled or _decide(case, how)
    return Verdict(
        gate=gate.id,
        concept=finding.concepts[0] if finding and finding.concepts else gate.where.get("concept", ""),
        references=finding.references if finding else None,
        group=finding.group if finding else None,
        metric=gate.metric,
        site=finding.site if finding else None,
        low=_finite(limit.low) if limit else None,
        high=_finite(limit.high) if limit else None,
        outcome=outcome,
        reason=reason,
        p=case.p,
        severity=gate.severity,
        change=case.difference.change if case.difference else None,
        advisory=gate.advisory,
    )


def _finite(end: float) -> float | None:
    return end if abs(end) < float("inf") else None


def _decide(case: _Case, how: Statistics) -> tuple[Outcome, str]:
    """Decide on a number with an interval: inside passes, beyond on evidence fails, else undecided."""
    estimate, limit, alpha = case.estimate, case.limit, 1 - how.level
    if estimate is None or limit is None or case.p is None:
        raise TypeError("only a number with an interval is decided on")
    complying = case.gate.rule is Rule.EVIDENCE_OF_COMPLIANCE
    # Two one-sided tests at alpha: the interval at 1 - 2 alpha inside the limit.
    shown = carried(estimate, 1 - 2 * alpha if complying else how.level, how)
    said = tested(estimate, shown, against=case.gate.against is not None)
    name = f"advisory limit of {limit.text}" if case.gate.advisory else f"limit of {limit.text}"
    if limit.low <= shown.low and shown.high <= limit.high:
        return Outcome.PASS, f"{said} lies inside the {name}."
    shown = carried(estimate, how.level, how)
    said = tested(estimate, shown, against=case.gate.against is not None)
    if shown.low <= limit.high and shown.high >= limit.low:
        return Outcome.UNDECIDED, f"{said} reaches across the {name}."
    return _beyond(case, f"{said} lies beyond the {name}", estimate, how)


def _beyond(case: _Case, said: str, estimate: Estimate, how: Statistics) -> tuple[Outcome, str]:
    """Fail a number beyond the limit, unless chance or the count of verdicts explains it."""
    alpha, null = 1 - how.level, estimate.null
    if estimate.untested:
        return Outcome.UNDECIDED, f"{said}, but {estimate.reason}."
    if case.p is not None and case.p > alpha + 1e-12:
        why = f"p of that = {case.p:.2g} after Holm's correction for the other verdicts"
        return Outcome.UNDECIDED, f"{said}, but one of many does that by chance ({why})."
    if null is None or _falls_short(estimate, case.limit):
        return Outcome.FAIL, f"{said}."
    p = null.p if null.adjusted is None else null.adjusted
    letter = "p" if null.adjusted is None else "corrected p"
    chance = f"{letter} < 0.001" if p < 0.001 else f"{letter} = {p:.2g}"
    if p > alpha + 1e-12:
        return Outcome.UNDECIDED, f"{said}, but chance could do that ({chance}; null: {null.kind})."
    return Outcome.FAIL, f"{said} ({chance})."


def _falls_short(estimate: Estimate, limit: Limit | None) -> bool:
    """Whether a number lies between zero and a limit that it had to reach: there chance excuses nothing."""
    value = estimate.value or 0.0
    return limit is not None and (
        (value < limit.low and limit.low > 0) or (value > limit.high and limit.high < 0)
    )
