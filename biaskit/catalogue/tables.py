"""Reads a user's own CSV file and says, by row and column, what is wrong with it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import TYPE_CHECKING

from biaskit.catalogue.reading import decoded
from biaskit.errors import CatalogueError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_MOST_ROWS = 8


def rows_of(path: Path) -> tuple[list[str], dict[int, list[str]]]:
    """Return the header of a CSV file and its rows by their number; blank lines are no rows.

    Raises:
        CatalogueError: It is not UTF-8, no CSV file, empty or ragged; the rows are named.
    """
    lines = {number: cells for number, cells in enumerate(_lines(path), 1) if cells}
    if not lines:
        raise CatalogueError(f"'{path}' is empty.", fix="It needs a header and rows.")
    first = min(lines)
    header, rows = [name.strip() for name in lines[first]], {n: lines[n] for n in lines if n != first}
    if not rows:
        raise CatalogueError(f"'{path}' holds a header and no rows.", fix="Add rows.")
    if len(header) == 1 and (mark := next((mark for mark in ";\t|" if mark in header[0]), "")):
        raise CatalogueError(
            f"'{path}' has one column, '{header[0]}'.",
            why=f"Its cells seem to be parted by {mark!r}; in a CSV file commas part them.",
            fix="Save it with commas.",
        )
    ragged = [number for number, cells in rows.items() if len(cells) != len(header)]
    if ragged:
        raise CatalogueError(
            f"'{path}' has {len(header)} columns, and another number of cells in {numbers(ragged)}.",
            fix='A text that holds a comma must stand in "double quotes".',
        )
    return header, rows


def columns_there(path: Path | str, header: Sequence[str], wanted: Iterable[str], fix: str) -> None:
    """Refuse a header that lacks one of the `wanted` columns or has it more than once.

    Raises:
        UnknownNameError: A column is not there; near names are given, and `fix` says what to do.
        CatalogueError: Two columns have one name.
    """
    count = Counter(header)
    for name in wanted:
        if name not in count:
            raise UnknownNameError(f"column in '{path}'", name, filter(None, count), fix=fix)
        if count[name] > 1:
            raise CatalogueError(
                f"'{path}' has {count[name]} columns named '{name}'.",
                fix="Give each column a name of its own.",
            )


def filled(where: str, name: str, cells: Iterable[str]) -> None:
    """Refuse a column that holds nothing.

    Raises:
        CatalogueError: Every cell is empty.
    """
    if not any(cells):
        raise CatalogueError(
            f"{where} holds nothing in the column '{name}'.", fix="Fill the column in, or leave it out."
        )


def numbers(rows: Sequence[int]) -> str:
    """Return `row 3`, or `rows 3, 5 and 12 more`."""
    shown = ", ".join(map(str, rows[:_MOST_ROWS]))
    more = f" and {len(rows) - _MOST_ROWS} more" if len(rows) > _MOST_ROWS else ""
    return f"{'row' if len(rows) == 1 else 'rows'} {shown}{more}"


def _lines(path: Path) -> list[list[str]]:
    try:
        return list(csv.reader(io.StringIO(decoded(path), newline=""), strict=True))
    except csv.Error as error:
        raise CatalogueError(
            f"'{path}' is not a CSV file.",
            why=f"The reader says: {error}.",
            fix='A text with a comma, quote or line break stands in "double quotes", its own quotes doubled.',
        ) from error
