"""Every cell of every target, and what other numbers follow from, so that each can be computed again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxtyping import Float
from numpy import ndarray

from biaskit.records.finding import FromRows
from biaskit.records.table import Cell, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from biaskit.analyzers.biaslens.measured import Measured
    from biaskit.session import Comparison

NAME, UNITS = "cells", ("stem", "noun")
PARTS, ITEM = "parts", ("item",)
PART_COLUMNS = {
    "measure": "The metric, without the analyzer's name; of a latent with its number.",
    "target": "What it is about.",
    "pair": "The reference pair.",
    "reading": "Direction of reading.",
    "place": "Where in the model, and at which token.",
    "item": "The noun, stem, latent, fold, split, random direction or neutral text that the row is about.",
    "value": "What was measured.",
    "beside": "What it is held against: squares, a prediction or the value before; empty where nothing is.",
}
COLUMNS = {
    "measure": "`score` inside, `behaviour`, `patching`, or `embedding` of an encoder.",
    "target": "The target.",
    "pair": "The reference pair.",
    "reading": "Direction of reading; of an encoder, what was read.",
    "stem": "The stem, with its slot.",
    "noun": "The target's noun in it.",
    "value": "The cell less the mean of the neutral controls in its stem, in nats; `embedding` in cosine.",
}


def from_cells(measure: str, target: str, comparison: Comparison, measured: Measured) -> FromRows:
    """Say which rows a target's number is the mean of."""
    where: dict[str, Cell] = {"measure": measure, "target": target}
    where |= {"pair": comparison.pair.name, "reading": str(measured.reading)}
    return FromRows(table=NAME, column="value", where=where, units=UNITS)


def part_of(
    measure: str, target: str, comparison: Comparison, reading: str, place: object
) -> dict[str, Cell]:
    """Return the columns of `PARTS` that tell a number from others."""
    names = (measure, target, comparison.pair.name, reading, str(place))
    return dict(zip(PART_COLUMNS, names, strict=False))


def averaged(
    cells: Float[ndarray, "g n"], columns: Sequence[int], words: Sequence[str], stems: Sequence[str]
) -> tuple[Sequence[str], Float[ndarray, " k"]]:
    """Return some columns' cells averaged over stems, noun by noun; of a single noun they stay as they are.

    Returns:
        The nouns, or the stems, and their values; the mean of these is that of the cells.
    """
    own = cells[:, list(columns)]
    if len(columns) == 1:
        return stems, own[:, 0]
    return [words[column] for column in columns], own.mean(axis=0)


def part_rows(
    about: Mapping[str, Cell], items: Iterable[object], values: ndarray, beside: ndarray | None = None
) -> Iterator[tuple[Cell, ...]]:
    """Yield one row for each item of a number; `about` are the columns that tell it from others."""
    seconds = [None] * len(values) if beside is None else map(float, beside)
    for item, value, second in zip(items, map(float, values), seconds, strict=True):
        yield (*about.values(), str(item), value, second)


def cell_rows(
    measure: str, cells: Float[ndarray, "g n"], comparison: Comparison, measured: Measured
) -> Iterator[tuple[Cell, ...]]:
    """Yield one row for each stem and noun of each target."""
    for target, columns in measured.nouns.columns.items():
        about = (measure, target, comparison.pair.name, str(measured.reading))
        for row, stem in enumerate(measured.grid.stems):
            for column in columns:
                yield (*about, stem, measured.nouns.words[column], float(cells[row, column]))


def long_table(rows: Iterable[tuple[Cell, ...]]) -> Table:
    """Return the table of all cells."""
    return Table.of(NAME, "every target's cells", COLUMNS, rows)


def parts_table(rows: Iterable[tuple[Cell, ...]]) -> Table:
    """Return the table of what the numbers that are no mean of cells follow from."""
    return Table.of(PARTS, "what other numbers follow from", PART_COLUMNS, rows)
