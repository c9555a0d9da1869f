"""Whether held-out words show a gap that a remedy could take away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biaskit.mitigations.judging.case import over_cells
from biaskit.mitigations.judging.rows import of_cells
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Direction, Finding
from biaskit.stats.conformal import control_p

if TYPE_CHECKING:
    from biaskit.mitigations.judging.case import Case

ALPHA = 0.05


def gap_before(case: Case) -> tuple[Estimate, Estimate]:
    """Return the gap without the remedy, of the targets' words and of the neutral ones, in nats.

    Every word is turned by the fitted stems, neutral words too: what an accident of wording gives a word on
    both halves of the stems is no gap. The null is the conformal test of the targets' words among the neutral
    ones.
    """
    own, neutral = case.gaps(case.before), case.neutral_gaps
    told = over_cells(own, Unit.NAT, "mean behavioural gap, held-out words and stems, before")
    other = over_cells(neutral, Unit.NAT, "the same of neutral words")
    rng = case.session.rng("mitigation/worth")
    null = control_p(own.mean(axis=0), neutral.mean(axis=0), rng=rng)
    reason = None if told.interval else told.reason
    return told.model_copy(update={"null": null, "reason": reason}), other


def nothing_shown(told: Estimate, neutral: Estimate, least: float) -> str | None:
    """Say why there is nothing to mitigate; None where the targets' words lean further than neutral ones.

    Args:
        told: The gap of the targets' words.
        neutral: That of the neutral words.
        least: The smallest gap that is worth a remedy, in nats.
    """
    value, other, span = told.value or 0.0, neutral.value or 0.0, told.interval
    beyond = told.null is not None and told.null.p <= ALPHA and value > other
    if span is not None and span.low > 0 and value >= least and beyond:
        return None
    within = f" [{span.low:.3f}, {span.high:.3f}]" if span else ""
    p = f" (p {told.null.p:.2g})" if told.null else ""
    return (
        f"Nothing to mitigate was shown: held-out words lean by {value:.3f} nats{within}, neutral words by "
        f"{other:.3f}{p}, and a gap counts from {least:g} nats on. No point was judged."
    )


def gap_findings(case: Case, told: Estimate, neutral: Estimate) -> list[Finding]:
    """Return both gaps as findings."""
    at = {"site": None, "group": str(case.behaviour.reading)}
    return [
        case.finding("gap_before", told, direction=Direction.TOWARD_ZERO, rows=of_cells("gap_before"), **at),
        case.finding("gap_neutral", neutral, rows=of_cells("gap_before", neutral=True), **at),
    ]
