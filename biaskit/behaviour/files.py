"""Reads the files that benchmarks are published in and says, by row and column, what is wrong with them."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from biaskit.catalogue.reading import decoded
from biaskit.catalogue.tables import columns_there, numbers, rows_of
from biaskit.errors import RequestError, UnknownNameError
from biaskit.records.base import Record, first_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

_Made = TypeVar("_Made", bound=Record)
_WHOLE = ".toml"
"""A file of this ending holds one thing, and no rows."""
_FIX = "Give the file as it is published, or one with its columns."


def csv_rows(path: Path, columns: Sequence[str]) -> dict[int, dict[str, str]]:
    """Return the rows of a CSV file by their number; the header is row 1.

    Raises:
        CatalogueError: It is no CSV file, empty or ragged.
        UnknownNameError: One of `columns` is not there.
    """
    header, rows = rows_of(path)
    columns_there(path, header, columns, _FIX)
    return {number: dict(zip(header, cells, strict=True)) for number, cells in rows.items()}


def tab_rows(path: Path, columns: Sequence[str]) -> dict[int, dict[str, str]]:
    """Return the rows of a file whose cells are parted by tabs, by their number; the header is row 1.

    Raises:
        RequestError: A row has another number of cells than the header, or there is no row.
        UnknownNameError: One of `columns` is not there.
    """
    lines = list(csv.reader(io.StringIO(decoded(path), newline=""), delimiter="\t", quoting=csv.QUOTE_NONE))
    known = {number: cells for number, cells in enumerate(lines, 1) if any(cells)}
    if len(known) < 2:
        raise RequestError(f"'{path}' holds no rows.", fix=_FIX)
    first, *others = known
    header = [name.strip() for name in known[first]]
    columns_there(path, header, columns, _FIX)
    ragged = [number for number in others if len(known[number]) != len(header)]
    if ragged:
        raise RequestError(
            f"'{path}' has {len(header)} columns, and another number of cells in {numbers(ragged)}."
        )
    return {number: dict(zip(header, known[number], strict=True)) for number in others}


def json_lines(path: Path) -> dict[int, dict[str, Any]]:
    """Return the objects of a file with one JSON object a line, by the number of the line.

    Raises:
        RequestError: A line is no JSON object, or there is none.
    """
    found: dict[int, dict[str, Any]] = {}
    for number, line in enumerate(decoded(path).split("\n"), 1):
        if line.strip():
            value = _json(path, line, f"line {number} of ")
            if not isinstance(value, dict):
                raise RequestError(f"Line {number} of '{path}' is no JSON object.", why=f"{value!r:.60}")
            found[number] = value
    if not found:
        raise RequestError(f"'{path}' holds no rows.", fix=_FIX)
    return found


def document(path: Path) -> Any:
    """Return the content of a JSON or TOML file.

    Raises:
        RequestError: It is not well-formed.
    """
    if path.suffix != ".toml":
        return _json(path, decoded(path), "")
    try:
        return tomllib.loads(decoded(path))
    except tomllib.TOMLDecodeError as error:
        raise RequestError(f"'{path}' is not well-formed.", why=str(error)) from error


def records(
    path: Path, rows: dict[int, dict[str, Any]], make: Callable[[dict[str, Any]], _Made]
) -> tuple[_Made, ...]:
    """Make a record of each row.

    Raises:
        RequestError: A row cannot be one; its number and what is wrong are told.
    """
    return tuple(_made(path, number, row, make) for number, row in rows.items())


def _made(path: Path, number: int, row: dict[str, Any], make: Callable[[dict[str, Any]], _Made]) -> _Made:
    try:
        return make(row)
    except ValidationError as error:
        why = first_problem(error)
        cause: Exception = error
    except RequestError as error:
        why, cause = " ".join(filter(None, (error.what, error.why))), error
    except KeyError as error:
        why, cause = f"It lacks the field '{error.args[0]}'.", error
    except (TypeError, AttributeError, IndexError) as error:
        why, cause = f"A field holds something else than it must: {error}.", error
    if path.suffix == _WHOLE:
        raise RequestError(f"'{path}' cannot be used.", why=why) from cause
    raise RequestError(f"Row {number} of '{path}' cannot be used.", why=why, fix=_FIX) from cause


def one_of(path: Path, kind: str, values: Iterable[str], known: Sequence[str]) -> None:
    """Refuse a value that is not known.

    Raises:
        UnknownNameError: A value is not among `known`; near ones are given.
    """
    for value in values:
        if value not in known:
            raise UnknownNameError(f"{kind} in '{path}'", value, known)


def terms(path: Path) -> tuple[str, ...]:
    """Read a lexicon: one term a line, or a table by tabs with the column `lemma`.

    Raises:
        RequestError: It holds no term.
    """
    text = decoded(path)
    if "lemma" in text.partition("\n")[0].split("\t"):
        found = [row["lemma"] for row in tab_rows(path, ("lemma",)).values()]
    else:
        found = text.split("\n")
    kept = tuple(dict.fromkeys(term.strip().lower() for term in found if term.strip()))
    if not kept:
        raise RequestError(f"The lexicon '{path}' holds no term.", fix="Write one term a line.")
    return kept


def _json(path: Path, text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise RequestError(
            f"{where.capitalize()}'{path}' is not well-formed JSON.", why=str(error)
        ) from error
