"""The seven points a text remedy is judged by, and the sentence that says which hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What was shown of a point."""

    HOLDS = "holds"
    FAILS = "fails"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Point:
    """One point.

    Attributes:
        name: What is asked.
        state: What was shown.
        said: Why, with the numbers.
    """

    name: str
    state: State
    said: str

    @classmethod
    def of(cls, name: str, said: str, *, holds: bool, fails: bool) -> Point:
        """Return the point; one that neither holds nor fails is undecided."""
        state = State.FAILS if fails else State.HOLDS if holds else State.UNDECIDED
        return cls(name, state, said)


def verdict(points: Sequence[Point]) -> str:
    """Say which points hold, which fail and which are undecided."""
    by_state = {state: [point.name for point in points if point.state is state] for state in State}
    held = len(by_state[State.HOLDS])
    parts = [f"Of {len(points)} points {held} {'holds' if held == 1 else 'hold'}"]
    parts += [
        f"{state}: {', '.join(by_state[state])}"
        for state in (State.FAILS, State.UNDECIDED)
        if by_state[state]
    ]
    return "; ".join(parts) + "."


def sentence(point: Point) -> str:
    """Return one line on a point."""
    return f"{point.name[0].upper()}{point.name[1:]} ({point.state}): {point.said}"


def chance(p: float) -> str:
    """Write a p-value."""
    return "p < 0.001" if p < 0.001 else f"p {p:.3f}"
