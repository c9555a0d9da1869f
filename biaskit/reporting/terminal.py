"""A report as a table for a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from biaskit.records.report import Outcome, Status
from biaskit.reporting import view, words
from biaskit.reporting.effects import HEAD
from biaskit.reporting.headline import headline
from biaskit.reporting.sections import sections
from biaskit.reporting.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.console import ConsoleOptions, JustifyMethod, RenderableType, RenderResult

    from biaskit.records.estimate import Estimate
    from biaskit.records.finding import Finding
    from biaskit.records.report import Report
    from biaskit.reporting.effects import Effect
    from biaskit.reporting.sections import Section

_LAYER = "layer"
_WHOLE, _WIDEST = frozenset({"site", "number", "chance"}), 28
_MOST_UNDECIDED, _MOST_NAMES, _MOST_NUMBERS, _UNBOUNDED = 5, 12, 30, 1000
_MOST_CAVEATS = 5
_STYLES = {
    Outcome.PASS: "green",
    Outcome.FAIL: "bold red",
    Outcome.UNDECIDED: "yellow",
    Outcome.ERROR: "bold red",
    Outcome.WAIVED: "cyan",
}
_TONES = {outcome.value: style for outcome, style in _STYLES.items()} | {"advisory": "bold yellow"}
_MARKS = {
    Outcome.PASS: "pass",
    Outcome.FAIL: "FAIL",
    Outcome.UNDECIDED: "undecided",
    Outcome.ERROR: "ERROR",
    Outcome.WAIVED: "waived",
}


def render(report: Report, folder: Path | None = None) -> RenderableType:
    """Return what the terminal shows of a report: conflicts, comparisons, other findings, verdict."""
    parts: list[RenderableType] = [_title(report)]
    parts += [
        Text.assemble(("! ", "bold red"), (words.plain(conflict), "red")) for conflict in report.conflicts
    ]
    for panel in view.panels(report):
        said: list[RenderableType] = [*_nothing(panel)] or [_Panel(panel), *_slight(panel)]
        parts += [Text(""), *said]
    for section in sections(report):
        parts += [Text(""), *_section(section)]
    missing = [f"not measured: {words.plain(line)}" for line in report.not_measured]
    proofs = [f"calibration: {words.plain(one.sentence)}" for one in report.calibrations]
    notes = [*_caveats(report), *missing, *proofs, *_undecided(report)]
    parts += [Text("\n" * bool(notes), end=""), *(Text(line, style="dim") for line in notes)]
    return Group(*parts, Text(""), _verdict(report), _after(report, folder))


def _nothing(panel: view.Panel) -> list[Text]:
    """Say in one line that no score of a panel is worth a word; nothing where one is, or is not measured."""
    measured = [(abs(one.value or 0.0), row) for row in panel.rows if (one := row.estimate(panel.main))]
    standings = {panel.standing(row) for row in panel.rows} - {Standing.NOT_MEASURED}
    if standings != {Standing.SLIGHT} or not measured:
        return []
    largest = max(measured, key=lambda one: one[0])[1]
    estimate = largest.estimate(panel.main)
    number = words.whole(estimate) if estimate else ""
    return [
        _title_of(panel),
        Text(f"  {Standing.SLIGHT}; the largest: {words.plain(largest.target)} {number}", style="dim"),
    ]


def _slight(panel: view.Panel) -> list[Text]:
    """Name the targets whose score is not worth a word, whatever its p-value."""
    names = [words.plain(row.target) for row in panel.rows if panel.standing(row) is Standing.SLIGHT]
    shown = ", ".join(names[:_MOST_NAMES]) + (
        f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    )
    return [Text(f"{Standing.SLIGHT}: {shown}", style="dim")] if names else []


def _undecided(report: Report) -> list[str]:
    """Say why the first few verdicts are undecided."""
    verdicts = [verdict for verdict in report.verdicts if verdict.outcome is Outcome.UNDECIDED]
    lines = [
        f"undecided: {words.verdict(one)}: {words.plain(one.reason)}" for one in verdicts[:_MOST_UNDECIDED]
    ]
    more = len(verdicts) - len(lines)
    return [*lines, f"undecided: {more} more; the report says why"] if more else lines


def _caveats(report: Report) -> list[str]:
    """Name the first few caveats, each analyzer's first ones first, and count what only the report says."""
    named = [one.caveats for one in report.analyses]
    told = [words.plain(line) for line in chain.from_iterable(zip_longest(*named)) if line is not None]
    shown = [f"note: {line}" for line in told[:_MOST_CAVEATS]]
    more = len(told) - len(shown) + sum(len(one.notes) for one in report.analyses)
    if not more:
        return shown
    counted = f"{more} {'more ' if shown else ''}{'note' if more == 1 else 'notes'} in the report"
    return [*shown, f"+ {counted}" if shown else counted]


