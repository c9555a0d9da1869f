"""A report as a job summary: what a reviewer must know before the log is opened, on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biaskit.records.audit_spec import FailOn
from biaskit.records.consequence import Consequences, Effect
from biaskit.reporting import markdown, view, words
from biaskit.reporting.decided import decided
from biaskit.reporting.headline import headline

if TYPE_CHECKING:
    from biaskit.records.report import Report
    from biaskit.reporting.decided import Decided

_MOST_ROWS, _MOST_LINES = 20, 5
_MARKS = {
    Effect.FAILS: "❌",
    Effect.ERRS: "💥",
    Effect.FORBIDDEN: "❌",
    Effect.NOTHING: "❌",
    Effect.SKIPS: "⚠️",
    Effect.PASSES: "✅",
}


def render(report: Report, fail_on: FailOn = FailOn.FAIL) -> str:
    """Return the verdict line, the verdicts that are not a pass, what is missing, and how to go on."""
    judged = decided(report, fail_on)
    open_ones = [one for one in judged if one.effect is not Effect.PASSES]
    digest, seed = report.subject.fingerprint[:12], report.spec.seed
    blocks = [
        f"### {_mark(report, judged, fail_on)} biaskit: {markdown.escape(view.title(report))}",
        *(f"> **Conflict.** {markdown.escape(line)}" for line in report.conflicts[:_MOST_LINES]),
        f"**{markdown.escape(headline(report))}**",
        f"{markdown.escape(view.source(report))}, sha256 {digest}, seed {seed}, "
        f"{words.duration(report.run.duration_s)}, run {words.STATUS_WORDS[report.run.status]}",
        _verdicts(open_ones),
        f"{len(judged) - len(open_ones)} of {len(judged)} verdicts passed." if judged else "",
        "" if judged else markdown.headline_numbers(report, _MOST_ROWS),
        markdown.bullets("Calibration", [markdown.cited(one) for one in report.calibrations], level=4),
        markdown.bullets("Not measured", report.not_measured[:_MOST_LINES], level=4),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _mark(report: Report, judged: tuple[Decided, ...], fail_on: FailOn) -> str:
    """Return the mark of the gravest that holds: a verdict's effect, or the run's."""
    run, effects = Consequences(report, fail_on), {one.effect for one in judged}
    effects |= {
        effect for effect, holds in ((Effect.ERRS, run.stopped), (Effect.NOTHING, run.nothing)) if holds
    }
    if not judged or view.tone(report) == "undecided":
        effects.add(Effect.SKIPS)
    return next((mark for effect, mark in _MARKS.items() if effect in effects), _MARKS[Effect.PASSES])


def _verdicts(shown: list[Decided]) -> str:
    if not shown:
        return ""
    rows = [
        (f"{_MARKS[one.effect]} {one.word}", one.verdict.gate, one.about, one.verdict.reason)
        for one in shown[:_MOST_ROWS]
    ]
    left = len(shown) - len(rows)
    more = f"\n\nAnd {left} more in the report." if left else ""
    return f"{markdown.table(('verdict', 'gate', 'about', 'why'), rows)}{more}"
