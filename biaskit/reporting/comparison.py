"""Two runs side by side in words: one row a finding, gravest first."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from biaskit.errors import UnknownNameError
from biaskit.records.report import Change
from biaskit.reporting import words
from biaskit.reporting.markdown import escape, table

if TYPE_CHECKING:
    from biaskit.records.comparison import Difference, RunComparison
    from biaskit.records.estimate import Estimate

COLUMNS = ("", "metric", "about", "before", "after", "change", "how")
_ORDER = (
    Change.WORSE,
    Change.CHANGED,
    Change.BETTER,
    Change.NEW,
    Change.ABSENT,
    None,
    Change.UNCHANGED,
)


def narrowed(found: RunComparison, metric: str | None) -> RunComparison:
    """Return the comparison of one metric, or of all, gravest change first.

    Raises:
        UnknownNameError: Neither run holds the metric.
    """
    known = {one.metric for one in found.differences}
    if metric is not None and metric not in known:
        raise UnknownNameError("metric in these runs", metric, known)
    kept = [one for one in found.differences if metric in (None, one.metric)]
    ranked = sorted(kept, key=lambda one: _ORDER.index(one.change))
    return found.model_copy(update={"differences": tuple(ranked)})


def summary(found: RunComparison) -> str:
    """Count what became of the findings, in one line."""
    seen = Counter(one.change for one in found.differences)
    paired = sum(one.paired for one in found.differences)
    counts = [f"{seen[one]} {one or 'not compared'}" for one in _ORDER if seen[one]]
    level = f"{100 * found.level:.4g} %"
    return f"{', '.join(counts) or 'nothing to compare'}  ·  {paired} paired  ·  intervals at {level}"


def row(one: Difference) -> tuple[str, ...]:
    """Write one finding: what became of it, what it is about, both numbers and the change."""
    how = "paired" if one.paired else one.reason or ""
    return (_told(one), one.metric, _about(one), _number(one.before), _number(one.after), _moved(one), how)


def lines(one: Difference) -> tuple[tuple[str, str], ...]:
    """Write one finding as two rows of two cells: what became of what, then the numbers."""
    _, metric, about, before, after, moved, how = row(one)
    change = f"change {moved}" if moved else ""
    said = (f"{before or 'absent'} \N{RIGHTWARDS ARROW} {after or 'absent'}", change, how)
    return (_told(one), f"{metric}: {about}"), ("", "; ".join(part for part in said if part))


def _told(one: Difference) -> str:
    return str(one.change or "not compared")


def _about(one: Difference) -> str:
    about = (*one.concepts, words.pair(one.references), str(one.site or ""), one.group or "")
    return ", ".join(part for part in about if part)


def markdown(found: RunComparison) -> str:
    """Write a comparison as Markdown: the count, then what changed, then what did not, folded."""
    head = (
        f"# {escape(found.before.model)}: {found.before.id[:8]} and {found.after.id[:8]}\n\n{summary(found)}"
    )
    moved = [one for one in found.differences if one.change is not Change.UNCHANGED]
    same = [one for one in found.differences if one.change is Change.UNCHANGED]
    parts = [head, *(f"- {escape(note)}" for note in found.notes)]
    parts += [table(COLUMNS, map(row, moved))] if moved else []
    if same:
        parts += [
            "<details><summary>Unchanged, as far as the runs can tell</summary>",
            table(COLUMNS, map(row, same)),
        ]
        parts += ["</details>"]
    return "\n\n".join(parts) + "\n"


def _number(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    return "not measured" if estimate.value is None else words.whole(estimate)


def _moved(one: Difference) -> str:
    moved = one.change_in_value
    return "" if moved is None or moved.value is None or moved.interval is None else words.change(moved)
