"""Reads a user's own CSV file of labelled texts and says, by row and column, what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from biaskit.catalogue.reading import inside
from biaskit.catalogue.tables import columns_there, filled, numbers, rows_of
from biaskit.errors import CatalogueError, UnknownNameError
from biaskit.records.labelled_texts import LabelledTexts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from biaskit.records.audit_spec import DataSpec

_COLUMNS = "Name the columns: --text-column, --label-column, --group-column, --attribute-column."
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
        filled(where, name, cells)
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
    header, rows = rows_of(path)
    wanted = (spec.text, spec.label, *spec.groups, *spec.attributes)
    columns_there(path, header, wanted, _COLUMNS)
    table = {name: tuple(cells[header.index(name)] for cells in rows.values()) for name in wanted}
    table |= {name: tuple(map(str.strip, cells)) for name, cells in table.items() if name != spec.text}
    where = f"'{path}'"
    _texts_there(where, dict(zip(rows, table[spec.text], strict=True)))
    _labels_there(where, dict(zip(rows, table[spec.label], strict=True)))
    _labels_usable(where, table[spec.label], spec.positive)
    for name in (*spec.groups, *spec.attributes):
        filled(where, name, table[name])
    return table


def _texts_there(where: str, texts: Mapping[int, str]) -> None:
    empty = [row for row, text in texts.items() if not text.strip()]
    if empty:
        raise CatalogueError(
            f"{where} has no text in {numbers(empty)}.",
            why="A row that is left out silently would change what is measured.",
            fix="Fill in the texts, or take the rows out.",
        )


def _labels_there(where: str, labels: Mapping[int, str]) -> None:
    empty = [row for row, label in labels.items() if not label]
    if empty:
        raise CatalogueError(
            f"{where} has no label in {numbers(empty)}.", fix="Fill in the labels, or take the rows out."
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
