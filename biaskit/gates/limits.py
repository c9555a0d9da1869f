"""What a gate is about and how far a number may go."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from biaskit.errors import RequestError, UnknownNameError
from biaskit.records.finding import Direction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biaskit.records.audit_spec import Gate
    from biaskit.records.finding import Finding

KEYS = ("concept", "group", "site", "positive", "negative")
"""What a gate's `where` may narrow by."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Where a number may lie: from `low` to `high`, in words `text`; infinite where one side is open."""

    low: float
    high: float
    text: str


def problems(gate: Gate) -> Iterator[str]:
    """Yield what keeps a gate from being judged, one clause each; nothing where it can be."""
    ends = (gate.at_most, gate.at_least)
    if gate.within is not None:
        if any(end is not None for end in ends):
            yield "has 'within' beside at_most or at_least; give one or the other"
        if gate.within[0] > gate.within[1]:
            yield f"can never hold; 'within' runs from {gate.within[0]:g} down to {gate.within[1]:g}"
        return
    if ends == (None, None):
        yield "has no limit; give at_most, at_least or within"
    if gate.at_most is not None and gate.at_least is not None and gate.at_least > gate.at_most:
        yield "can never hold; at_least exceeds at_most"
    if gate.against is not None and gate.at_least is not None:
        yield "is against a baseline: at_most says how much worse is allowed; it takes no at_least"


def check(gate: Gate) -> None:
    """Refuse a gate that cannot be judged.

    Raises:
        RequestError: It has no limit, or one that nothing can meet.
        UnknownNameError: `where` has a key that findings do not have.
    """
    for problem in problems(gate):
        raise RequestError(f"Gate '{gate.id}' {problem}.", fix="Limits are in the metric's unit.")
    for key in gate.where:
        if key not in KEYS:
            raise UnknownNameError("key of a gate's 'where'", key, KEYS)


def matches(gate: Gate, finding: Finding) -> bool:
    """Tell whether a gate is about a finding."""
    positive, negative = finding.references or ("", "")
    about = {
        "concept": finding.concepts[0] if finding.concepts else "",
        "group": finding.group or "",
        "site": str(finding.site) if finding.site else "",
        "positive": positive,
        "negative": negative,
    }
    return finding.metric == gate.metric and all(about[key] == value for key, value in gate.where.items())


def limit_of(gate: Gate, direction: Direction) -> Limit:
    """Return where a number of this direction may lie.

    `at_most` bounds the absolute value of a number that should be near zero. Against a baseline it bounds how
    much worse the number has become, and `within` how much it may differ either way.
    """
    if gate.within is not None:
        low, high = gate.within
        return Limit(low, high, f"{low:g} to {high:g}")
    high = math.inf if gate.at_most is None else gate.at_most
    low = -math.inf if gate.at_least is None else gate.at_least
    if gate.against is not None:
        return Limit(low, high, f"{high:g} worse")
    if direction is Direction.TOWARD_ZERO and gate.at_most is not None:
        low, text = max(low, -gate.at_most), f"±{gate.at_most:g}"
        return Limit(low, high, text if gate.at_least is None else f"{text} and at least {gate.at_least:g}")
    parts = ((gate.at_least, "at least"), (gate.at_most, "at most"))
    return Limit(low, high, " and ".join(f"{word} {end:g}" for end, word in parts if end is not None))
