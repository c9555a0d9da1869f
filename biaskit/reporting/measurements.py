"""Tables of single measurements as CSV files, and what each file of a run is called."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from biaskit.records.report import Report
    from biaskit.records.table import Cell, Table

FOLDER = "tables"

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Lines(list[str]):
    """Rows as the csv module writes them, each ended by a line feed alone."""

    def write(self, row: str) -> None:
        """Take one row; the module quotes both marks of a line's end only where both end its rows."""
        self.append(row.removesuffix("\r\n") + "\n")


def as_csv(table: Table) -> str:
    """Return a table as CSV (RFC 4180 with line feeds): a head, then one line a row.

    A missing cell is empty; numbers are written so that they read back as the same number; a text that a
    spreadsheet would take for a formula gets an apostrophe in front.
    """
    return lines_of([column.name for column in table.columns], table.rows)


def lines_of(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a head and rows as CSV, as `as_csv` describes it."""
    lines = _Lines()
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([_inert(cell) for cell in row] for row in rows)
    return "".join(lines)


def _inert(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def files(report: Report) -> dict[str, Table]:
    """Return every table under the path of its file in the run folder, `tables/<analyzer>.<table>.csv`.

    Where two tables would have the same file, the later one is numbered.
    """
    return {name: table for named in by_analysis(report) for name, table in named.items()}


def by_analysis(report: Report) -> tuple[dict[str, Table], ...]:
    """Return, for each analysis, its tables under the paths of their files."""
    taken: set[str] = set()
    return tuple(
        {_free(analysis.analyzer, table.name, taken): table for table in analysis.tables}
        for analysis in report.analyses
    )


def _free(analyzer: str, table: str, taken: set[str]) -> str:
    """Return a path that no table has yet, and take it."""
    for name in _names(analyzer, table):
        # Some file systems do not tell upper from lower case.
        if name.lower() not in taken:
            break
    taken.add(name.lower())
    return name


def _names(analyzer: str, table: str) -> Iterator[str]:
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", analyzer).strip(".-")[:80] or "analyzer"
    yield f"{FOLDER}/{safe}.{table}.csv"
    count = 2
    while True:
        yield f"{FOLDER}/{safe}.{table}.{count}.csv"
        count += 1
