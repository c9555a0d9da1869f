"""Findings and limits in, verdicts and an exit code out.

A verdict is decided by the interval, never by the point: wholly beyond the limit fails, wholly
inside passes, anything else is undecided. A number that could not be measured, has no interval,
comes from a partial run, or that its analyzer marked (`reason` starts with `undecided:`, as where
inside, behaviour and cause disagree) is undecided and says why. So is one beyond the limit that could
not be tested against chance (`untested:`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from biaskit.errors import InstrumentError, NothingAuditedError, RequestError, RunError, UnknownNameError
from biaskit.records.audit_spec import Rule
from biaskit.records.estimate import UNTESTED
from biaskit.records.finding import Direction
from biaskit.records.report import Outcome, Report, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from biaskit.records.audit_spec import Gate, Waiver
    from biaskit.records.estimate import Estimate
    from biaskit.records.finding import Finding

ALPHA = 0.05
"""A failing gate whose estimate names a null also needs its p-value, corrected if it is, at or below this."""

UNDECIDED = "undecided:"
"""An estimate whose reason starts so is undecided, whatever its interval."""

_SMALL = 0.01

INTERRUPTED = 130
"""What a shell expects of a program that Ctrl-C ended."""


class FailOn(StrEnum):
    """What turns into an exit code other than 0."""

    FAIL = "fail"
    WARN = "warn"
    UNDECIDED = "undecided"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class _Limit:
    """Where a number may lie: from `low` to `high`, in words `text`."""

    low: float
    high: float
    text: str


def judge(
    source: Report | Iterable[Finding], gates: Sequence[Gate], waivers: Sequence[Waiver], today: date
) -> tuple[Verdict, ...]:
    """Judge every finding that a gate names.

    Args:
        source: A report, or findings. In a partial report every verdict is undecided.
        gates: The limits. A gate that matches nothing is undecided.
        waivers: Failures that are tolerated until a date; they are shown and not counted.
        today: The day on which waivers are read.

    Returns:
        One verdict for each gate and finding, in the order of the gates.

    Raises:
        RequestError: A gate has no limit, or asks for a key that findings do not have.
    """
    partial = isinstance(source, Report) and source.run.status is Status.PARTIAL
    findings = source.findings() if isinstance(source, Report) else tuple(source)
    verdicts: list[Verdict] = []
    for gate in gates:
        check(gate)
        matching = [finding for finding in findings if _matches(gate, finding)]
        judged = [_verdict(gate, finding, partial=partial) for finding in matching]
        verdicts += [_waive(verdict, waivers, today) for verdict in judged] or [_nothing(gate)]
    return tuple(verdicts)


def check(gate: Gate) -> None:
    """Refuse a gate that cannot be judged.

    Raises:
        RequestError: It has no limit.
        UnknownNameError: `where` has a key that findings do not have.
    """
    if gate.at_most is None and gate.at_least is None:
        raise RequestError(
            f"Gate '{gate.id}' has no limit.", fix="Give it at_most or at_least, in the metric's unit."
        )
    for key in gate.where:
        if key not in _KEYS:
            raise UnknownNameError("key of a gate's 'where'", key, _KEYS)


def exit_code(report: Report, fail_on: FailOn = FailOn.FAIL) -> int:
    """Return what the command line exits with: the first that holds of 130, 1, 3, 5, 4 and 0.

    Codes 2 (request) and 6 (instrument) belong to errors that leave no report to judge.
    Advisory and waived verdicts do not count. An undecided verdict counts where its gate says
    `on_undecided = "fail"` or its rule asks for evidence of compliance, where `fail_on` is
    `undecided`, and, unless its gate says `pass`, where `fail_on` is `warn`. A gate that no finding
    matches audited nothing, which is 5 unless it is advisory or says `pass`.
    """
    counted = () if fail_on is FailOn.NEVER else [v for v in report.verdicts if not v.advisory]
    policies = {gate.id: undecided_policy(gate) for gate in report.spec.gates}
    holds = {
        INTERRUPTED: report.run.status is Status.INTERRUPTED,
        1: any(verdict.outcome is Outcome.FAIL for verdict in counted),
        RunError.exit_code: report.run.status is Status.ERROR,
        4: any(_forbidden(verdict, policies, fail_on) for verdict in counted),
        NothingAuditedError.exit_code: not report.findings()
        or (fail_on is not FailOn.NEVER and any(_judged_nothing(gate, report) for gate in report.spec.gates)),
    }
    return first_code(code for code, held in holds.items() if held)


def _judged_nothing(gate: Gate, report: Report) -> bool:
    counts = not gate.advisory and gate.on_undecided != "pass"
    return counts and not any(_matches(gate, finding) for finding in report.findings())


def first_code(codes: Iterable[int]) -> int:
    """Return the exit code that stands first where several hold."""
    order = (
        INTERRUPTED,
        RequestError.exit_code,
        1,
        RunError.exit_code,
        InstrumentError.exit_code,
        4,
        NothingAuditedError.exit_code,
    )
    return min(codes, key=order.index, default=0)


def undecided_policy(gate: Gate) -> str:
    """Return what an undecided verdict of `gate` does: `pass`, `warn` or `fail`."""
    return gate.on_undecided or ("fail" if gate.rule is Rule.EVIDENCE_OF_COMPLIANCE else "warn")


def _forbidden(verdict: Verdict, policies: dict[str, str], fail_on: FailOn) -> bool:
    policy = policies.get(verdict.gate, "warn")
    forbidden = {FailOn.UNDECIDED: {"pass", "warn", "fail"}, FailOn.WARN: {"warn", "fail"}}
    return verdict.outcome is Outcome.UNDECIDED and policy in forbidden.get(fail_on, {"fail"})


_KEYS = ("concept", "group", "site", "positive", "negative")


def _matches(gate: Gate, finding: Finding) -> bool:
    positive, negative = finding.references or ("", "")
    about = {
        "concept": finding.concepts[0] if finding.concepts else "",
        "group": finding.group or "",
        "site": str(finding.site) if finding.site else "",
        "positive": positive,
        "negative": negative,
    }
    return finding.metric == gate.metric and all(about[key] == value for key, value in gate.where.items())


def _verdict(gate: Gate, finding: Finding, *, partial: bool) -> Verdict:
    outcome, reason = _decide(gate, finding, partial=partial)
    return Verdict(
        gate=gate.id,
        concept=finding.concepts[0] if finding.concepts else "",
        references=finding.references,
        group=finding.group,
        outcome=outcome,
        reason=reason,
        advisory=gate.advisory,
    )


def _decide(gate: Gate, finding: Finding, *, partial: bool) -> tuple[Outcome, str]:
    estimate = finding.estimate
    if partial:
        return Outcome.UNDECIDED, "The run is partial; nothing is decided on it."
    if estimate.reason and estimate.reason.startswith(UNDECIDED):
        return Outcome.UNDECIDED, _sentence(estimate.reason.removeprefix(UNDECIDED))
    if estimate.value is None:
        return Outcome.UNDECIDED, _sentence(f"not measured: {estimate.reason}")
    if estimate.interval is None:
        why = (estimate.reason or "").removeprefix(UNTESTED).strip()
        return Outcome.UNDECIDED, _sentence(f"{_number(estimate.value)} has no interval: {why}")
    return _by_interval(
        estimate, _limit(gate, finding.direction), "advisory limit" if gate.advisory else "limit"
    )


def _limit(gate: Gate, direction: Direction) -> _Limit:
    high = float("inf") if gate.at_most is None else gate.at_most
    low = float("-inf") if gate.at_least is None else gate.at_least
    if direction is Direction.TOWARD_ZERO and gate.at_most is not None:
        low, text = max(low, -gate.at_most), f"±{gate.at_most:g}"
        return _Limit(low, high, text if gate.at_least is None else f"{text} and at least {gate.at_least:g}")
    parts = ((gate.at_least, "at least"), (gate.at_most, "at most"))
    return _Limit(low, high, " and ".join(f"{word} {end:g}" for end, word in parts if end is not None))


def _number(value: float | None) -> str:
    if value is None:
        return ""
    form = "+.3f" if 0 < abs(value) < _SMALL else "+.3g"
    return f"{value:{form}}".replace("-", "\N{MINUS SIGN}")


def _by_interval(estimate: Estimate, limit: _Limit, name: str) -> tuple[Outcome, str]:
    interval, null = estimate.interval, estimate.null
    if interval is None:
        raise TypeError("an estimate without an interval is not judged by it")
    ends = f"[{_number(interval.low)}, {_number(interval.high)}]"
    numbers = f"{_number(estimate.value)} {ends} {estimate.unit}"
    if limit.low <= interval.low and interval.high <= limit.high:
        return Outcome.PASS, f"{numbers} lies inside the {name} of {limit.text}."
    if interval.low <= limit.high and interval.high >= limit.low:
        return Outcome.UNDECIDED, f"{numbers} reaches across the {name} of {limit.text}."
    beyond = f"{numbers} lies beyond the {name} of {limit.text}"
    if estimate.untested:
        return Outcome.UNDECIDED, f"{beyond}, but {estimate.reason}."
    if null is None:
        return Outcome.FAIL, f"{beyond}."
    p = null.p if null.adjusted is None else null.adjusted
    letter = "p" if null.adjusted is None else "corrected p"
    chance = f"{letter} < 0.001" if p < 0.001 else f"{letter} = {p:.2g}"
    if p > ALPHA:
        return Outcome.UNDECIDED, f"{beyond}, but chance could do that ({chance}; null: {null.kind})."
    return Outcome.FAIL, f"{beyond} ({chance})."


def _waive(verdict: Verdict, waivers: Sequence[Waiver], today: date) -> Verdict:
    if verdict.outcome is not Outcome.FAIL:
        return verdict
    for waiver in waivers:
        if waiver.gate == verdict.gate and today <= waiver.until:
            note = f"Waived until {waiver.until} by {waiver.approved_by}: {waiver.reason}."
            return verdict.model_copy(
                update={"outcome": Outcome.WAIVED, "reason": f"{verdict.reason} {note}"}
            )
        if waiver.gate == verdict.gate:
            note = f"Its waiver ended on {waiver.until}."
            verdict = verdict.model_copy(update={"reason": f"{verdict.reason} {note}"})
    return verdict


def _nothing(gate: Gate) -> Verdict:
    wanted = ", ".join(f"{key} = {value}" for key, value in gate.where.items())
    about = f"{gate.metric} where {wanted}" if wanted else gate.metric
    return Verdict(
        gate=gate.id,
        concept=gate.where.get("concept", ""),
        outcome=Outcome.UNDECIDED,
        reason=f"Nothing to judge: no finding of {about}.",
        advisory=gate.advisory,
    )


def _sentence(text: str) -> str:
    text = text.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."
