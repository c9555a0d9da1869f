"""Dot plots as places in a picture: one row a group, one lane a series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from biaskit.records.estimate import Unit
from biaskit.reporting import curves, plots, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biaskit.records.dot_plot import Dot, DotPlot, DotRow

_LANE = 16
_PADDING = 7
_SHARES = frozenset({Unit.AUC, Unit.PROPORTION, Unit.PIXEL_SHARE})


@dataclass(frozen=True, slots=True)
class Lane:
    """One dot in its row.

    Attributes:
        y: Its height in the row, in pixels.
        value, low, high: The number and its interval; an interval's ends are None together.
        colour: Which colour tells its series from the others.
        shape: Which mark does.
    """

    y: int
    value: float
    low: float | None
    high: float | None
    colour: int
    shape: int


@dataclass(frozen=True, slots=True)
class Plot:
    """A dot plot and its axis.

    Attributes:
        plot: What is drawn.
        scale: The common axis of all rows.
    """

    plot: DotPlot
    scale: plots.Scale

    @classmethod
    def of(cls, plot: DotPlot) -> Self:
        """Return the plot on an axis that holds all of it: from 0 to 1 where it measures shares."""
        values = [end for row in plot.rows for dot in row.dots for end in _ends(dot)]
        values += [plot.chance] if plot.chance is not None else []
        share = plot.unit in _SHARES and all(0 <= value <= 1 for value in values)
        return cls(plot, plots.Scale(0.0, 1.0) if share else plots.symmetric(values))

    @property
    def height(self) -> int:
        """Height of one row, in pixels."""
        return _LANE * len(self.plot.series) + 2 * _PADDING

    def colour(self, series: str) -> int:
        """Return which colour a series has."""
        return self.plot.series.index(series) % curves.COLOURS

    def shape(self, series: str) -> int:
        """Return which mark a series has."""
        return self.plot.series.index(series) % len(curves.SHAPES)

    def lanes(self, row: DotRow) -> Iterator[Lane]:
        """Yield the dots of a row that were measured."""
        for dot in row.dots:
            if dot.value is None:
                continue
            y = _PADDING + _LANE * self.plot.series.index(dot.series) + _LANE // 2
            known = dot.low is not None and dot.high is not None
            ends = (dot.low, dot.high) if known else (None, None)
            yield Lane(y, dot.value, *ends, self.colour(dot.series), self.shape(dot.series))

    def cells(self, row: DotRow) -> tuple[str, ...]:
        """Return a row's numbers with their intervals, one text a series."""
        given = {dot.series: dot for dot in row.dots}
        return tuple(_text(given.get(series), self.plot.unit) for series in self.plot.series)

    def said(self, row: DotRow) -> str:
        """Say a row in words."""
        pairs = zip(self.plot.series, self.cells(row), strict=True)
        return f"{row.name}: " + ", ".join(f"{series} {text}" for series, text in pairs)


def _ends(dot: Dot) -> Iterator[float]:
    yield from (end for end in (dot.value, dot.low, dot.high) if end is not None)


def _text(dot: Dot | None, unit: Unit) -> str:
    if dot is None or dot.value is None:
        return "not measured"
    text = words.number(dot.value, unit)
    if dot.low is None or dot.high is None:
        return text
    return f"{text} [{words.number(dot.low, unit)}, {words.number(dot.high, unit)}]"
