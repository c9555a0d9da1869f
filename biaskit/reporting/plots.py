"""Where things stand in a plot: scales, ticks and paths, without any markup."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from biaskit.records.estimate import Estimate

_MARGIN = 3.0
_FEWEST_TICKS = 4
_LETTERS, _BETWEEN = 36, 2
"""How many letters of tick labels, with the space between two, stand beside each other on an axis."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A horizontal axis from `low` to `high`, drawn over a width of 100 with a margin at both ends."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Return the place of `value` in percent of the width, kept inside the plot."""
        share = (value - self.low) / (self.high - self.low)
        return round(_MARGIN + (100 - 2 * _MARGIN) * min(1.0, max(0.0, share)), 2)

    def ticks(self) -> tuple[float, ...]:
        """Return round values inside the axis: four or more, every other where their labels would touch."""
        marks = ticks(self.low, self.high, _FEWEST_TICKS)
        while len(marks) > _FEWEST_TICKS and sum(len(f"{mark:g}") + _BETWEEN for mark in marks) > _LETTERS:
            first = marks.index(0.0) % 2 if 0.0 in marks else 0
            marks = marks[first::2]
        return marks


def symmetric(values: Iterable[float]) -> Scale:
    """Return a scale around zero that holds all `values`."""
    largest = max((abs(value) for value in values), default=0.0) or 1.0
    return Scale(-1.06 * largest, 1.06 * largest)


def extent(estimate: Estimate | None) -> tuple[float, ...]:
    """Return the values that a plot must hold to show an estimate: the number and its interval's ends."""
    if estimate is None or estimate.value is None:
        return ()
    ends = (estimate.interval.low, estimate.interval.high) if estimate.interval else ()
    return (estimate.value, *ends)


def ticks(low: float, high: float, fewest: int) -> tuple[float, ...]:
    """Return round values between `low` and `high`: multiples of 1, 2 or 5 times a power of ten."""
    width = (high - low) / fewest
    power = 10.0 ** math.floor(math.log10(width))
    # A width just below a power of ten is rounded up to it by the logarithm; half of that still fits.
    step = max(power * factor for factor in (0.5, 1, 2, 5) if power * factor <= width)
    first, last = math.ceil(low / step), math.floor(high / step)
    return tuple(round(index * step, 10) for index in range(first, last + 1))


@dataclass(frozen=True, slots=True)
class Frame:
    """The inner rectangle of a small line chart, in the units of its view box.

    Attributes:
        left, right: Where the first and the last layer stand.
        top, bottom: Where the largest and the smallest value stand.
        low, high: The smallest and the largest value.
        steps: Number of layers.
    """

    left: float
    right: float
    top: float
    bottom: float
    low: float
    high: float
    steps: int

    def x(self, index: int) -> float:
        """Return the place of a layer."""
        share = index / (self.steps - 1) if self.steps > 1 else 0.5
        return round(self.left + share * (self.right - self.left), 1)

    def y(self, value: float) -> float:
        """Return the place of a value."""
        return round(self.bottom - (value - self.low) / (self.high - self.low) * (self.bottom - self.top), 1)

    def line(self, values: Sequence[tuple[int, float]]) -> str:
        """Return the path through `values` at their layers."""
        return " ".join(
            f"{'L' if count else 'M'}{self.x(index)} {self.y(value)}"
            for count, (index, value) in enumerate(values)
        )

    def ribbon(self, ends: Sequence[tuple[int, float, float]]) -> str:
        """Return the closed path between the lower and the upper ends of the intervals."""
        if not ends:
            return ""
        upper = self.line([(index, high) for index, _, high in ends])
        lower = " ".join(f"L{self.x(index)} {self.y(low)}" for index, low, _ in reversed(ends))
        return f"{upper} {lower} Z"
