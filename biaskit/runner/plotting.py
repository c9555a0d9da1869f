"""Pictures of a run in matplotlib: estimates with their intervals, groups side by side, curves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from matplotlib import pyplot as plt

from biaskit.errors import RequestError, UnknownNameError
from biaskit.records.dot_plot import DotPlot
from biaskit.records.figure import AxisScale, Figure, Role
from biaskit.reporting import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from biaskit.records.dot_plot import Dot
    from biaskit.records.estimate import Unit
    from biaskit.records.figure import Curve
    from biaskit.records.finding import Finding
    from biaskit.records.report import Report

_WIDTH, _ROW, _HEAD, _CURVES = 8.0, 0.28, 1.1, 3.4
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours that colour-blind readers tell apart (Okabe and Ito 2008)."""
_MARKS = "osD^vP"
_NUMBERED = re.compile(r"-\d+$")


@dataclass(frozen=True, slots=True)
class Forest:
    """Numbers of one metric, each with its interval.

    Attributes:
        metric: The metric.
        findings: What is drawn, from the top.
    """

    metric: str
    findings: tuple[Finding, ...]


Panel = Forest | DotPlot | Figure


def draw(report: Report, name: str | None = None) -> tuple[Axes, ...]:
    """Draw a run, one panel a metric or picture.

    Args:
        report: The run.
        name: A metric, such as `biaslens.score`, or one of the run's pictures; a name stands for its numbered
            pictures too (`views` for `views-1`). None: the headline numbers.

    Raises:
        UnknownNameError: The run has no metric or picture of that name.
        RequestError: The run has no headline number.
    """
    panels = _headline(report) if name is None else _named(report, name)
    heights = [_height(panel) for panel in panels]
    size = (_WIDTH, sum(heights))
    figure, grid = plt.subplots(
        len(panels), 1, figsize=size, height_ratios=heights, squeeze=False, layout="constrained"
    )
    figure.set_facecolor("white")
    axes = tuple(grid[:, 0])
    for panel, each in zip(panels, axes, strict=True):
        _draw(panel, each)
    return axes


def _headline(report: Report) -> tuple[Panel, ...]:
    panels = _forests([one for one in report.findings() if one.headline])
    if not panels:
        names = ", ".join(sorted(_pictures(report))[:8])
        raise RequestError(
            "The run has no headline number to draw.",
            fix=f"Name a picture ({names}) or a metric." if names else "Name a metric.",
        )
    return panels


def _named(report: Report, name: str) -> tuple[Panel, ...]:
    pictures = _pictures(report)
    found = pictures.get(name) or _forests([one for one in report.findings() if one.metric == name])
    if not found:
        known = {*pictures, *(one.metric for one in report.findings())}
        raise UnknownNameError("metric or picture in this run", name, known)
    return found


def _pictures(report: Report) -> dict[str, tuple[Panel, ...]]:
    """Return the run's pictures by name, and those that differ in a last number by their common name."""
    found: dict[str, tuple[Panel, ...]] = {}
    for analysis in report.analyses:
        own: tuple[DotPlot | Figure, ...] = (*analysis.dots, *analysis.figures)
        for one in own:
            for name in {one.name, _NUMBERED.sub("", one.name)}:
                found[name] = (*found.get(name, ()), one)
    return found


def _forests(findings: Sequence[Finding]) -> tuple[Panel, ...]:
    """Return one panel a metric and unit, in the order in which they were found."""
    ordered = list(dict.fromkeys((one.metric, one.estimate.unit) for one in findings))
    ranked = sorted(findings, key=lambda one: ordered.index((one.metric, one.estimate.unit)))
    grouped = groupby(ranked, key=lambda one: (one.metric, one.estimate.unit))
    return tuple(Forest(metric, tuple(own)) for (metric, _), own in grouped)


def _height(panel: Panel) -> float:
    if isinstance(panel, Figure):
        return _CURVES
    lanes = len(panel.findings) if isinstance(panel, Forest) else len(panel.rows) * _lanes(panel)
    return _HEAD + _ROW * lanes


def _lanes(plot: DotPlot) -> float:
    return 0.6 + 0.4 * len(plot.series)