def as_text(report: Report, folder: Path | None = None, width: int = 100) -> str:
    """Return the table as plain text without colours."""
    stream = StringIO()
    # In a notebook rich would show what is written here on its own, and leave the stream empty.
    console = Console(
        file=stream, width=width, no_color=True, force_terminal=False, force_jupyter=False, highlight=False
    )
    console.print(render(report, folder), crop=False)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def _title(report: Report) -> Text:
    subject = report.subject
    facts = (
        words.plain(view.source(report)) if view.source(report) != view.title(report) else "",
        f"{words.plain(subject.architecture)}, {subject.layers} layers",
        f"sha256 {subject.fingerprint[:8]}",
        f"seed {report.spec.seed}",
    )
    rest = "   ".join(fact for fact in facts if fact)
    return Text.assemble(
        f"biaskit {words.plain(report.tool_version)}   ",
        (words.plain(view.title(report)), "bold"),
        (f"   {rest}", "dim"),
    )


@dataclass(frozen=True, slots=True)
class _Panel:
    """A comparison as a table; on a narrow terminal the interval of the behaviour is left out."""

    panel: view.Panel

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Choose the form that fits."""
        wide = _panel(self.panel, wide=True)
        fits = (
            Measurement.get(console, options.update(max_width=_UNBOUNDED), wide).maximum <= options.max_width
        )
        yield wide if fits else _panel(self.panel, wide=False)


def _one_layer(panel: view.Panel) -> str:
    """Return the layer that all rows were read at, or nothing."""
    layers = {row.layer for row in panel.rows} - {""}
    return layers.pop() if len(layers) == 1 else ""


def _title_of(panel: view.Panel) -> Text:
    layer = _one_layer(panel)
    about = ", ".join(filter(None, (words.plain(panel.group or ""), layer and f"layer {layer}")))
    return Text.assemble((words.pair(panel.references), "bold"), f"   {about}")


def _panel(panel: view.Panel, *, wide: bool) -> Table:
    layer, title = _one_layer(panel), _title_of(panel)
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="", pad_edge=False)
    rows = [_cells(row, panel, wide=wide) for row in panel.rows]
    heads = _heads(panel, wide=wide)
    kept = [
        place
        for place, (head, _) in enumerate(heads)
        if any(row[place].plain for row in rows) and not (layer and head == _LAYER)
    ]
    for place in kept:
        head, justify = heads[place]
        table.add_column(head, justify=justify, no_wrap=place > 0, overflow="fold", min_width=place or 8)
    for row in rows:
        table.add_row(*(row[place] for place in kept))
    return table


def _heads(panel: view.Panel, *, wide: bool) -> tuple[tuple[str, JustifyMethod], ...]:
    """Return the columns; those that stay empty are left out of the table."""
    return (
        ("target", "left"),
        (_LAYER, "right"),
        (f"{panel.heading} [{words.unit_name(panel.unit)}]".replace(" []", ""), "left"),
        ("chance", "left"),
        ("behaviour", "left"),
        ("left after\nerasing" if wide else "left\nafter\nerasing", "right"),
        ("advisory\nverdict" if _all_advisory(panel) else "verdict", "left"),
    )


def _all_advisory(panel: view.Panel) -> bool:
    return all(row.advisory for row in panel.rows)


def _cells(row: view.Row, panel: view.Panel, *, wide: bool) -> tuple[Text, ...]:
    score, behaviour, erasure = (row.estimate(part) for part in (panel.main, "behaviour", "erasure"))
    if panel.standing(row) is Standing.SLIGHT:
        erasure = None
    return (
        Text(words.plain(row.target), style="bold"),
        Text(row.layer),
        Text(_short(score)),
        Text(words.chance(score) if score else "", style="dim"),
        Text(_short(behaviour, wide=wide)),
        Text(words.number(erasure.value, erasure.unit) if erasure else ""),
        _mark(row, panel),
    )


def _mark(row: view.Row, panel: view.Panel) -> Text:
    """Write the outcome; an advisory one is written small, and in brackets beside those that count."""
    if row.outcome is None:
        return Text("")
    mark = _MARKS[row.outcome]
    if not row.advisory:
        return Text(mark, style=_STYLES[row.outcome])
    style = "yellow" if row.outcome is Outcome.FAIL else _STYLES[row.outcome]
    return Text(mark.lower() if _all_advisory(panel) else f"({mark.lower()})", style=style)


def _short(estimate: Estimate | None, *, wide: bool = True) -> str:
    if estimate is None:
        return ""
    if estimate.value is None:
        return "not measured"
    number = f"{words.estimate(estimate):>5}"
    return f"{number} {words.interval(estimate)}" if wide else number


def _section(section: Section) -> Iterator[RenderableType]:
    """Yield what an analyzer says, its headline numbers, and how many the terminal leaves out."""
    yield Text(words.plain(section.analysis.analyzer), style="bold")
    first, rest = section.parted
    yield from (Padding(Text(words.plain(sentence)), (0, 0, 0, 2)) for sentence in first)
    if section.effects:
        yield _Effects(section.effects)
    yield from (Padding(Text(words.plain(sentence)), (0, 0, 0, 2)) for sentence in rest)
    shown, held = section.headline[:_MOST_NUMBERS], len(section.headline) + len(section.others)
    if shown:
        yield _numbers(shown)
    more = held - len(shown)
    if more:
        yield Text(
            f"{'and ' if shown else ''}{more:,} {'more' if shown else 'numbers'} in the report", style="dim"
        )
    sheets = len(section.analysis.sheets)
    if sheets:
        yield Text(f"{sheets} contact sheet{'s' if sheets > 1 else ''} in the page", style="dim")


@dataclass(frozen=True, slots=True)
class _Effects:
    """What a remedy did, as a table; on a narrow terminal only changes keep their interval."""

    rows: Sequence[Effect]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Choose the form that fits."""
        wide = self._table(intervals=True)
        needed = Measurement.get(console, options.update(max_width=_UNBOUNDED), wide).maximum
        yield wide if needed <= options.max_width else self._table(intervals=False)

    def _table(self, *, intervals: bool) -> Table:
        made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for place, head in enumerate(HEAD):
            made.add_column(head, overflow="fold", no_wrap=place > 0)
        for row in self.rows:
            made.add_row(*map(Text, row.cells(intervals=intervals)))
        return made


