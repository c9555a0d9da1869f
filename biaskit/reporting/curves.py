"""Curves with bands as places in a picture: axes, ticks, paths and marks, without any markup."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from biaskit.records.estimate import Unit
from biaskit.records.figure import AxisScale, Role
from biaskit.reporting import plots, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from biaskit.records.figure import Curve, Figure, Point

HEIGHT = 216
_TOP, _BOTTOM, _SIDE = 10.0, HEIGHT - 26.0, 3.0
_MOST_TICKS, _FEWEST_TICKS = 10, 4
_MOST_MARKS, _MOST_SAID = 24, 12
_SHARES = frozenset({Unit.AUC, Unit.PROPORTION})

COLOURS = 8
"""Colours that tell curves apart before they come round again."""

SHAPES = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "M-3.5-3.5h7v7h-7z",
    "M0-4.6L4.4 3.4h-8.8z",
    "M0-5L4.6 0 0 5-4.6 0z",
    "M0 4.6L4.4-3.4h-8.8z",
    "M-3.6-3.6L3.6 3.6M-3.6 3.6L3.6-3.6",
)
"""Marks around the place of a point, in pixels."""

DASHES = 3
"""Dash patterns of controls before they come round again."""


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis from `low` to `high`.

    Attributes:
        low, high: Its ends, in the unit of what it counts.
        log: Whether equal factors stand equally far apart.
        ticks: Round values between the ends.
    """

    low: float
    high: float
    log: bool
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Return the place of `value`: 0 at the low end, 1 at the high end."""
        if self.log:
            return (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Style:
    """How a curve is told from the others: its role, a colour, a mark and, for a control, a dash pattern."""

    role: Role
    colour: int
    shape: int
    dash: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A point of a curve: where it stands, and its numbers in words."""

    x: float
    y: float
    said: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """One curve as paths.

    Attributes:
        name: What it shows.
        style: How it is told from the others.
        line: Path through its points.
        ribbon: Path around its band; one closed piece for each run of points that have an interval.
        marks: Its points; of very many, some.
    """

    name: str
    style: Style
    line: str
    ribbon: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure with where everything in it stands.

    The horizontal places are percent of the width, the vertical ones pixels of `HEIGHT`.

    Attributes:
        figure: The figure.
        across: The horizontal axis.
        up: The vertical axis.
        drawn: Its curves as they stand in the legend, most important first.
        said: The same in words.
    """

    figure: Figure
    across: Axis
    up: Axis
    drawn: tuple[Drawn, ...]
    said: str

    def x(self, value: float) -> float:
        """Return how far to the right a value stands, in percent of the width."""
        return round(_SIDE + (100 - 2 * _SIDE) * self.across.share(value), 2)

    def y(self, value: float) -> float:
        """Return how far down a value stands, in pixels."""
        return round(_BOTTOM - (_BOTTOM - _TOP) * self.up.share(value), 1)

    @property
    def bottom(self) -> float:
        """Where the low end of the vertical axis stands."""
        return _BOTTOM

    @property
    def layers(self) -> tuple[Drawn, ...]:
        """The curves in the order they are drawn: controls below, then baselines, the subject on top."""
        order = (Role.SUBJECT, Role.BASELINE, Role.CONTROL)
        return tuple(sorted(self.drawn, key=lambda one: order.index(one.style.role)))[::-1]

    @property
    def label(self) -> str:
        """What the vertical axis measures, with its unit where the words do not name it."""
        unit = words.unit_name(self.figure.unit)
        shown = self.figure.y_label
        return shown if unit.lower() in shown.lower() else f"{shown} [{unit}]"


def draw(figures: Sequence[Figure]) -> tuple[Plot, ...]:
    """Return the plots of one analysis.

    A curve looks the same wherever its name and role come again, and figures that measure the same in the
    same unit have one vertical axis, so that plots side by side can be compared.
    """
    styles = _styles(figures)
    axes = {key: _vertical(list(own)) for key, own in _alike(figures)}
    return tuple(_plot(figure, axes[_measure(figure)], styles) for figure in figures)


def _alike(figures: Sequence[Figure]) -> Iterator[tuple[tuple[str, Unit], Iterator[Figure]]]:
    yield from groupby(sorted(figures, key=_measure), key=_measure)


def _measure(figure: Figure) -> tuple[str, Unit]:
    return figure.y_label, figure.unit


def _styles(figures: Iterable[Figure]) -> dict[tuple[Role, str], Style]:
    names = dict.fromkeys((curve.role, curve.name) for figure in figures for curve in figure.curves)
    coloured = [key for role in (Role.SUBJECT, Role.BASELINE) for key in names if key[0] is role]
    grey = [key for key in names if key[0] is Role.CONTROL]
    shapes = len(SHAPES)
    return {key: Style(key[0], count % COLOURS, count % shapes, 0) for count, key in enumerate(coloured)} | {
        # Controls take their marks from the other end, so that one beside the first curve looks unlike it.
        key: Style(key[0], 0, shapes - 1 - count % shapes, count % DASHES)
        for count, key in enumerate(grey)
    }


def _plot(figure: Figure, up: Axis, styles: dict[tuple[Role, str], Style]) -> Plot:
    bare = Plot(figure, _horizontal(figure), up, (), "")
    drawn = tuple(_curve(curve, bare, styles[curve.role, curve.name]) for curve in figure.curves)
    return Plot(figure, bare.across, up, drawn, _said(figure))


def _curve(curve: Curve, plot: Plot, style: Style) -> Drawn:
    points = sorted(curve.points, key=lambda point: point.x)
    kept = points[:: math.ceil(len(points) / _MOST_MARKS)]
    marks = (Mark(plot.x(one.x), plot.y(one.y), _point(curve.name, one, plot.figure.unit)) for one in kept)
    line = _path((plot.x(one.x), plot.y(one.y)) for one in points)
    return Drawn(curve.name, style, line, _ribbon(points, plot), tuple(marks))


def _path(places: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{'L' if count else 'M'}{x} {y}" for count, (x, y) in enumerate(places))


def _ribbon(points: Sequence[Point], plot: Plot) -> str:
    """Return a closed path around each run of points that have both ends of an interval."""
    runs = [list(run) for known, run in groupby(points, key=_has_band) if known]
    pieces = []
    for run in runs:
        ends = [(plot.x(one.x), one.low, one.high) for one in run]
        above = [(x, plot.y(high)) for x, _, high in ends if high is not None]
        below = [(x, plot.y(low)) for x, low, _ in reversed(ends) if low is not None]
        pieces.append(f"{_path((*above, *below))} Z")
    return " ".join(pieces)


def _has_band(point: Point) -> bool:
    return point.low is not None and point.high is not None


def _vertical(figures: Sequence[Figure]) -> Axis:
    points = [point for figure in figures for curve in figure.curves for point in curve.points]
    chances = [figure.chance for figure in figures]
    known = [*(end for one in points for end in (one.low, one.y, one.high)), *chances]
    values = [value for value in known if value is not None]
    low, high = min(values), max(values)
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
    bounded = figures[0].unit in _SHARES and low >= 0 and high <= 1
    ends = (max(low - margin, 0.0), min(high + margin, 1.0)) if bounded else (low - margin, high + margin)
    return Axis(*ends, log=False, ticks=plots.ticks(*ends, _FEWEST_TICKS))


def _horizontal(figure: Figure) -> Axis:
    places = sorted({point.x for curve in figure.curves for point in curve.points})
    low, high, log = places[0], places[-1], figure.x_scale is AxisScale.LOG
    if low == high:
        ends = (low / 2, high * 2) if log else (low - 0.5, high + 0.5)
        return Axis(*ends, log=log, ticks=(low,))
    return Axis(low, high, log=log, ticks=log_ticks(places) if log else _linear_ticks(places))


def _linear_ticks(places: Sequence[float]) -> tuple[float, ...]:
    """Return round values between the first and the last place; whole ones where all places are whole."""
    found = plots.ticks(places[0], places[-1], _FEWEST_TICKS)
    if all(place.is_integer() for place in places):
        found = tuple(tick for tick in found if tick.is_integer())
    return _thinned(found)


def log_ticks(places: Sequence[float]) -> tuple[float, ...]:
    """Return round values for a logarithmic axis that holds `places`, in increasing order, all above 0.

    Powers of two where every place is one; else 1, 2 and 5 times powers of ten, powers of ten alone where
    these are too many, and evenly spaced values where the axis is shorter than that.
    """
    low, high = places[0], places[-1]
    if all(math.frexp(place)[0] == 0.5 for place in places):
        return _thinned([2.0**power for power in range(math.frexp(low)[1] - 1, math.frexp(high)[1])])
    powers = [10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    fine = [factor * power for power in powers for factor in (1, 2, 5)]
    kept = [[tick for tick in ticks if _within(tick, low, high)] for ticks in (fine, powers)]
    fitting = next((ticks for ticks in kept if len(ticks) <= _MOST_TICKS), kept[-1])
    return _thinned(fitting if len(fitting) > 2 else plots.ticks(low, high, 3))


def _within(tick: float, low: float, high: float) -> bool:
    slack = 1 + 1e-9
    return low <= tick * slack and tick <= high * slack


def _thinned(ticks: Sequence[float]) -> tuple[float, ...]:
    """Leave out ticks at equal steps until they fit side by side."""
    return tuple(ticks[:: math.ceil(len(ticks) / _MOST_TICKS) or 1])


def place(value: float) -> str:
    """Write a value of the horizontal axis."""
    return f"{value:,.6g}".replace("-", words.MINUS)


def _point(name: str, point: Point, unit: Unit) -> str:
    ends = [words.number(end, unit) for end in (point.low, point.high) if end is not None]
    band = f" [{', '.join(ends)}]" if len(ends) == 2 else ""
    return f"{name}, {place(point.x)}: {words.number(point.y, unit)}{band}"


def _said(figure: Figure) -> str:
    """Say a figure in words, curve by curve; of many points, evenly spaced ones and the last."""
    said = []
    for curve in figure.curves:
        points = sorted(curve.points, key=lambda point: point.x)
        kept = points[:: math.ceil(len(points) / _MOST_SAID)]
        kept += [] if kept[-1] is points[-1] else [points[-1]]
        numbers = (f"{words.number(one.y, figure.unit)} at {place(one.x)}" for one in kept)
        said.append(f"{curve.name}: {', '.join(numbers)}.")
    return f"{figure.y_label} against {figure.x_label}. {' '.join(said)}"
