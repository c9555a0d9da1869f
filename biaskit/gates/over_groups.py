"""Statistics of groups, counts and categories, computed again from rows with the standard library alone."""

from __future__ import annotations

import math
import statistics
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

from biaskit.gates.rows import mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biaskit.gates.rows import Row
    from biaskit.records.table import Cell


def groups_of(rows: Sequence[Row]) -> dict[Cell, list[float]]:
    """Return the values of each group; a row whose group is not named is in none."""
    groups: dict[Cell, list[float]] = {}
    for row in rows:
        if row.beside not in {None, ""}:
            groups.setdefault(row.beside, []).append(row.value)
    return groups


def means_of(rows: Sequence[Row]) -> dict[Cell, float]:
    """Return the mean of each group."""
    return {group: mean(values) for group, values in groups_of(rows).items()}


def fall(rows: Sequence[Row]) -> float:
    """Return the largest fall of the mean from one group to the next, groups in ascending order."""
    means = {float(x): y for x, y in means_of(rows).items() if isinstance(x, bool | int | float)}
    ordered = [means[x] for x in sorted(means)]
    return max([0.0, *(before - after for before, after in pairwise(ordered))])


def distance_squared(rows: Sequence[Row]) -> float:
    """Return the squared distance of the groups' means from 0, less what chance adds to it."""
    groups = groups_of(rows).values()
    return math.fsum(mean(one) ** 2 - statistics.variance(one) / len(one) for one in groups)


def distance(rows: Sequence[Row]) -> float:
    """Return the root of it, 0 where it lies below 0."""
    return math.sqrt(max(0.0, distance_squared(rows)))


def inequality(rows: Sequence[Row]) -> float:
    """Return the mean distance of two groups' shares, less that of as many draws from equal shares.

    With n draws of k groups, m of them of one of two groups, the two counts differ by |S_m| of a fair walk:
    `(1/n) sum_m P(m) E|S_m|`, m binomial of n and 2/k, `E|S_m| = m C(m - 1, [(m - 1) / 2]) / 2^(m - 1)`.
    """
    groups = groups_of(rows)
    shares, n = [mean(one) for one in groups.values()], max(len(one) for one in groups.values())
    observed = [abs(one - other) for one, other in combinations(shares, 2)]
    return mean(observed) - _uneven(n, len(groups))


def _uneven(n: int, k: int) -> float:
    apart, total = 1.0, []
    for m in range(1, n + 1):
        if m > 1 and m % 2:
            apart *= m / (m - 1)
        total.append(_binomial(m, n, 2 / k) * apart)
    return math.fsum(total) / n


def _binomial(m: int, n: int, p: float) -> float:
    if p >= 1:
        return float(m == n)
    ways = math.lgamma(n + 1) - math.lgamma(m + 1) - math.lgamma(n - m + 1)
    return math.exp(ways + m * math.log(p) + (n - m) * math.log1p(-p))


def cramers_v(rows: Sequence[Row]) -> float:
    """Return `sqrt(X^2 / (n (min(rows, columns) - 1)))` of two categories; 0 where one has one value."""
    counts: dict[tuple[float, Cell], int] = {}
    for row in rows:
        counts[row.value, row.beside] = counts.get((row.value, row.beside), 0) + 1
    firsts, seconds = sorted({one for one, _ in counts}), list(dict.fromkeys(other for _, other in counts))
    fewer = min(len(firsts), len(seconds))
    if fewer < 2:
        return 0.0
    n = len(rows)
    ones = {one: sum(counts.get((one, other), 0) for other in seconds) for one in firsts}
    others = {other: sum(counts.get((one, other), 0) for one in firsts) for other in seconds}
    expected = {(one, other): ones[one] * others[other] / n for one in firsts for other in seconds}
    squared = math.fsum((counts.get(cell, 0) - e) ** 2 / e for cell, e in expected.items())
    return math.sqrt(squared / (n * (fewer - 1)))


def overlap(rows: Sequence[Row]) -> float:
    """Return how many rows are true twice, over the fewer of those true in one way; 0 where none is."""
    first, second = sum(row.value for row in rows), sum(row.beside is True for row in rows)
    both = sum(row.value for row in rows if row.beside is True)
    return both / max(min(first, second), 1)


def effective_number(rows: Sequence[Row]) -> float:
    """Return exp of the entropy of counts, corrected for what was not seen (Chao and Shen 2003).

    With f_1 counts of 1 and n in all, coverage C = 1 - f_1 / n and p = C c / n,
    `exp(-sum p log p / (1 - (1 - p)^n))`; where all counts are 1, f_1 is one less.
    """
    counts = [row.value for row in rows if row.value > 0]
    n, singles = math.fsum(counts), sum(one == 1 for one in counts)
    if n > 1 and singles == n:
        singles -= 1
    coverage = 1 - singles / n if n > 1 else 1.0
    shares = [coverage * one / n for one in counts]
    return math.exp(-math.fsum(p * math.log(p) / (1 - (1 - p) ** n) for p in shares))
