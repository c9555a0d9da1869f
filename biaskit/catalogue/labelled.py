"""Reads a user's own CSV file of labelled texts and says, by row and column, what is wrong with it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from biaskit.catalogue.reading import decoded, inside
from biaskit.errors import CatalogueError, UnknownNameError
from biaskit.records.labelled_texts import LabelledTexts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from biaskit.records.audit_spec import DataSpec

_MOST_ROWS = 8
_Table = dict[str, tuple[str, ...]]


def labelled_texts(spec: DataSpec, base: Path | None = None) -> LabelledTexts:
    """Read the file that a spec names, and the shifted one beside it, and check both.

    Rows are counted as a spreadsheet does: the header is row 1. Nothing is dropped or repaired; texts may
    stand there more than once.

    Args:
        spec: The file and its columns.
        base: Folder that paths are relative to and must not leave; None: the working folder, and any path.

    Raises:
        CatalogueError: A file is missing, not UTF-8, empty, ragged, or has columns or cells that cannot be
            used; the file, and the rows or columns, are named.
        UnknownNameError: A column or the positive label is not there; near names are given.
    """
    path = _place(spec.path, base)
    rows = _checked(path, spec)
    shifted = None if spec.shifted is None else _shifted(_place(spec.shifted, base), spec)
    found = _record(path, spec, rows, shifted)
    if shifted is not None:
        _labels_known(shifted, found)
    return found


def check_labels(data: LabelledTexts) -> LabelledTexts:
    """Check the texts and labels of data that did not come from a file; returns it.

    Raises:
        CatalogueError: A text is empty, or there is only one label.
        UnknownNameError: The positive label is not among the labels; near ones are given.
    """
    where = f"The data '{data.name}'"
    _texts_there(where, dict(enumerate(data.texts)))
    _labels_there(where, dict(enumerate(data.labels)))
    _labels_usable(where, data.labels, data.positive)
    for name, cells in (data.groups | data.attributes).items():
        _filled(where, name, cells)
    if data.shifted is not None:
        _labels_known(check_labels(data.shifted), data)
    return data


def _place(name: str, base: Path | None) -> Path:
    path = Path(name).expanduser() if base is None else inside(base, name)
    if path.is_file():
        return path
    if path.exists():
        raise CatalogueError(f"'{name}' is no file.", fix="Give the path of a CSV file.")
    beside = [entry.name for entry in path.parent.glob("*.csv")] if path.parent.is_dir() else []
    raise UnknownNameError("file", path.name, beside, fix=f"It is looked for in '{path.parent}'.")


def _shifted(path: Path, spec: DataSpec) -> LabelledTexts:
    return _record(path, spec, _checked(path, spec), None)


def _labels_known(shifted: LabelledTexts, main: LabelledTexts) -> None:
    unknown = sorted(set(shifted.labels) - set(main.labels))
    if unknown:
        fix = f"The shifted data '{shifted.name}' must use the labels of '{main.name}'."
        raise UnknownNameError("label", unknown[0], set(main.labels), fix=fix)


def _record(path: Path, spec: DataSpec, rows: _Table, shifted: LabelledTexts | None) -> LabelledTexts:
    return LabelledTexts(
        name=path.stem,
        texts=rows[spec.text],
        labels=rows[spec.label],
        positive=spec.positive,
        groups={name: rows[name] for name in spec.groups},
        attributes={name: rows[name] for name in spec.attributes},
        shifted=shifted,
    )


def _checked(path: Path, spec: DataSpec) -> _Table:
    """Return the columns that the spec names, white space around labels, groups and attributes taken off."""
    header, rows = _rows_of(path)
    wanted = (spec.text, spec.label, *spec.groups, *spec.attributes)
    _columns_there(path, header, wanted)
    table = {name: tuple(cells[header.index(name)] for cells in rows.values()) for name in wanted}
    table |= {name: tuple(map(str.strip, cells)) for name, cells in table.items() if name != spec.text}
    where = f"'{path}'"
    _texts_there(where, dict(zip(rows, table[spec.text], strict=True)))
    _labels_there(where, dict(zip(rows, table[spec.label], strict=True)))
    _labels_usable(where, table[spec.label], spec.positive)
    for name in (*spec.groups, *spec.attributes):
        _filled(where, name, table[name])
    return table


def _rows_of(path: Path) -> tuple[list[str], dict[int, list[str]]]:
    """Return the header and the rows by their number; blank lines are no rows."""
    lines = {number: cells for number, cells in enumerate(_lines(path), 1) if cells}
    if not lines:
        raise CatalogueError(f"'{path}' is empty.", fix="It needs a header and rows of texts and labels.")
    first = min(lines)
    header, rows = [name.strip() for name in lines[first]], {n: lines[n] for n in lines if n != first}
    if not rows:
        raise CatalogueError(f"'{path}' holds a header and no rows.", fix="Add rows of texts and labels.")
    if len(header) == 1 and (mark := next((mark for mark in ";\t|" if mark in header[0]), "")):
        raise CatalogueError(
            f"'{path}' has one column, '{header[0]}'.",
            why=f"Its cells seem to be parted by {mark!r}; in a CSV file commas part them.",
            fix="Save it with commas.",
        )
    ragged = [number for number, cells in rows.items() if len(cells) != len(header)]
    if ragged:
        raise CatalogueError(
            f"'{path}' has {len(header)} columns, and another number of cells in {_numbers(ragged)}.",
            fix='A text that holds a comma must stand in "double quotes".',
        )
    return header, rows


def _lines(path: Path) -> list[list[str]]:
    try:
        return list(csv.reader(io.StringIO(decoded(path), newline=""), strict=True))
    except csv.Error as error:
        raise CatalogueError(
            f"'{path}' is not a CSV file.",
            why=f"The reader says: {error}.",
            fix='A text with a comma, quote or line break stands in "double quotes", its own quotes doubled.',
        ) from error


def _columns_there(path: Path, header: Sequence[str], wanted: Iterable[str]) -> None:
    count = Counter(header)
    for name in wanted:
        if name not in count:
            fix = "Name the columns: --text-column, --label-column, --group-column, --attribute-column."
            raise UnknownNameError(f"column in '{path}'", name, filter(None, count), fix=fix)
        if count[name] > 1:
            raise CatalogueError(
                f"'{path}' has {count[name]} columns named '{name}'.",
                fix="Give each column a name of its own.",
            )


def _texts_there(where: str, texts: Mapping[int, str]) -> None:
    empty = [row for row, text in texts.items() if not text.strip()]
    if empty:
        raise CatalogueError(
            f"{where} has no text in {_numbers(empty)}.",
            why="A row that is left out silently would change what is measured.",
            fix="Fill in the texts, or take the rows out.",
        )


def _labels_there(where: str, labels: Mapping[int, str]) -> None:
    empty = [row for row, label in labels.items() if not label]
    if empty:
        raise CatalogueError(
            f"{where} has no label in {_numbers(empty)}.", fix="Fill in the labels, or take the rows out."
        )


def _labels_usable(where: str, labels: Sequence[str], positive: str | None) -> None:
    known = set(labels)
    if positive is not None and positive not in known:
        raise UnknownNameError("label", positive, known, fix=f"{where} does not hold it.")
    if len(known) == 1:
        raise CatalogueError(
            f"{where} has one label only, '{min(known)}'.",
            fix="Give rows of at least two labels, or name another column with --label-column.",
        )


def _filled(where: str, name: str, cells: Iterable[str]) -> None:
    if not any(cells):
        raise CatalogueError(
            f"{where} holds nothing in the column '{name}'.", fix="Fill the column in, or leave it out."
        )


def _numbers(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:_MOST_ROWS]))
    more = f" and {len(numbers) - _MOST_ROWS} more" if len(numbers) > _MOST_ROWS else ""
    return f"{'row' if len(numbers) == 1 else 'rows'} {shown}{more}"
