"""One plain sentence for each question."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from biaskit.analyzers.sparse_probing.questions import Question
    from biaskit.records.estimate import Estimate
    from biaskit.records.finding import Finding

CHANCE = 0.5
ALL = "all questions"
"""What a finding over every question is about."""
CONTROLS = {
    "shuffled": "shuffled labels",
    "random_coordinates": "random coordinates",
    "leakage_shuffled": "shuffled attribute",
}


def sentences(questions: Sequence[Question], findings: Sequence[Finding]) -> Iterator[str]:
    """Yield what was found about each question: where it is read, how sparsely, and the floor beside it."""
    for question in questions:
        own = {
            finding.metric.rpartition(".")[2]: finding
            for finding in reversed(findings)
            if finding.headline and finding.concepts == (question.name,)
        }
        yield _sentence(question, own)


def _sentence(question: Question, own: dict[str, Finding]) -> str:
    parts = [part for part in (_poles(question), _read(own), _floor(own), _gain(own)) if part]
    return f"{question.name}: {'; '.join(parts)}."


def _poles(question: Question) -> str:
    positive, negative = question.poles
    return f"positive is {positive}, negative {negative}"


def readable(findings: Sequence[Finding]) -> frozenset[str]:
    """Return the questions whose AUC at the layer chosen inside is shown to be above chance."""
    return frozenset(
        one.concepts[0]
        for one in findings
        if one.metric.endswith(".chosen_layer_auc")
        and one.estimate.interval is not None
        and one.estimate.interval.low > CHANCE
    )


def unread(questions: Sequence[Question], findings: Sequence[Finding]) -> Iterator[str]:
    """Yield one sentence on the questions in a mean over all that are not shown to be read; else none."""
    compared = any(one.concepts == (ALL,) for one in findings)
    names = [question.name for question in questions if question.name not in readable(findings)]
    if compared and names and len(questions) > 1:
        yield (
            f"What follows over all questions are means over {len(questions)}, of which not shown to be "
            f"readable: {', '.join(names)}."
        )


def below_chance(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield one sentence on the controls that lie clearly below chance, and why they can; else nothing."""
    low = [finding for finding in findings if _is_control(finding) and _is_below(finding.estimate)]
    names = dict.fromkeys(f"{one.concepts[0]} ({CONTROLS[one.metric.rpartition('.')[2]]})" for one in low)
    if names:
        yield (
            f"Below chance: {', '.join(names)}. Groups are held out of a small fixed set, so what those in "
            "training lean to one way those held out lean to the other; a control below 0.5 is a bias of "
            "small test folds and no signal."
        )


def _is_control(finding: Finding) -> bool:
    return bool(finding.headline and finding.metric.rpartition(".")[2] in CONTROLS)


def _is_below(estimate: Estimate) -> bool:
    """Tell whether a control's interval, or the mean of shuffles, lies below chance."""
    if estimate.value is None or estimate.interval is None:
        return False
    if not estimate.interval.method.startswith("range of"):
        return estimate.interval.high < CHANCE
    # A range of n normal draws spans about 2 sqrt(2 ln n) of their standard deviations.
    spread = (estimate.interval.high - estimate.interval.low) / (2 * math.sqrt(2 * math.log(estimate.n)))
    return estimate.value + 2 * spread / math.sqrt(estimate.n) < CHANCE


def _read(own: dict[str, Finding]) -> str:
    estimate = _measured(own, "chosen_layer_auc")
    if estimate is None:
        return "it could not be read"
    if estimate.interval is not None and estimate.interval.low > CHANCE:
        return f"logistic regression reads it at AUC {_number(estimate)}"
    return f"not shown to be readable, AUC {_number(estimate)}"


def _floor(own: dict[str, Finding]) -> str:
    estimate = _measured(own, "shuffled")
    return "" if estimate is None else f"with shuffled labels at {estimate.value:.3f}"


def _gain(own: dict[str, Finding]) -> str:
    estimate = _measured(own, "sae_gain")
    if estimate is None or estimate.interval is None or not _is_read(own):
        return ""
    low, high = estimate.interval.low, estimate.interval.high
    fixed = (own["sae_gain"].group or "").removeprefix("less ")
    ends = f"{estimate.value:+.3f} [{low:+.3f}, {high:+.3f}]"
    told = "add to" if low > 0 else "lose to" if high < 0 else "are not told apart from"
    return f"SAE latents {told} {fixed}, {ends}"


def _is_read(own: dict[str, Finding]) -> bool:
    """Tell whether any probe reads it; a difference between two that read nothing says nothing."""
    shown = (_measured(own, metric) for metric in ("chosen_layer_auc", "auc"))
    return any(one is not None and one.interval is not None and one.interval.low > CHANCE for one in shown)


def _measured(own: dict[str, Finding], metric: str) -> Estimate | None:
    finding = own.get(metric)
    return finding.estimate if finding is not None and finding.estimate.value is not None else None


def _number(estimate: Estimate) -> str:
    value = f"{estimate.value:.3f}"
    if estimate.interval is None:
        return value
    return f"{value} [{estimate.interval.low:.3f}, {estimate.interval.high:.3f}]"
