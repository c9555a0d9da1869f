"""What a judged run gives the shell."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from biaskit.errors import InstrumentError, NothingAuditedError, RequestError, RunError
from biaskit.gates.limits import matches
from biaskit.records.audit_spec import Rule
from biaskit.records.report import Outcome, Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from biaskit.records.audit_spec import Gate
    from biaskit.records.report import Report, Verdict

INTERRUPTED = 130
"""What a shell expects of a program that Ctrl-C ended."""

FAILED, FORBIDDEN = 1, 4
_ORDER = (
    INTERRUPTED,
    RequestError.exit_code,
    FAILED,
    RunError.exit_code,
    InstrumentError.exit_code,
    FORBIDDEN,
    NothingAuditedError.exit_code,
)


class FailOn(StrEnum):
    """What turns into an exit code other than 0."""

    FAIL = "fail"
    WARN = "warn"
    UNDECIDED = "undecided"
    NEVER = "never"


def first_code(codes: Iterable[int]) -> int:
    """Return the exit code that stands first where several hold: 130, 2, 1, 3, 6, 4, 5."""
    return min(codes, key=_ORDER.index, default=0)


def exit_code(report: Report, fail_on: FailOn = FailOn.FAIL) -> int:
    """Return what the command line exits with: the first that holds of 130, 1, 3, 4, 5 and 0.

    Codes 2 (request) and 6 (instrument) belong to errors that leave no report to judge. Advisory and waived
    verdicts do not count.

    - 1: a gate failed.
    - 3: an analyzer stopped, or a gate could not be judged because of that.
    - 4: an undecided verdict where its gate says `on_undecided = "fail"` or its rule asks for evidence of
      compliance, where `fail_on` is `undecided`, or, unless its gate says `pass`, where `fail_on` is `warn`.
      A partial run with a gate that counts is always 4: a part of the examples never passes.
    - 5: no finding, or none for a gate, unless it is advisory or says `pass`.
    """
    counted = () if fail_on is FailOn.NEVER else [v for v in report.verdicts if not v.advisory]
    policies = {gate.id: undecided_policy(gate) for gate in report.spec.gates}
    partial = report.run.status is Status.PARTIAL
    holds = {
        INTERRUPTED: report.run.status is Status.INTERRUPTED,
        FAILED: any(verdict.outcome is Outcome.FAIL for verdict in counted),
        RunError.exit_code: report.run.status is Status.ERROR
        or any(verdict.outcome is Outcome.ERROR for verdict in counted),
        FORBIDDEN: (partial and bool(counted)) or any(_forbidden(v, policies, fail_on) for v in counted),
        NothingAuditedError.exit_code: not report.findings()
        or (fail_on is not FailOn.NEVER and any(_judged_nothing(gate, report) for gate in report.spec.gates)),
    }
    return first_code(code for code, held in holds.items() if held)


def undecided_policy(gate: Gate) -> str:
    """Return what an undecided verdict of `gate` does: `pass`, `warn` or `fail`."""
    return gate.on_undecided or ("fail" if gate.rule is Rule.EVIDENCE_OF_COMPLIANCE else "warn")


def _judged_nothing(gate: Gate, report: Report) -> bool:
    counts = not gate.advisory and gate.on_undecided != "pass"
    return counts and not any(matches(gate, finding) for finding in report.findings())


def _forbidden(verdict: Verdict, policies: dict[str, str], fail_on: FailOn) -> bool:
    policy = policies.get(verdict.gate, "warn")
    forbidden = {FailOn.UNDECIDED: {"pass", "warn", "fail"}, FailOn.WARN: {"warn", "fail"}}
    return verdict.outcome is Outcome.UNDECIDED and policy in forbidden.get(fail_on, {"fail"})
