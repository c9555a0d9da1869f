"""A report as one self-contained page: no script, nothing remote, every text escaped."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from biaskit.records.estimate import Unit
from biaskit.records.report import Outcome
from biaskit.reporting import curves, plots, view, words
from biaskit.reporting.headline import headline
from biaskit.reporting.sections import held, sections
from biaskit.reporting.standing import Standing, is_seen, smallest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from biaskit.records.audit_spec import Gate
    from biaskit.records.estimate import Estimate
    from biaskit.records.finding import Finding
    from biaskit.records.report import Report, Verdict
    from biaskit.reporting.sections import Section

_HERE = Path(__file__).parent
_MOST_EVIDENCE, _ROWS_EACH = 2400, 10
_MOST_NUMBERS, _MOST_AT_ONCE, _MOST_FIGURES = 1200, 40, 12
_SHARE = plots.Scale(0.0, 1.0)
_MOST_PASSED, _MOST_PASSED_BESIDE = 8, 3
_CHART_HEIGHT = 96
_LANE = 26
_SHOWN = frozenset({*view.MAIN, "behaviour", "patching", "erasure"})

MARKS = {
    Outcome.PASS: "✓",
    Outcome.FAIL: "✕",
    Outcome.ERROR: "!",
    Outcome.UNDECIDED: "?",
    Outcome.WAIVED: "⦸",
}


@dataclass(frozen=True, slots=True)
class Forest:
    """A panel with what its plots need.

    Attributes:
        panel: The comparison.
        anchor: Where the page jumps to.
        scale: The axis of the numbers inside.
        outside: The common axis of inside, behaviour and patching.
        triad: The metrics' last parts and names that stand side by side on that axis.
        band: Ends of the control band, or None.
        limits: Limits of the gates that judge the panel's main number.
        charts: One layer profile a target.
        checks: The remaining numbers, one column a metric.
        axes: The numbers on other axes, one column an axis.
        slight: Whether no score of the panel is worth a word.
    """

    panel: view.Panel
    anchor: str
    scale: plots.Scale
    outside: plots.Scale
    triad: tuple[tuple[str, str], ...]
    band: tuple[float, float] | None
    limits: tuple[float, ...]
    charts: tuple[Chart, ...]
    checks: tuple[str, ...]
    axes: tuple[str, ...]
    slight: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """The layer profile of one target.

    Attributes:
        target: The target.
        frame: Where layers and values stand.
        line: Path through the scores.
        ribbon: Path around the intervals.
        points: Each layer with its score.
        chosen: The layer of the reported score and its value, or None.
        words: The same in words.
    """

    target: str
    frame: plots.Frame
    line: str
    ribbon: str
    points: tuple[tuple[int, float], ...]
    chosen: tuple[int, float] | None
    words: str


@dataclass(frozen=True, slots=True)
class Gated:
    """What one gate says.

    Attributes:
        name: Id of the gate.
        bounds: What it allows, in words; empty where the spec does not hold it.
        rationale: Why this limit.
        shown: Verdicts to show at once, gravest first.
        folded: Verdicts to fold away.
    """

    name: str
    bounds: str
    rationale: str
    shown: tuple[Verdict, ...]
    folded: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Examples:
    """The rows that move one number most.

    Attributes:
        finding: The number.
        rows: At most ten examples, the strongest first.
        scale: The common axis of their contributions.
    """

    finding: Finding
    rows: Sequence[Any]
    scale: plots.Scale


def render(report: Report) -> str:
    """Return the whole page."""
    return _environment().get_template("report.html.jinja").render(_content(report))


def render_fragment(report: Report) -> str:
    """Return what a notebook shows: conflicts, the verdict line and the forest plots, styles scoped."""
    return _environment().get_template("fragment.html.jinja").render(_content(report))


def _content(report: Report) -> dict[str, Any]:
    panels = view.panels(report)
    examples = tuple(_examples(report))
    found = sections(report)
    return {
        "report": report,
        "title": view.title(report),
        "source": view.source(report),
        "tone": view.tone(report),
        "headline": headline(report),
        "forests": tuple(_forest(panel, count) for count, panel in enumerate(panels, 1)),
        "examples": examples,
        "more_examples": sum(bool(finding.evidence) for finding in report.findings()) - len(examples),
        "sections": found,
        "tables": held(report),
        "glossary": words.glossary(report),
        "targets": list(dict.fromkeys(_targets(panels, found))),
        "pairs": list(dict.fromkeys(map(words.pair, _pairs(panels, found)))),
        "gated": tuple(_gates(report)),
        "judged": any(row.outcome for panel in panels for row in panel.rows),
    }


def _targets(panels: Sequence[view.Panel], found: Sequence[Section]) -> Iterator[str]:
    """Yield what was audited: the targets of comparisons, then the concepts of other headline numbers."""
    yield from (row.target for panel in panels for row in panel.rows)
    yield from (one.concepts[0] for section in found for one in section.headline if one.concepts)
    yield from (one.concepts[0] for one in _mended(found))


def _pairs(panels: Sequence[view.Panel], found: Sequence[Section]) -> Iterator[tuple[str, str] | None]:
    """Yield the poles of comparisons, then those that a remedy was found for."""
    yield from (panel.references for panel in panels)
    yield from (one.references for one in _mended(found))


def _mended(found: Sequence[Section]) -> list[Finding]:
    return [one for section in found if section.effects for one in section.analysis.findings]


def _gates(report: Report) -> Iterator[Gated]:
    """Yield what each gate says: at once what it says gravest first, folded away many that passed."""
    gates = {gate.id: gate for gate in report.spec.gates}
    ranked = sorted(report.verdicts, key=lambda one: view.ORDER.index(one.outcome))
    names = dict.fromkeys(one.gate for one in sorted(ranked, key=lambda one: one.advisory))
    for name in names:
        own = [one for one in ranked if one.gate == name]
        passed = [one for one in own if one.outcome is Outcome.PASS]
        most = _MOST_PASSED if len(passed) == len(own) else _MOST_PASSED_BESIDE
        folded = passed if len(passed) > most else []
        shown = [one for one in own if not folded or one.outcome is not Outcome.PASS]
        gate = gates.get(name)
        yield Gated(name, _bounds(gate), gate.rationale if gate else "", tuple(shown), tuple(folded))


def _bounds(gate: Gate | None) -> str:
    """Write what a gate allows, as `inside: at most 0.5`."""
    if gate is None:
        return ""
    ends = ((gate.at_least, "at least"), (gate.at_most, "at most"))
    bounds = " and ".join(f"{word} {end:g}" for end, word in ends if end is not None)
    return f"{words.metric(gate.metric)}: {bounds}{', advisory' if gate.advisory else ''}"


def _forest(panel: view.Panel, count: int) -> Forest:
    main = [row.estimate(panel.main) for row in panel.rows]
    others = [row.estimate(part) for row in panel.rows for part in ("behaviour", "patching")]
    limits, band = panel.limits, None if panel.band is None else (-panel.band, panel.band)
    inside = [value for estimate in main for value in plots.extent(estimate)]
    around = [value for estimate in others for value in plots.extent(estimate)]
    parts = list(dict.fromkeys(part for row in panel.rows for part in row.findings if part not in _SHOWN))
    axes = tuple(part for part in parts if part.startswith("axis_"))
    return Forest(
        panel=panel,
        anchor=f"comparison-{count}",
        scale=plots.symmetric((*inside, *limits, *(band or ()))),
        outside=plots.symmetric((*inside, *around, _worth(panel))),
        triad=tuple(_triad(panel)),
        band=band,
        limits=limits,
        charts=tuple(_charts(panel)),
        checks=tuple(part for part in parts if part not in axes),
        axes=axes,
        slight={panel.standing(row) for row in panel.rows} == {Standing.SLIGHT},
    )


def _worth(panel: view.Panel) -> float:
    """Return the least that an axis must hold, so that what is not worth a word looks like nothing."""
    return 2 * smallest(panel.unit, max(panel.limits, default=None))


def _charts(panel: view.Panel) -> Iterator[Chart]:
    rows = [row for row in panel.rows if len(row.profile) > 1]
    values = [value for row in rows for finding in row.profile for value in plots.extent(finding.estimate)]
    scale = plots.symmetric((*values, _worth(panel)))
    for row in rows:
        frame = plots.Frame(0, 100, 4, _CHART_HEIGHT - 4, scale.low, scale.high, len(row.profile))
        yield _chart(row, panel, frame)


def _chart(row: view.Row, panel: view.Panel, frame: plots.Frame) -> Chart:
    known = [(index, one.estimate) for index, one in enumerate(row.profile) if one.estimate.value is not None]
    middle = [(index, estimate.value or 0.0) for index, estimate in known]
    ends = [(index, one.interval.low, one.interval.high) for index, one in known if one.interval]
    at = {str(one.site.layer) if one.site else "": index for index, one in enumerate(row.profile)}
    chosen = next(((index, value) for index, value in middle if index == at.get(row.layer)), None)
    said = ", ".join(words.number(value, panel.unit) for _, value in middle)
    drawn = (frame.line(middle), frame.ribbon(ends), tuple(middle), chosen)
    return Chart(row.target, frame, *drawn, f"{row.target}: {said}")


def _examples(report: Report) -> Iterator[Examples]:
    """Yield the strongest examples of each number, headlines first, until the page is full."""
    left = _MOST_EVIDENCE
    findings = [finding for finding in report.findings() if finding.evidence]
    for finding in sorted(findings, key=lambda one: not one.headline):
        rows = sorted(finding.evidence, key=lambda one: -abs(one.value))[:_ROWS_EACH]
        left -= len(rows)
        if left < 0:
            return
        yield Examples(finding, rows, plots.symmetric(row.value for row in rows))


def _triad(panel: view.Panel) -> Iterator[tuple[str, str]]:
    """Yield what stands side by side: inside, behaviour, and patching where it was done."""
    named = ((panel.main, panel.heading), ("behaviour", "behaviour"), ("patching", "patched in"))
    for part, name in named:
        if any(part in row.findings for row in panel.rows):
            yield part, name


def agreement(row: view.Row, parts: Sequence[tuple[str, str]]) -> str:
    """Say whether the numbers side by side lean the same way, by their intervals."""
    signs = {_sign(row.estimate(part)) for part, _ in parts} - {None}
    if len(parts) == 1 or not signs:
        return ""
    if {1, -1} <= signs:
        return "opposite signs"
    if signs == {0}:
        return "all near zero"
    return "not all clear of zero" if 0 in signs else "same sign"


def _sign(estimate: Estimate | None) -> int | None:
    if estimate is None or estimate.value is None or estimate.interval is None:
        return None
    return (estimate.interval.low > 0) - (estimate.interval.high < 0)


def marked(text: str, filler: str) -> tuple[str, str, str]:
    """Split a text around the last place of its filler, to set it off."""
    before, found, after = text.rpartition(filler) if filler else ("", "", text)
    return before, found, after


def _inert(value: Any) -> Any:
    return words.plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=_inert,
    )
    made.filters |= {
        "number": words.number,
        "tick": words.tick,
        "interval": words.interval,
        "chance": words.chance,
    }
    made.filters |= {
        "whole": words.whole,
        "pair": words.pair,
        "unit_name": words.unit_name,
        "typeset": words.typeset,
    }
    made.filters |= {
        "metric": words.metric,
        "value_of": words.estimate,
        "duration": words.duration,
        "agreement": agreement,
        "typeset": words.typeset,
    }
    made.filters |= {"is_seen": is_seen, "place": curves.place, "cell": words.cell, "measure": words.measure}
    made.globals |= {
        "Unit": Unit,
        "share": _SHARE,
        "lane": _LANE,
        "chart_height": _CHART_HEIGHT,
        "Standing": Standing,
        "ticks": plots.ticks,
        "marked": marked,
        "marks": MARKS,
        "outcome_words": words.OUTCOME_WORDS,
        "status_words": words.STATUS_WORDS,
        "most_numbers": _MOST_NUMBERS,
        "most_at_once": _MOST_AT_ONCE,
        "most_figures": _MOST_FIGURES,
        "plot_height": curves.HEIGHT,
        "shapes": curves.SHAPES,
        # The one text that is not escaped: the package's own style sheet.
        "style": Markup((_HERE / "report.css").read_text(encoding="utf-8")),
    }
    return made
