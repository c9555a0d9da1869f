"""The verdict line: what the gates decided, or what was seen where none counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from biaskit.records.finding import Direction
from biaskit.records.report import Outcome, Status
from biaskit.reporting import view, words
from biaskit.reporting.diffusion_words import DIFFUSION
from biaskit.reporting.representation_words import REPRESENTATION
from biaskit.reporting.standing import Standing, standing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biaskit.records.audit_spec import Gate
    from biaskit.records.estimate import Estimate
    from biaskit.records.finding import Finding
    from biaskit.records.report import Report, Verdict


@dataclass(frozen=True, slots=True)
class _Judged:
    """A verdict with the gate that gave it and the finding it is about."""

    verdict: Verdict
    gate: Gate
    finding: Finding

    @property
    def size(self) -> float:
        return abs(self.finding.estimate.value or 0.0)


def headline(report: Report) -> str:
    """Say in one line what the gates decided; where none counts, what stands out.

    A score counts as standing out only where its interval leaves out 0, its null is rare, it lies outside
    the band of neutral words and is worth a word beside the limit.
    """
    counted = [verdict for verdict in report.verdicts if not verdict.advisory]
    advisory = [verdict for verdict in report.verdicts if verdict.advisory]
    if counted:
        extra = f" (advisory: {view.counts(advisory)})" if advisory else ""
        return f"{view.counts(counted)}{extra}"
    return _advice(report, advisory) if advisory else _seen(report)


def _advice(report: Report, verdicts: Sequence[Verdict]) -> str:
    """Say what advisory gates decided, in the words of the scores they judged."""
    if not report.findings() or report.run.status is Status.PARTIAL:
        measured = bool(report.findings())
        return "Nothing is decided on a part of the examples" if measured else "Nothing was measured"
    judged = [one for verdict in verdicts if (one := _judged(report, verdict)) is not None]
    if len(judged) < len(verdicts) or any(one.verdict.outcome is Outcome.WAIVED for one in judged):
        return f"Advisory gates: {view.counts(verdicts)}"
    above = [one for one in judged if one.verdict.outcome is Outcome.FAIL]
    open_ones = [one for one in judged if one.verdict.outcome is Outcome.UNDECIDED]
    undecided = f"; {len(open_ones)} undecided" if open_ones else ""
    if len(above) == 1:
        return f"{_lean(above[0], unit=True)}: above {_limit(above, unit=False)}{undecided}"
    if above:
        worst = max(above, key=lambda one: one.size)
        return (
            f"{len(above)} of {len(judged)} scores are above {_limit(judged, unit=True)}{undecided}; "
            f"most of all, {_lean(worst, unit=False)}"
        )
    return (
        _undecided(judged, len(open_ones)) if open_ones else f"{_within(judged)} {_limit(judged, unit=True)}"
    )


def _undecided(judged: Sequence[_Judged], count: int) -> str:
    verb, limit = "is" if count == 1 else "are", _limit(judged, unit=True)
    return f"{count} of {len(judged)} scores {verb} undecided against {limit}; none is clearly above it"


def _judged(report: Report, verdict: Verdict) -> _Judged | None:
    """Return the verdict with its gate and finding, where these bound the size of a signed score."""
    gate = next((gate for gate in report.spec.gates if gate.id == verdict.gate), None)
    if gate is None or gate.at_most is None or gate.at_least is not None:
        return None
    about = (verdict.references, verdict.group)
    fitting = [
        finding
        for finding in report.findings(gate.metric, concept=verdict.concept)
        if (finding.references, finding.group) == about
        and finding.direction is Direction.TOWARD_ZERO
        and finding.references is not None
    ]
    return _Judged(verdict, gate, fitting[0]) if len(fitting) == 1 else None


def _lean(one: _Judged, *, unit: bool) -> str:
    estimate = one.finding.estimate
    pole = (one.finding.references or ("", ""))[(estimate.value or 0.0) < 0]
    size = words.amount(one.size, estimate.unit) if unit else words.size(one.size, estimate.unit)
    return f"{words.plain(one.verdict.concept)} leans to {words.plain(pole)} by {size}"


def _limit(judged: Sequence[_Judged], *, unit: bool) -> str:
    limits = {(one.gate.at_most, one.finding.estimate.unit) for one in judged}
    if len(limits) > 1:
        return "the advisory limits"
    ((limit, of),) = limits
    return f"the advisory limit of {limit:g}{f' {words.unit_name(of, plural=True)}' if unit else ''}".rstrip()


def _within(judged: Sequence[_Judged]) -> str:
    standings = [standing(one.finding.estimate, limit=one.gate.at_most) for one in judged]
    if set(standings) == {Standing.SLIGHT}:
        return "No association to speak of: every score is far within"
    if len(judged) > 1:
        return f"{'Both' if len(judged) == 2 else f'All {len(judged)}'} scores are within"
    concept = words.plain(judged[0].verdict.concept)
    clear = standings[0] is Standing.LEANS
    return f"{_lean(judged[0], unit=True) if clear else f'{concept} is {standings[0]}'}: within"


def _seen(report: Report) -> str:
    """Count the scores that stand out, where there is no gate at all; without scores, say what was found."""
    panels = view.panels(report)
    found = [
        (estimate, panel.standing(row))
        for panel in panels
        for row in panel.rows
        if _is_tested(estimate := row.estimate(panel.main))
    ]
    found += [
        (one.estimate, standing(one.estimate))
        for one in view.unpaired(report)
        if one.headline and _is_tested(one.estimate)
    ]
    if not panels and (sentence := _first_sentence(report)):
        return f"{sentence.removesuffix('.')}; no gate was declared"
    if not found:
        return "No gate was declared: nothing was judged"
    seen = sum(stands is Standing.LEANS for _, stands in found)
    if all(stands is Standing.SLIGHT for _, stands in found):
        said = "No association to speak of"
    else:
        against = "chance" if _of_prompts(report) else "neutral words"
        of, null = ("scores", against) if panels else ("numbers", "chance")
        said = f"{seen} of {len(found)} {of} {'differs' if seen == 1 else 'differ'} from {null}"
    return f"{said}; no gate was declared, nothing was judged"


def _of_prompts(report: Report) -> bool:
    """Whether scores are of a text-to-image model, which are not compared with neutral words."""
    return all(one.metric.startswith((DIFFUSION, REPRESENTATION)) for one in report.findings())


def _first_sentence(report: Report) -> str:
    return next(
        (words.typeset(words.plain(one)) for analysis in report.analyses for one in analysis.summary), ""
    )


def _is_tested(estimate: Estimate | None) -> bool:
    return estimate is not None and estimate.value is not None and estimate.null is not None
