"""What a gate is about and how far a number may go."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from biaskit.errors import RequestError, UnknownNameError
from biaskit.records.audit_spec import WHERE_KEYS
from biaskit.records.finding import Direction

if TYPE_CHECKING:
    from biaskit.records.audit_spec import Gate


@dataclass(frozen=True, slots=True)
class Limit:
    """Where a number may lie: from `low` to `high`, in words `text`; infinite where one side is open."""

    low: float
    high: float
    text: str


def check(gate: Gate) -> None:
    """Refuse a gate that cannot be judged.

    Raises:
        RequestError: It has no limit, or one that nothing can meet.
        UnknownNameError: `where` has a key that findings do not have.
    """
    for problem in gate.problems():
        raise RequestError(f"Gate '{gate.id}' {problem}.", fix="Limits are in the metric's unit.")
    for key in gate.where:
        if key not in WHERE_KEYS:
            raise UnknownNameError("key of a gate's 'where'", key, WHERE_KEYS)


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