def _numbers(findings: Sequence[Finding]) -> Table:
    rows = [
        (
            words.about(one),
            words.measure(one),
            str(one.site or ""),
            words.bare(one.estimate),
            words.chance(one.estimate),
        )
        for one in findings
    ]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    heads = ("about", "metric", "site", "number", "chance")
    kept = [place for place, _ in enumerate(heads) if any(row[place] for row in rows)]
    for place in kept:
        whole = heads[place] in _WHOLE and max(len(row[place]) for row in rows) <= _WIDEST
        least = max(len(row[place].partition("]")[0]) + 1 for row in rows) if heads[place] == "number" else 0
        table.add_column(heads[place], overflow="fold", no_wrap=whole, min_width=min(least, _WIDEST) or None)
    for row in rows:
        table.add_row(*(Text(row[place]) for place in kept))
    return table


def last_line(report: Report, folder: Path | None) -> Text:
    """Return the verdict line with the time it took and where the report stands, as one line."""
    parts = (_verdict(report), Text("  ·  "), _after(report, folder))
    return Text.assemble(*parts, no_wrap=True, overflow="ignore")


def _verdict(report: Report) -> Text:
    return Text(headline(report), style=_TONES.get(view.tone(report), ""))


def _after(report: Report, folder: Path | None) -> Text:
    """Say what the run took, how it ended if not well, and where the report stands."""
    parts = [(words.duration(report.run.duration_s), "dim")]
    if report.run.status is not Status.COMPLETE:
        parts.append((f"  ·  {words.STATUS_WORDS[report.run.status]}", "yellow"))
    if folder is not None:
        parts.append((f"  ·  report: {folder / 'report.html'}", ""))
    return Text.assemble(*parts, no_wrap=True, overflow="ignore")
