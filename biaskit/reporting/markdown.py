"""A report as Markdown, for a pull request or a job summary."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from biaskit.records.estimate import Unit
from biaskit.reporting import view, words
from biaskit.reporting.effects import HEAD
from biaskit.reporting.headline import headline
from biaskit.reporting.sections import sections
from biaskit.reporting.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from biaskit.records.calibration import Calibration
    from biaskit.records.contact_sheet import ContactSheet
    from biaskit.records.finding import Finding
    from biaskit.records.report import Report
    from biaskit.reporting import dots
    from biaskit.reporting.sections import Section

_MARKUP = re.compile(r"([\\`*_\[\]#|~])")
_MOST_NUMBERS = 30
_NUMBER_HEAD = ("concept", "number", "site", "group", "value", "chance", "n")
_BREAK = "\N{ZERO WIDTH SPACE}"


def render(report: Report) -> str:
    """Return conflicts, the verdict line, a table for each comparison and analyzer, gates, gaps."""
    subject = report.subject
    blocks = [
        f"# biaskit: {escape(view.title(report))}",
        *(f"> **Conflict.** {escape(conflict)}" for conflict in report.conflicts),
        f"**{escape(headline(report))}**",
        escape(
            f"{subject.source}, {subject.architecture}, sha256 {subject.fingerprint[:12]}, "
            f"{report.run.started_at:%Y-%m-%d}, seed {report.spec.seed}, "
            f"run {words.STATUS_WORDS[report.run.status]}"
        ),
        *(_panel(panel) for panel in view.panels(report)),
        *(_section(section) for section in sections(report)),
        gates(report),
        bullets("Notes", [line for analysis in report.analyses for line in analysis.caveats]),
        bullets("Calibration", [cited(one) for one in report.calibrations]),
        bullets("Not measured", report.not_measured),
        bullets("Limits", [line for analysis in report.analyses for line in analysis.limitations]),
        _reproduce(report),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def cited(calibration: Calibration) -> str:
    """Write what a calibration found, with its date, profile and digest."""
    day, version = f"{calibration.created_at:%Y-%m-%d}", calibration.tool_version
    made = f"{day}, profile {calibration.profile}, biaskit {version}"
    return f"{calibration.sentence} ({made}, sha256 {calibration.digest[:12]})"


def escape(text: str) -> str:
    """Make a text inert in Markdown: no markup, no link, no mention, no HTML, one line."""
    escaped = _MARKUP.sub(r"\\\1", html.escape(words.plain(text), quote=False))
    return escaped.replace("@", f"@{_BREAK}").replace("://", f":{_BREAK}//")


def _panel(panel: view.Panel) -> str:
    heading = f"## {escape(words.pair(panel.references))}"
    if panel.group:
        heading += f", {escape(panel.group)}"
    head = ("target", "layer", panel.heading, "chance", "behaviour", "left after erasing", "verdict")
    return f"{heading}\n\n{table(head, (_cells(row, panel) for row in panel.rows))}"


def _section(section: Section) -> str:
    """Write what an analyzer says, its headline numbers, and how many are left out."""
    shown = section.headline[:_MOST_NUMBERS]
    first, rest = section.parted
    more = len(section.headline) + len(section.others) - len(shown)
    blocks = (
        f"## {escape(section.analysis.analyzer)}",
        _bulleted(first),
        table(HEAD, (one.cells() for one in section.effects)) if section.effects else "",
        _bulleted(rest),
        table(_NUMBER_HEAD, map(_number, shown)) if shown else "",
        *(_groups(plot) for plot in section.dots),
        *(_sheet(sheet) for sheet in section.analysis.sheets),
        f"{'And ' if shown else ''}{more:,} {'more' if shown else 'numbers'} in the report." if more else "",
    )
    return "\n\n".join(block for block in blocks if block)


def _bulleted(lines: Iterable[str]) -> str:
    return "\n".join(f"- {escape(line)}" for line in lines)


def _groups(plot: dots.Plot) -> str:
    rows = ((row.name, *plot.cells(row), f"{row.n:,}") for row in plot.plot.rows)
    return f"### {escape(plot.plot.title)}\n\n{table(('group', *plot.plot.series, 'n'), rows)}"


def _sheet(sheet: ContactSheet) -> str:
    rows = (
        (tile.name, tile.label, tile.prediction, words.number(tile.confidence, Unit.PROPORTION), tile.remark)
        for tile in sheet.tiles
    )
    head = ("image", "label", "taken for", "confidence", "")
    return f"### {escape(sheet.title)}\n\n{table(head, rows)}"


def _number(finding: Finding) -> tuple[str, ...]:
    about = (" / ".join(finding.concepts), words.pair(finding.references))
    return (
        ", ".join(part for part in about if part),
        words.measure(finding),
        str(finding.site or ""),
        finding.group or "",
        words.bare(finding.estimate),
        words.chance(finding.estimate),
        f"{finding.estimate.n:,}",
    )


def _cells(row: view.Row, panel: view.Panel) -> tuple[str, ...]:
    score, behaviour, erasure = (row.estimate(part) for part in (panel.main, "behaviour", "erasure"))
    slight = panel.standing(row) is Standing.SLIGHT
    return (
        row.target,
        row.layer,
        words.whole(score) if score else "",
        Standing.SLIGHT if slight else words.chance(score) if score else "",
        words.whole(behaviour) if behaviour else "",
        words.number(erasure.value, erasure.unit) if erasure else "",
        _outcome(row),
    )


def _outcome(row: view.Row) -> str:
    if row.outcome is None:
        return ""
    return f"{words.OUTCOME_WORDS[row.outcome]}{' (advisory)' if row.advisory else ''}"


def headline_numbers(report: Report, most: int = _MOST_NUMBERS) -> str:
    """Write the headline numbers with what they are about, their interval, chance and sample size."""
    shown = [one for one in report.findings() if one.headline]
    if not shown:
        return ""
    left = len(shown) - most
    more = f"\n\nAnd {left:,} more in the report." if left > 0 else ""
    return f"{table(_NUMBER_HEAD, map(_number, shown[:most]))}{more}"


def gates(report: Report) -> str:
    """Write every verdict under a heading; nothing where no gate was declared."""
    rows = [
        (
            one.gate,
            f"{words.OUTCOME_WORDS[one.outcome]}{' (advisory)' if one.advisory else ''}",
            one.concept,
            words.pair(one.references),
            one.group or "",
            one.reason,
        )
        for one in report.verdicts
    ]
    return f"## Gates\n\n{table(('gate', 'verdict', 'target', 'pair', 'group', 'why'), rows)}" if rows else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table whose cells are inert text."""
    lines = [head, ["---"] * len(head)]
    body = [[escape(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (*lines, *body))


def bullets(heading: str, lines: Iterable[str], level: int = 2) -> str:
    """Write a list under a heading; nothing where there is no line."""
    body = _bulleted(lines)
    return f"{'#' * level} {heading}\n\n{body}" if body else ""


def _reproduce(report: Report) -> str:
    if not report.run.command:
        return ""
    indented = f"    {words.plain(report.run.command)}"
    return f"## Reproduce\n\n{indented}"
