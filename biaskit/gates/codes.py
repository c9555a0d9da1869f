"""What a judged run gives the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biaskit.errors import InstrumentError, NothingAuditedError, RequestError, RunError
from biaskit.records.audit_spec import FailOn
from biaskit.records.consequence import Consequences, Effect
from biaskit.records.report import Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from biaskit.records.report import Report

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
_CODES = {
    Effect.FAILS: FAILED,
    Effect.ERRS: RunError.exit_code,
    Effect.FORBIDDEN: FORBIDDEN,
    Effect.NOTHING: NothingAuditedError.exit_code,
}


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
    found = Consequences(report, fail_on)
    codes = {_CODES[effect] for verdict in report.verdicts if (effect := found.of(verdict)) in _CODES}
    if found.stopped:
        codes.add(INTERRUPTED if report.run.status is Status.INTERRUPTED else RunError.exit_code)
    if found.nothing:
        codes.add(NothingAuditedError.exit_code)
    return first_code(codes)
