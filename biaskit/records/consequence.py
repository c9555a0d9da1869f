"""What a verdict does to a build: the one rule that exit codes and every rendering follow."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from biaskit.records.audit_spec import FailOn, Rule
from biaskit.records.report import Outcome, Status

if TYPE_CHECKING:
    from biaskit.records.audit_spec import Gate
    from biaskit.records.finding import Finding
    from biaskit.records.report import Report, Verdict


class Effect(StrEnum):
    """What a verdict does to a build; the gravest first."""

    FAILS = "fails"
    ERRS = "errs"
    FORBIDDEN = "forbidden"
    NOTHING = "nothing"
    SKIPS = "skips"
    PASSES = "passes"


STOPS = frozenset({Effect.FAILS, Effect.ERRS, Effect.FORBIDDEN, Effect.NOTHING})
"""What does not let a build pass."""

_FORBIDDEN = {FailOn.UNDECIDED: {"pass", "warn", "fail"}, FailOn.WARN: {"warn", "fail"}}


def undecided_policy(gate: Gate | None) -> str:
    """Return what an undecided verdict of `gate` does: `pass`, `warn` or `fail`."""
    if gate is None:
        return "warn"
    return gate.on_undecided or ("fail" if gate.rule is Rule.EVIDENCE_OF_COMPLIANCE else "warn")


def forbids_undecided(gate: Gate | None, fail_on: FailOn) -> bool:
    """Tell whether an undecided verdict of `gate` fails a build."""
    return undecided_policy(gate) in _FORBIDDEN.get(fail_on, {"fail"})


def matches(gate: Gate, finding: Finding) -> bool:
    """Tell whether a gate is about a finding."""
    positive, negative = finding.references or ("", "")
    about = {
        "concept": finding.concepts[0] if finding.concepts else "",
        "group": finding.group or "",
        "site": str(finding.site) if finding.site else "",
        "positive": positive,
        "negative": negative,
    }
    return finding.metric == gate.metric and all(about[key] == value for key, value in gate.where.items())


class Consequences:
    """What the verdicts of a report, and the run itself, do to a build."""

    def __init__(self, report: Report, fail_on: FailOn = FailOn.FAIL) -> None:
        """Look up the gates, and which of those that count have nothing to judge."""
        self._fail_on, self._partial = fail_on, report.run.status is Status.PARTIAL
        self._gates = {gate.id: gate for gate in report.spec.gates}
        findings = report.findings()
        self._empty = {
            gate.id
            for gate in report.spec.gates
            if not gate.advisory
            and gate.on_undecided != "pass"
            and not any(matches(gate, finding) for finding in findings)
        }
        self.stopped = report.run.status in {Status.ERROR, Status.INTERRUPTED}
        """Whether the run did not reach its end."""
        told = {one.gate for one in report.verdicts if self.of(one) in STOPS}
        self.nothing = not findings or (fail_on is not FailOn.NEVER and bool(self._empty - told))
        """Whether nothing was measured, or nothing for a gate that counts, and no verdict says so."""

    def of(self, verdict: Verdict) -> Effect:
        """Return what a verdict does.

        Advisory verdicts fail no build, and none does where it may never fail. Else a failure and an error
        do; in a partial run all the rest is forbidden, as a part of the examples never passes. An undecided
        verdict is forbidden where its gate demands a decision (`on_undecided = "fail"`, or evidence of
        compliance) or the caller does; where its gate has nothing to judge it is that; else it is skipped.
        """
        outcome, gate = verdict.outcome, self._gates.get(verdict.gate)
        if verdict.advisory or self._fail_on is FailOn.NEVER:
            return Effect.PASSES if outcome is Outcome.PASS else Effect.SKIPS
        if outcome in {Outcome.FAIL, Outcome.ERROR}:
            return Effect.FAILS if outcome is Outcome.FAIL else Effect.ERRS
        if self._partial:
            return Effect.FORBIDDEN
        if outcome is not Outcome.UNDECIDED:
            return Effect.PASSES if outcome is Outcome.PASS else Effect.SKIPS
        if forbids_undecided(gate, self._fail_on):
            return Effect.FORBIDDEN
        return Effect.NOTHING if verdict.gate in self._empty else Effect.SKIPS