def _draw(panel: Panel, axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    if isinstance(panel, Figure):
        _draw_curves(panel, axes)
        return
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    if isinstance(panel, Forest):
        _draw_forest(panel, axes)
    else:
        _draw_dots(panel, axes)
    axes.invert_yaxis()


def _draw_forest(panel: Forest, axes: Axes) -> None:
    for row, finding in enumerate(panel.findings):
        estimate = finding.estimate
        if estimate.value is None:
            axes.text(0.02, row, "not measured", transform=axes.get_yaxis_transform(), va="center")
            continue
        ends = (estimate.interval.low, estimate.interval.high) if estimate.interval else ()
        axes.plot(ends, [row] * len(ends), color=_COLOURS[0], linewidth=2, solid_capstyle="butt")
        axes.plot([estimate.value], [row], _MARKS[0], color=_COLOURS[0])
    axes.axvline(0.0, color="#777777", linewidth=0.8)
    labels, common = _labels(panel.findings)
    _rows(axes, labels)
    title = words.METRIC_WORDS.get(panel.metric, panel.metric)
    axes.set_title(_text(f"{title}: {common}" if common else title), loc="left", fontsize="medium")
    parts = (_unit(panel.findings[0].estimate.unit), _level(panel.findings))
    axes.set_xlabel(", ".join(part for part in parts if part))


def _draw_dots(plot: DotPlot, axes: Axes) -> None:
    for lane in range(len(plot.series)):
        _draw_lane(plot, lane, axes)
    if plot.chance is not None:
        axes.axvline(plot.chance, color="#777777", linewidth=0.8)
    _rows(axes, [f"{row.name} ({row.n})" for row in plot.rows])
    axes.set_title(_text(plot.title), loc="left", fontsize="medium")
    axes.set_xlabel(", ".join(part for part in (_unit(plot.unit), _text(plot.band)) if part))
    if len(plot.series) > 1:
        _legend(axes)


def _draw_lane(plot: DotPlot, lane: int, axes: Axes) -> None:
    """Draw one series: what was measured of it, each row a little below the series before it."""
    shift = 0.25 * (lane - (len(plot.series) - 1) / 2)
    colour, name = _COLOURS[lane % len(_COLOURS)], plot.series[lane]
    seen = [
        (row + shift, dot) for row, each in enumerate(plot.rows) for dot in each.dots if dot.series == name
    ]
    for height, dot in seen:
        axes.plot(_ends(dot), [height] * len(_ends(dot)), color=colour, linewidth=1.5)
    marks = [(dot.value, height) for height, dot in seen if dot.value is not None]
    where, heights = [value for value, _ in marks], [height for _, height in marks]
    axes.plot(where, heights, _MARKS[lane % len(_MARKS)], color=colour, label=_text(name), linestyle="")


def _draw_curves(plot: Figure, axes: Axes) -> None:
    for index, curve in enumerate(plot.curves):
        colour = _COLOURS[index % len(_COLOURS)]
        line = "-" if curve.role is Role.SUBJECT else "--" if curve.role is Role.BASELINE else ":"
        places = [point.x for point in curve.points]
        axes.plot(places, [point.y for point in curve.points], line, color=colour, label=_text(curve.name))
        _draw_band(curve, axes, colour)
    if plot.chance is not None:
        axes.axhline(plot.chance, color="#777777", linewidth=0.8)
    if plot.x_scale is AxisScale.LOG:
        axes.set_xscale("log")
    axes.set_xlabel(_text(plot.x_label))
    axes.set_ylabel(_text(plot.y_label))
    axes.set_title(_text(plot.title), loc="left", fontsize="medium")
    _legend(axes, _text(plot.band))


def _draw_band(curve: Curve, axes: Axes, colour: str) -> None:
    known = [one for one in curve.points if one.low is not None and one.high is not None]
    banded = [(one.x, one.low, one.high) for one in known]
    if banded:
        places, low, high = zip(*banded, strict=True)
        axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)


def _legend(axes: Axes, title: str | None = None) -> None:
    axes.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1), title=title)


def _rows(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), [_text(label) for label in labels])
    axes.set_ylim(-0.6, len(labels) - 0.4)


def _labels(findings: Sequence[Finding]) -> tuple[list[str], str]:
    """Return what each finding is about, and what all of them are: it stands in the title alone."""
    parts = [(" / ".join(one.concepts), words.pair(one.references), one.group, one.site) for one in findings]
    shared = [len(set(column)) == 1 and len(parts) > 1 for column in zip(*parts, strict=True)]
    varied = [
        [str(part) for part, same in zip(row, shared, strict=True) if part and not same] for row in parts
    ]
    common = [str(part) for part, same in zip(parts[0], shared, strict=True) if part and same]
    return [", ".join(row) for row in varied], ", ".join(common)


def _level(findings: Sequence[Finding]) -> str:
    levels = {one.estimate.interval.level for one in findings if one.estimate.interval}
    return "".join(f"{100 * level:.4g} % interval" for level in levels) if len(levels) == 1 else ""


def _unit(unit: Unit) -> str:
    return words.unit_name(unit, plural=True) or ("proportion" if str(unit) == "proportion" else "")


def _ends(dot: Dot) -> tuple[float, ...]:
    return tuple(end for end in (dot.low, dot.high) if end is not None)


def _text(text: str) -> str:
    """Make a text inert: no control characters, and no dollar signs that matplotlib reads as formulas."""
    return words.plain(text).replace("$", r"\$")
