"""Numbers computed again, or paired, from the rows that a run keeps behind them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from biaskit.records.finding import Statistic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from biaskit.records.finding import Analysis, Finding, FromRows
    from biaskit.records.table import Cell

Unit = tuple["Cell", ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One row behind a number: its unit, value, cell beside it, and the part it is taken apart into."""

    unit: Unit
    value: float
    beside: Cell = None
    apart: Cell = None


def rows_of(analysis: Analysis, finding: Finding) -> list[Row] | str:
    """Return the rows behind a finding, or why they cannot be had.

    Rows without a value are left out, as they are of a mean.
    """
    source = finding.rows
    if source is None:
        return finding.unkept or "its measurements are not kept"
    table = next((one for one in analysis.tables if one.name == source.table), None)
    if table is None:
        return f"its table '{source.table}' is not in the run"
    names = {column.name: place for place, column in enumerate(table.columns)}
    further = [name for name in (source.less, source.beside, source.apart) if name]
    if missing := [n for n in (*source.where, *source.units, source.column, *further) if n not in names]:
        return f"its table '{source.table}' has no column '{missing[0]}'"
    wanted = [
        (names[name], cell if isinstance(cell, tuple) else (cell,)) for name, cell in source.where.items()
    ]
    kept = [row for row in table.rows if all(row[place] in cells for place, cells in wanted)]
    return list(_read(kept, source, names)) or f"its table '{table.name}' has no such row"


def _read(rows: Iterable[Sequence[Cell]], source: FromRows, names: Mapping[str, int]) -> Iterator[Row]:
    for row in rows:
        value, less = row[names[source.column]], row[names[source.less]] if source.less else 0.0
        if not isinstance(value, bool | int | float) or not isinstance(less, bool | int | float):
            continue
        unit = tuple(row[names[name]] for name in source.units)
        beside, apart = (row[names[name]] if name else None for name in (source.beside, source.apart))
        yield Row(unit, float(value) - float(less), beside, apart)


def measurements(analysis: Analysis, finding: Finding) -> list[tuple[Unit, float]] | str:
    """Return the unit and the value of each row that a finding is the mean of, or why they cannot be had."""
    source = finding.rows
    if source is not None and (source.statistic is not Statistic.MEAN or source.apart):
        return "it is no mean of its rows"
    rows = rows_of(analysis, finding)
    return rows if isinstance(rows, str) else [(row.unit, row.value) for row in rows]


def mean(values: Sequence[float]) -> float:
    """Return the mean, summed without rounding on the way."""
    return math.fsum(values) / len(values)


def error_of_mean(rows: Sequence[tuple[Unit, float]]) -> tuple[float, float] | None:
    """Return standard error of the mean and its degrees of freedom; None where one unit stands alone.

    Where one column alone puts rows together, such as clusters of items, they may differ in size and the
    jackknife is used; see `clustered_error` for crossed columns.
    """
    units = [{unit[way] for unit, _ in rows} for way in range(len(rows[0][0]))]
    coarse = [way for way, known in enumerate(units) if 1 < len(known) < len(rows)]
    if len(coarse) != 1:
        return clustered_error(rows)
    return jackknifed_mean([value for _, value in rows], [unit[coarse[0]] for unit, _ in rows])[1:]


def jackknifed_mean(values: Sequence[float], clusters: Sequence[Cell]) -> tuple[float, float, float]:
    """Return mean, standard error and degrees of freedom; see `biaskit.stats.unequal_clusters`."""
    own: dict[Cell, list[float]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        own.setdefault(cluster, []).append(value)
    whole, count = math.fsum(values), len(values)
    left = [(whole - math.fsum(part)) / (count - len(part)) - whole / count for part in own.values()]
    return whole / count, jackknife_error(left), max(1.0, effective_clusters(map(len, own.values())) - 1)


def jackknife_error(left: Sequence[float]) -> float:
    """Return the standard error from how far the number moves with each of k clusters left out."""
    return math.sqrt((len(left) - 1) / len(left) * math.fsum(one * one for one in left))


def effective_clusters(sizes: Iterable[int]) -> float:
    """Return how many equal clusters weigh a mean as these do, `(sum n)^2 / sum n^2` (Kish 1965)."""
    known = list(sizes)
    return float(sum(known) ** 2 / sum(size * size for size in known))


def clustered_error(rows: Sequence[tuple[Unit, float]]) -> tuple[float, int] | None:
    """Return standard error of the mean and its degrees of freedom; None where one unit stands alone.

    Rows vary with the units of each column that names some, such as templates and fillers: with two columns
    `V_first + V_second - V_rows` (Cameron, Gelbach and Miller 2011), no less than the larger of the first
    two, each `k / (k - 1)` times the sum of squares of its k clusters' centred sums. Degrees of freedom are
    those of the column with fewest units, less one; columns with one unit are left out.
    """
    middle, count = mean([value for _, value in rows]), len(rows)
    centred = [(unit, (value - middle) / count) for unit, value in rows]
    width = len(rows[0][0])
    ways = [way for way in range(width) if len({unit[way] for unit, _ in rows}) > 1]
    if width == 0:
        return (_sum_of_squares([part for _, part in centred]) ** 0.5, count - 1) if count > 1 else None
    if not ways:
        return None
    sizes = [len({unit[way] for unit, _ in rows}) for way in ways]
    parts = [_sum_of_squares(_by_cluster(centred, way)) for way in ways]
    both = sum(parts) - (len(parts) - 1) * _sum_of_squares([part for _, part in centred])
    return math.sqrt(max(both, *parts)), min(sizes) - 1


def _by_cluster(parts: Sequence[tuple[Unit, float]], way: int) -> list[float]:
    sums: dict[Cell, float] = {}
    for unit, part in parts:
        sums[unit[way]] = sums.get(unit[way], 0.0) + part
    return list(sums.values())


def _sum_of_squares(parts: Sequence[float]) -> float:
    return math.fsum(part * part for part in parts) * len(parts) / (len(parts) - 1)
