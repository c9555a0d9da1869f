"""One plain sentence for each question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from biaskit.analyzers.sparse_probing.questions import Question
    from biaskit.records.estimate import Estimate
    from biaskit.records.finding import Finding

CHANCE = 0.5


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
    parts = [part for part in (_read(own), _floor(own), _gain(own)) if part]
    return f"{question.name}: {'; '.join(parts)}."


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
