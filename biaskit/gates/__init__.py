"""Findings and limits in, verdicts and an exit code out; needs neither numpy nor scipy.

A verdict is decided by the interval, never by the point; `docs/gates.md` says what each rule controls.
"""

from __future__ import annotations

from biaskit.gates.changes import (
    check_asked,
    check_baseline,
    compare,
    differences_by_finding,
    identity,
)
from biaskit.gates.codes import INTERRUPTED, exit_code, first_code
from biaskit.gates.evidence import carried
from biaskit.gates.judging import UNDECIDED, judge, judged
from biaskit.gates.limits import Limit, check, limit_of
from biaskit.gates.waivers import ended
from biaskit.records.audit_spec import FailOn
from biaskit.records.consequence import matches, undecided_policy

__all__ = [
    "INTERRUPTED",
    "UNDECIDED",
    "FailOn",
    "Limit",
    "carried",
    "check",
    "check_asked",
    "check_baseline",
    "compare",
    "differences_by_finding",
    "ended",
    "exit_code",
    "first_code",
    "identity",
    "judge",
    "judged",
    "limit_of",
    "matches",
    "undecided_policy",
]
