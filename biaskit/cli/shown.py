"""What verbs write to the terminal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from biaskit.reporting import terminal, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from biaskit.records.report import Report

_NARROWEST_FILE = 100


def console(*, stderr: bool = False) -> Console:
    """Return a console; what is not a terminal gets no colours, and lines wide enough for a table."""
    made = Console(stderr=stderr, highlight=False)
    if made.is_terminal or "COLUMNS" in os.environ:
        return made
    return Console(stderr=stderr, highlight=False, width=_NARROWEST_FILE)


def show(report: Report, folder: Path | None, *, quiet: bool = False, verbose: bool = False) -> None:
    """Write a report's table, or its last line alone, with the analyzers' notes if asked."""
    out = console()
    if quiet:
        out.print(terminal.last_line(report, folder), soft_wrap=True)
    elif out.is_terminal:
        out.print(terminal.render(report, folder), crop=False)
    else:
        click.echo(terminal.as_text(report, folder, out.width))
    if verbose:
        for analysis in report.analyses:
            for note in (*analysis.caveats, *analysis.notes, *analysis.limitations):
                line(f"{analysis.analyzer}: {note}", "dim")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a plain table whose cells are inert text."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text(words.plain(cell)) for cell in row))
    console().print(made)


def line(text: str, style: str = "") -> None:
    """Write one line of inert text."""
    console().print(Text(words.plain(text), style=style), soft_wrap=True)
