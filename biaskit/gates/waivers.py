"""Failures that are tolerated until a date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biaskit.records.consequence import undecided_policy
from biaskit.records.report import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from biaskit.records.audit_spec import Gate, Waiver
    from biaskit.records.report import Verdict


def ended(waivers: Sequence[Waiver], today: date) -> tuple[str, ...]:
    """Say of each waiver that no longer holds when it ended."""
    return tuple(
        f"The waiver of '{one.gate}' by {one.approved_by} ended on {one.until} and is not applied."
        for one in waivers
        if one.until < today
    )


def waive(verdict: Verdict, gate: Gate, waivers: Sequence[Waiver], today: date) -> Verdict:
    """Return the verdict, waived where it stops a release on evidence and a waiver still holds.

    That is a failure, or a number across the limit of a gate that demands a decision. What could not be
    measured is never waived.
    """
    across = verdict.outcome is Outcome.UNDECIDED and verdict.p is not None
    if not (verdict.outcome is Outcome.FAIL or (across and undecided_policy(gate) == "fail")):
        return verdict
    said = verdict.reason
    for waiver in waivers:
        if waiver.gate != verdict.gate:
            continue
        if today <= waiver.until:
            note = f"Waived until {waiver.until} by {waiver.approved_by}: {waiver.reason.rstrip('.')}."
            return verdict.model_copy(update={"outcome": Outcome.WAIVED, "reason": f"{said} {note}"})
        said = f"{said} Its waiver ended on {waiver.until}."
    return verdict.model_copy(update={"reason": said})
