"""Numbers computed again from the rows that a run keeps behind them, with the standard library alone."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, TypeGuard

from biaskit.gates.over_groups import (
    cramers_v,
    distance,
    distance_squared,
    effective_number,
    fall,
    inequality,
    means_of,
    overlap,
)
from biaskit.gates.rows import mean, rows_of
from biaskit.records.finding import Statistic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from biaskit.gates.rows import Row
    from biaskit.records.finding import Analysis, Finding, FromRows
    from biaskit.records.table import Cell


ROUNDING = 1e-12
"""What a mean over rows may fall short of 0 by, and still reach it."""


def recomputed(analysis: Analysis, finding: Finding) -> float | str:
    """Return a finding's value computed again from its rows, or why it cannot be.

    Rows without a value, or without the number that stands beside it, are left out.
    """
    rows = rows_of(analysis, finding)
    if isinstance(rows, str) or finding.rows is None:
        return str(rows)
    try:
        return number(rows, finding.rows)
    except (ZeroDivisionError, statistics.StatisticsError, ValueError):
        return f"its rows have no {finding.rows.statistic.value.replace('_', ' ')}"


def number(rows: Sequence[Row], source: FromRows) -> float:
    """Return the number that follows from rows as `source` says.

    Raises:
        ValueError: They do not define it; `ZeroDivisionError` and `StatisticsError` say so too.
    """
    statistic = _STATISTICS[source.statistic]
    if not source.apart:
        return statistic(rows)
    first, second = ([row for row in rows if row.apart is side] for side in (False, True))
    return statistic(first) - statistic(second)


def _values(rows: Sequence[Row]) -> list[float]:
    return [row.value for row in rows]


def _over_means(compare: Callable[[Sequence[float]], float]) -> Callable[[Sequence[Row]], float]:
    def compared(rows: Sequence[Row]) -> float:
        return compare(list(means_of(rows).values()))

    return compared


def _gap(values: Sequence[float]) -> float:
    return max(values) - min(values)


def _ratio(values: Sequence[float]) -> float:
    return min(values) / max(values)


def _threshold(rows: Sequence[Row]) -> float:
    return min(float(at) for at, middle in means_of(rows).items() if middle >= -ROUNDING and _is_number(at))


def _parts(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    """Return the values where the cell beside is false, and where it is true."""
    return [row.value for row in rows if row.beside is False], [
        row.value for row in rows if row.beside is True
    ]


def _step(rows: Sequence[Row]) -> float:
    first, second = _parts(rows)
    return mean(first) - mean(second)


def _effect(rows: Sequence[Row]) -> float:
    return _step(rows) / statistics.stdev(_values(rows))


def _pooled_effect(rows: Sequence[Row]) -> float:
    squares, n = 0.0, len(rows)
    for part in _parts(rows):
        middle = mean(part)
        squares += math.fsum((value - middle) ** 2 for value in part)
    return _step(rows) / math.sqrt(squares / (n - 2)) * (1 - 3 / (4 * n - 9))


def _pairs(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    """Return y and x of the rows that hold both."""
    held = [(row.value, float(row.beside)) for row in rows if _is_number(row.beside)]
    return [y for y, _ in held], [x for _, x in held]


def _is_number(cell: Cell) -> TypeGuard[bool | int | float]:
    return isinstance(cell, bool | int | float)


def _share(rows: Sequence[Row]) -> float:
    ys, xs = _pairs(rows)
    return math.fsum(ys) / math.fsum(xs)


def _moments(ys: Sequence[float], xs: Sequence[float]) -> tuple[float, float, float]:
    """Return the centred sums of products yy, xx and xy."""
    y, x = mean(ys), mean(xs)
    both = [(one - y, other - x) for one, other in zip(ys, xs, strict=True)]
    return (
        math.fsum(one * one for one, _ in both),
        math.fsum(other * other for _, other in both),
        math.fsum(one * other for one, other in both),
    )


def _slope(rows: Sequence[Row]) -> float:
    _, xx, xy = _moments(*_pairs(rows))
    return xy / xx


def _r_squared(rows: Sequence[Row]) -> float:
    yy, xx, xy = _moments(*_pairs(rows))
    return xy * xy / (xx * yy)


def _explained(rows: Sequence[Row]) -> float:
    return 1 - _share(rows)


def _icat(rows: Sequence[Row]) -> float:
    ys, xs = _pairs(rows)
    lean = mean(ys)
    return 2 * mean(xs) * min(lean, 1 - lean)


def _spearman_brown(rows: Sequence[Row]) -> float:
    r = mean(_values(rows))
    return 2 * r / (1 + abs(r))


def _correlation(ys: Sequence[float], xs: Sequence[float]) -> float:
    yy, xx, xy = _moments(ys, xs)
    return xy / math.sqrt(xx * yy)


def _rank_correlation(rows: Sequence[Row]) -> float:
    ys, xs = _pairs(rows)
    return _correlation(_ranks(ys), _ranks(xs))


def _auc(rows: Sequence[Row]) -> float:
    """Return it from the ranks of the rows that are true: Mann and Whitney's U over the number of pairs."""
    false, true = _parts(rows)
    ranks = _ranks([*false, *true])[len(false) :]
    return (mean(ranks) - (len(true) + 1) / 2) / len(false)


def _ranks(values: Sequence[float]) -> list[float]:
    """Return ranks from 1, ties at their mean rank."""
    places: dict[float, list[int]] = {}
    for place, value in enumerate(sorted(values), 1):
        places.setdefault(value, []).append(place)
    return [mean(places[value]) for value in values]


_STATISTICS: Mapping[Statistic, Callable[[Sequence[Row]], float]] = {
    Statistic.MEAN: lambda rows: mean(_values(rows)),
    Statistic.MEDIAN: lambda rows: statistics.median(_values(rows)),
    Statistic.SD: _over_means(statistics.stdev),
    Statistic.GAP: _over_means(_gap),
    Statistic.RATIO: _over_means(_ratio),
    Statistic.LOWEST: _over_means(min),
    Statistic.MEAN_OF_MEANS: _over_means(mean),
    Statistic.THRESHOLD: _threshold,
    Statistic.HIGHEST: _over_means(max),
    Statistic.FALL: fall,
    Statistic.DISTANCE_SQUARED: distance_squared,
    Statistic.DISTANCE: distance,
    Statistic.INEQUALITY: inequality,
    Statistic.CRAMERS_V: cramers_v,
    Statistic.OVERLAP: overlap,
    Statistic.EFFECTIVE_NUMBER: effective_number,
    Statistic.STEP: _step,
    Statistic.EFFECT: _effect,
    Statistic.POOLED_EFFECT: _pooled_effect,
    Statistic.SHARE: _share,
    Statistic.SLOPE: _slope,
    Statistic.R_SQUARED: _r_squared,
    Statistic.EXPLAINED: _explained,
    Statistic.CORRELATION: lambda rows: _correlation(*_pairs(rows)),
    Statistic.RANK_CORRELATION: _rank_correlation,
    Statistic.SUM: lambda rows: math.fsum(_values(rows)),
    Statistic.ICAT: _icat,
    Statistic.SPEARMAN_BROWN: _spearman_brown,
    Statistic.AUC: _auc,
}
