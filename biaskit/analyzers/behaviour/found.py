"""What one benchmark came back with, and how its scores become findings and sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from biaskit.behaviour.score import ITEM_COLUMNS, ITEMS, Score, family, few, finding, item_rows
from biaskit.records.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeVar

    from biaskit.records.finding import Finding

    _Item = TypeVar("_Item")

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Found:
    """Findings with what is to be said of them.

    Attributes:
        findings: The numbers.
        limitations: What the benchmark cannot tell, one sentence each.
        summary: What was found, one sentence each.
        caveats: What was measured on less than was asked, one sentence each.
        tables: Every item behind the numbers.
        scores: Name of a benchmark and its scores, whose items are kept.
    """

    findings: tuple[Finding, ...]
    limitations: tuple[str, ...]
    summary: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    scores: tuple[tuple[str, Sequence[Score]], ...] = ()


def items(parts: Sequence[Found]) -> tuple[Table, ...]:
    """Return the table of what each item contributes to each score; none where there is no score."""
    rows = [row for part in parts for concept, scores in part.scores for row in item_rows(scores, concept)]
    title = "What every item contributes to every score"
    return (Table.of(ITEMS, title, ITEM_COLUMNS, rows),) if rows else ()


def findings_of(scores: Sequence[Score], concept: str, rng: np.random.Generator) -> tuple[Finding, ...]:
    """Return each score as a finding; all of a metric but its first, which are parts, are corrected."""
    found: list[Finding] = []
    for metric in dict.fromkeys(score.metric for score in scores):
        own = [finding(score, rng, concept) for score in scores if score.metric == metric]
        found += own[:1]
        found += family(own[1:], f"parts of {metric}")
    return tuple(found)


def sentences(findings: Sequence[Finding], neutral: float, what: str) -> tuple[str, ...]:
    """Say of each headline whether it can be told from the neutral value."""
    return tuple(_sentence(one, neutral, what) for one in findings if one.headline)


def _sentence(one: Finding, neutral: float, what: str) -> str:
    shown, about = one.estimate, f"{what}, {one.group}"
    if shown.value is None:
        return f"{about}: not measured, {shown.reason}."
    if shown.interval is None or shown.null is None:
        return f"{about}: {shown.value:.3g}; {shown.reason}."
    told = "differs from" if shown.null.p <= ALPHA else "cannot be told from"
    smallest = shown.minimum_detectable_effect
    sees = f"; departures of {smallest:.2g} are seen four times in five" if smallest else ""
    return (
        f"{about}: {shown.value:.3g} [{shown.interval.low:.3g}, {shown.interval.high:.3g}] over {shown.n} "
        f"{shown.resampling_unit} {told} the neutral {neutral:g}{sees}."
    )


def limited(
    items: Sequence[_Item], limit: int, rng: np.random.Generator, what: str
) -> tuple[list[_Item], tuple[str, ...]]:
    """Draw at most `limit` items, in their order, and say so; 0 keeps all."""
    if not limit or len(items) <= limit:
        return list(items), ()
    kept = sorted(rng.choice(len(items), size=limit, replace=False).tolist())
    return [items[i] for i in kept], (f"{what}: {limit} of {len(items)} items were drawn at random.",)


def roughness(scores: Sequence[Score]) -> tuple[str, ...]:
    """Say of headlines alone where few clusters make an interval rough."""
    return few([score for score in scores if score.headline])
