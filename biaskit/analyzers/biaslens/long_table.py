"""Every cell of every target as one row of a long-format table, so that each mean can be taken again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxtyping import Float
from numpy import ndarray

from biaskit.records.finding import FromRows
from biaskit.records.table import Cell, Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from biaskit.analyzers.biaslens.measured import Measured
    from biaskit.session import Comparison

NAME, UNITS = "cells", ("stem", "noun")
COLUMNS = {
    "measure": "`score` inside, `behaviour`, or `patching`.",
    "target": "The target.",
    "pair": "The reference pair.",
    "reading": "Direction of reading.",
    "stem": "The stem, with its slot.",
    "noun": "The target's noun in it.",
    "value": "The cell less the mean of the neutral controls in its stem, in nats.",
}


def from_cells(measure: str, target: str, comparison: Comparison, measured: Measured) -> FromRows:
    """Say which rows a target's number is the mean of."""
    where: dict[str, Cell] = {"measure": measure, "target": target}
    where |= {"pair": comparison.pair.name, "reading": str(measured.reading)}
    return FromRows(table=NAME, column="value", where=where, units=UNITS)


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
    """Return the table of all rows."""
    return Table(
        name=NAME,
        title="every target's cells",
        columns=tuple(Column(name=name, description=said) for name, said in COLUMNS.items()),
        rows=tuple(rows),
    )
