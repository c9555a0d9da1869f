"""Reads labelled texts, from a CSV file or a data frame, and says by row and column what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from biaskit.catalogue.audit_files import inside
from biaskit.catalogue.classes import few_classes
from biaskit.catalogue.frames import Frame, frame_rows
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
            used, such as numbers on a scale as labels; the file, and the rows or columns, are named.
        UnknownNameError: A column or the positive label is not there; near names are given.
    """
    path = _place(spec.path, base)
    found = _read(path, spec)
    few_classes(f"'{path}'", found)
    return found if spec.shifted is None else _beside(found, _read(_place(spec.shifted, base), spec))


def labelled_frame(frame: Frame, spec: DataSpec, shifted: Frame | str | Path | None = None) -> LabelledTexts:
    """Take labelled texts from a data frame, such as pandas's, with the columns that a spec names.

    Cells count as their text, missing ones as empty; rows are counted from 0.

    Args:
        frame: The data frame.
        spec: The columns; its path is the name of the data.
        shifted: A paired test set from elsewhere, as a data frame or a file.

    Raises:
        CatalogueError: It has no rows, or columns or cells that cannot be used.
        UnknownNameError: A column or the positive label is not there; near names are given.
    """
    name = spec.path
    found = _record(name, spec, _checked(name, frame_rows(frame), spec))
    few_classes(f"'{name}'", found)
    if shifted is None:
        return found
    if isinstance(shifted, str | Path):
        return _beside(found, _read(_place(str(shifted), None), spec))
    elsewhere = f"{name}-shifted"
    return _beside(found, _record(elsewhere, spec, _checked(elsewhere, frame_rows(shifted), spec)))


def rows_by_text(spec: DataSpec, base: Path | None = None) -> dict[str, int]:
    """Return the first row of each text in the file that a spec names; the header is row 1.

    Raises:
        CatalogueError: The file cannot be read.
        UnknownNameError: The file or the column is not there.
    """
    path = _place(spec.path, base)
    header, rows = rows_of(path)
    columns_there(path, header, (spec.text,), _COLUMNS)
    place = header.index(spec.text)
    found: dict[str, int] = {}
    for number, cells in rows.items():
        found.setdefault(cells[place], number)
    return found


def check_labels(data: LabelledTexts) -> LabelledTexts:
    """Check the texts and labels of data that did not come from a file; returns it.

    Raises:
        CatalogueError: A text is empty, there is only one label, or the labels are no classes.
        UnknownNameError: The positive label is not among the labels; near ones are given.
    """
    few_classes(f"The data '{data.name}'", _cells_checked(data))
    if data.shifted is not None:
        _labels_known(_cells_checked(data.shifted), data)
    return data


def _cells_checked(data: LabelledTexts) -> LabelledTexts:
    where = f"The data '{data.name}'"
    _texts_there(where, dict(enumerate(data.texts)))
    _labels_there(where, dict(enumerate(data.labels)))
    _labels_usable(where, data.labels, data.positive)
    for name, cells in (data.groups | data.attributes).items():
        filled(where, name, cells)
    return data


def _place(name: str, base: Path | None) -> Path:
    path = Path(name).expanduser() if base is None else inside(base, name)
    if path.is_file():
        return path
    if path.exists():
        raise CatalogueError(f"'{name}' is no file.", fix="Give the path of a CSV file.")
    beside = [entry.name for entry in path.parent.glob("*.csv")] if path.parent.is_dir() else []
    raise UnknownNameError("file", path.name, beside, fix=f"It is looked for in '{path.parent}'.")


def _read(path: Path, spec: DataSpec) -> LabelledTexts:
    return _record(path.stem, spec, _checked(path, rows_of(path), spec))


def _beside(found: LabelledTexts, shifted: LabelledTexts) -> LabelledTexts:
    _labels_known(shifted, found)
    return found.model_copy(update={"shifted": shifted})


def _labels_known(shifted: LabelledTexts, main: LabelledTexts) -> None:
    unknown = sorted(set(shifted.labels) - set(main.labels))
    if unknown:
        fix = f"The shifted data '{shifted.name}' must use the labels of '{main.name}'."
        raise UnknownNameError("label", unknown[0], set(main.labels), fix=fix)


def _record(name: str, spec: DataSpec, rows: _Table) -> LabelledTexts:
    return LabelledTexts(
        name=name,
        texts=rows[spec.text],
        labels=rows[spec.label],
        positive=spec.positive,
        groups={column: rows[column] for column in spec.groups},
        attributes={column: rows[column] for column in spec.attributes},
    )


def _checked(place: Path | str, read: tuple[list[str], dict[int, list[str]]], spec: DataSpec) -> _Table:
    """Return the columns that the spec names, white space around labels, groups and attributes taken off."""
    header, rows = read
    wanted = (spec.text, spec.label, *spec.groups, *spec.attributes)
    columns_there(place, header, wanted, _COLUMNS)
    table = {name: tuple(cells[header.index(name)] for cells in rows.values()) for name in wanted}
    table |= {name: tuple(map(str.strip, cells)) for name, cells in table.items() if name != spec.text}
    where = f"'{place}'"
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
