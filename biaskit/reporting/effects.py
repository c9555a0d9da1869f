"""What a text remedy did: each measure before, after, and its change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from biaskit.records.estimate import Estimate
from biaskit.reporting import words
from biaskit.reporting.erasure_words import BEFORE_AFTER, ERASURE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from biaskit.records.finding import Analysis, Finding

HEAD = ("measure", "before", "after", "change")
"""Heads of the table."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One measure of a model without and with a remedy.

    Attributes:
        name: What is measured, with its unit.
        before: Without the remedy; None where only a change is measured.
        after: With it; None where only a change is measured.
        change: After less before, paired; None where it was not measured.
    """

    name: str
    before: Estimate | None
    after: Estimate | None
    change: Estimate | None

    def cells(self, *, intervals: bool = True) -> tuple[str, str, str, str]:
        """Write the row; without `intervals` only the change has one."""
        before, after = (_written(one, interval=intervals) for one in (self.before, self.after))
        change = _written(self.change, interval=True)
        signed = (
            f"+{change}" if self.change and (self.change.value or 0) > 0 and "+" not in change else change
        )
        return (words.plain(self.name), before, after, signed)


def _written(one: Estimate | None, *, interval: bool) -> str:
    if one is None:
        return ""
    return words.bare(one) if interval or one.value is None else words.estimate(one)


def is_effect(finding: Finding) -> bool:
    """Whether a number is of a text remedy, and so belongs to no panel of leans."""
    return finding.metric.startswith(ERASURE)


def effects(analysis: Analysis) -> tuple[Effect, ...]:
    """Return the measures of a text remedy, in the order of its points; nothing for another analysis."""
    found: dict[tuple[str, str], dict[str, Finding]] = {}
    for finding in filter(is_effect, analysis.findings):
        metric = finding.metric.removeprefix(ERASURE)
        for stem, (name, parts) in BEFORE_AFTER.items():
            if metric in parts:
                group = finding.group or ""
                about = name.format(group=words.plain(group))
                found.setdefault((stem, about), {})[parts[metric]] = finding
    order = list(BEFORE_AFTER)
    return tuple(
        _effect(about, parts)
        for (_, about), parts in sorted(found.items(), key=lambda item: order.index(item[0][0]))
    )


def _effect(name: str, parts: dict[str, Finding]) -> Effect:
    unit = words.unit_name(next(iter(parts.values())).estimate.unit)
    before, after, change = (
        parts[part].estimate if part in parts else None for part in ("before", "after", "change")
    )
    return Effect(", ".join(filter(None, (name, unit))), before, after, change)


def shown(findings: Iterable[Finding]) -> set[str]:
    """Return the metrics that the table shows, so that they are not listed again."""
    parts = {metric for _, named in BEFORE_AFTER.values() for metric in named}
    return {one.metric for one in findings if one.metric.removeprefix(ERASURE) in parts and is_effect(one)}
