"""Intervals computed again from the rows that a run keeps behind a number, with the standard library alone.

Which formula an interval follows is what its `method` names. One of another method, or whose rows do not
name what was resampled, is left alone.
"""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from biaskit.gates.recomputing import number
from biaskit.gates.rows import (
    clustered_error,
    effective_clusters,
    jackknife_error,
    jackknifed_mean,
    mean,
    rows_of,
)
from biaskit.gates.student import quantile
from biaskit.records.finding import Statistic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from biaskit.gates.rows import Row
    from biaskit.records.estimate import Estimate, Interval
    from biaskit.records.finding import Analysis, Finding, FromRows
    from biaskit.records.table import Cell

Ends = tuple[float, float]
MOST_WORK = 2_000_000
"""Rows that a jackknife of another statistic than the mean may read; beyond, the interval is left alone."""


def interval_again(analysis: Analysis, finding: Finding) -> Ends | None:
    """Return the ends of a finding's interval computed again from its rows; None where they do not tell."""
    interval, rows, source = finding.estimate.interval, rows_of(analysis, finding), finding.rows
    if interval is None or source is None or isinstance(rows, str):
        return None
    for pattern, again in _METHODS.items():
        if found := pattern.fullmatch(interval.method):
            try:
                return again(_Behind(rows, source, interval, finding.estimate), found)
            except (ZeroDivisionError, statistics.StatisticsError, ValueError):
                return None
    return None


@dataclass(frozen=True, slots=True)
class _Behind:
    """What stands behind an interval.

    Attributes:
        rows: The rows.
        source: How the number follows from them.
        interval: The interval as it was told.
        estimate: The number.
    """

    rows: Sequence[Row]
    source: FromRows
    interval: Interval
    estimate: Estimate

    @property
    def values(self) -> list[float]:
        """The value of every row."""
        return [row.value for row in self.rows]

    @property
    def is_mean(self) -> bool:
        """Whether the number is the mean of its rows."""
        return self.source.statistic is Statistic.MEAN and not self.source.apart

    @property
    def normal(self) -> float:
        """The normal quantile of the interval's level."""
        return statistics.NormalDist().inv_cdf((1 + self.interval.level) / 2)

    def about(self, value: float, error: float, freedom: float) -> Ends:
        """Return `value -+ t error`."""
        half = quantile((1 + self.interval.level) / 2, freedom) * error
        return value - half, value + half

    def clusters(self, count: int) -> list[Cell] | None:
        """Return each row's unit in the first column that has so many; None where no column has."""
        for way in range(len(self.source.units)):
            found = [row.unit[way] for row in self.rows]
            if len(set(found)) == count:
                return found
        return None


def _wilson_ends(p: float, rows: float, critical: float) -> Ends:
    """`(p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)` (Wilson 1927)."""
    square = critical * critical / rows
    middle, half = p + square / 2, math.sqrt(square * (p * (1 - p) + square / 4))
    return (middle - half) / (1 + square), (middle + half) / (1 + square)


def _share(behind: _Behind, _: re.Match[str]) -> Ends | None:
    """Wilson's interval of rows that say yes or no; of the units that were sampled where all are alike.

    Of a share less a number between 0 and 1, the rows lie one apart and the interval is moved with them.
    """
    kinds = sorted(set(behind.values))
    no = _no(kinds)
    if not behind.is_mean or no is None:
        return None
    n = behind.estimate.n if len(kinds) == 1 else len(behind.rows)
    low, high = _wilson_ends(mean(behind.values) - no, n, behind.normal)
    return no + low, no + high


def _no(kinds: Sequence[float]) -> float | None:
    """Return the value of rows that say no; None where rows say something else than yes or no."""
    if set(kinds) <= {0.0, 1.0}:
        return 0.0
    if len(kinds) == 1 and abs(kinds[0]) < 1:
        return min(kinds[0], kinds[0] - (kinds[0] > 0))
    return kinds[0] if len(kinds) == 2 and math.isclose(kinds[1] - kinds[0], 1) else None


def _clustered_share(behind: _Behind, found: re.Match[str]) -> Ends | None:
    """Wilson's interval at the number of rows that would tell as much as the clustered ones do."""
    clusters = behind.clusters(int(found["clusters"]))
    low = next((one for one in (0.0, -1.0) if set(behind.values) <= {one, 1.0}), None)
    if not behind.is_mean or clusters is None or low is None:
        return None
    values = [(value - low) / (1 - low) for value in behind.values]
    _, ends = _share_of(values, clusters, behind)
    return low + (1 - low) * ends[0], low + (1 - low) * ends[1]


def _share_of(values: Sequence[float], clusters: Sequence[Cell], behind: _Behind) -> tuple[float, Ends]:
    """Return a share and Wilson's interval at the number of rows that would tell as much as these do."""
    p, sizes = mean(values), Counter(clusters).values()
    alone, rows = p * (1 - p) / len(values), effective_clusters(sizes)
    freedom = max(1.0, rows - 1)
    if alone and len(sizes) > 1:
        rows = len(values) / max(1.0, jackknifed_mean(values, clusters)[1] ** 2 / alone)
    return p, _wilson_ends(p, rows, quantile((1 + behind.interval.level) / 2, freedom))


def _hybrid(behind: _Behind, found: re.Match[str]) -> Ends | None:
    """Newcombe's interval (1998) of one share less another, from Wilson's of both over clusters."""
    clusters = behind.clusters(int(found["clusters"]))
    step = behind.source.statistic is Statistic.STEP and not behind.source.apart
    if clusters is None or not step or not set(behind.values) <= {0.0, 1.0}:
        return None
    shares = []
    for side in (True, False):
        rows = [at for at, row in enumerate(behind.rows) if row.beside is side]
        own, held = [behind.rows[at].value for at in rows], [clusters[at] for at in rows]
        single = mean(own), _wilson_ends(mean(own), len(own), behind.normal)
        shares.append(single if len(set(held)) == len(own) else _share_of(own, held, behind))
    (first, one), (second, other) = shares
    down, up = math.hypot(second - other[0], one[1] - first), math.hypot(other[1] - second, first - one[0])
    return max(-1.0, second - first - down), min(1.0, second - first + up)


def _all_alike(behind: _Behind, found: re.Match[str]) -> Ends | None:
    """The range that a share of odd rows of at most Wilson's upper end at 0 of k clusters leaves."""
    if behind.clusters(int(found["clusters"])) is None or len(set(behind.values)) > 1:
        return None
    value, odd = behind.values[0], _wilson_ends(0.0, int(found["clusters"]), behind.normal)[1]
    low, high = float(found["low"]), float(found["high"])
    return value - odd * (value - low), value + odd * (high - value)


def _jackknife(behind: _Behind, found: re.Match[str]) -> Ends | None:
    """The t interval of a statistic from leaving a cluster out at a time."""
    clusters = behind.clusters(int(found["clusters"]))
    if clusters is None:
        return None
    if behind.is_mean:
        ends = behind.about(*jackknifed_mean(behind.values, clusters))
    elif len(set(clusters)) * len(clusters) > MOST_WORK:
        return None
    else:
        ends = behind.about(*_jackknifed(behind, clusters))
    low, high = (float(found[end] or bound) for end, bound in (("low", -math.inf), ("high", math.inf)))
    return max(low, ends[0]), min(high, ends[1])


def _two_sides(behind: _Behind, found: re.Match[str]) -> Ends | None:
    """The t interval of one mean less another; see `biaskit.stats.unequal_clusters.clustered_step`."""
    clusters = behind.clusters(int(found["clusters"]))
    step = behind.source.statistic is Statistic.STEP and not behind.source.apart
    if clusters is None or not step or len(set(clusters)) * len(clusters) > MOST_WORK:
        return None
    value, error, freedom = _jackknifed(behind, clusters)
    values, parts = behind.values, []
    for side in (True, False):
        rows = [at for at, row in enumerate(behind.rows) if row.beside is side]
        own = jackknifed_mean([values[at] for at in rows], [clusters[at] for at in rows])
        parts.append((own[1] ** 2, own[2]))
    if spread := math.fsum(part * part / own for part, own in parts):
        freedom = min(freedom, math.fsum(part for part, _ in parts) ** 2 / spread)
    return behind.about(value, error, max(1.0, freedom))


def _jackknifed(behind: _Behind, clusters: Sequence[Cell]) -> tuple[float, float, float]:
    value, left, sizes = number(behind.rows, behind.source), [], Counter(clusters)
    for one in sizes:
        kept = [row for row, cluster in zip(behind.rows, clusters, strict=True) if cluster != one]
        left.append(number(kept, behind.source) - value)
    return value, jackknife_error(left), max(1.0, effective_clusters(sizes.values()) - 1)


def _two_ways(behind: _Behind, found: re.Match[str]) -> Ends | None:
    """The t interval of a mean, or of a linearised ratio, over rows and columns of a table or one of them."""
    counts = sorted(int(one) for one in (found["one"], found["other"] or "1"))
    own = [len({row.unit[way] for row in behind.rows}) for way in range(len(behind.source.units))]
    cells = _linearised(behind) if found["ratio"] else behind.values if behind.is_mean else None
    if cells is None or sorted(own) != counts:
        return None
    error = clustered_error([(row.unit, cell) for row, cell in zip(behind.rows, cells, strict=True)])
    return None if error is None else behind.about(number(behind.rows, behind.source), *error)


def _linearised(behind: _Behind) -> list[float] | None:
    """Return `(y - r x) / mean x` of every row, r the ratio of the sums; None where a row has no x."""
    if behind.source.statistic is not Statistic.SHARE or behind.source.apart:
        return None
    beside = [float(row.beside) for row in behind.rows if isinstance(row.beside, int | float)]
    if len(beside) < len(behind.rows):
        return None
    ratio, middle = number(behind.rows, behind.source), mean(beside)
    return [(y - ratio * x) / middle for y, x in zip(behind.values, beside, strict=True)]


def _crossed(behind: _Behind, _: re.Match[str]) -> Ends | None:
    """The t interval of an interaction, each cell with its own variance (Welch and Satterthwaite)."""
    if behind.source.statistic is not Statistic.STEP or not behind.source.apart:
        return None
    cells: dict[tuple[Cell, Cell], list[float]] = {}
    for row in behind.rows:
        cells.setdefault((row.apart, row.beside), []).append(row.value)
    parts = [(statistics.variance(cell) / len(cell), len(cell) - 1) for cell in cells.values()]
    variance = math.fsum(part for part, _ in parts)
    freedom = variance * variance / math.fsum(part * part / own for part, own in parts)
    return behind.about(number(behind.rows, behind.source), math.sqrt(variance), freedom)


def _plain(behind: _Behind, _: re.Match[str]) -> Ends | None:
    """The t interval of a mean of independent rows."""
    if not behind.is_mean:
        return None
    count = len(behind.rows)
    error = statistics.stdev(behind.values) / math.sqrt(count)
    return behind.about(mean(behind.values), error, count - 1)


def _ratio(behind: _Behind, _: re.Match[str]) -> Ends | None:
    """The t interval of a ratio of sums, linearised; never below 0."""
    cells = _linearised(behind)
    if cells is None:
        return None
    error = math.sqrt(math.fsum(cell * cell for cell in cells) / (len(cells) * (len(cells) - 1)))
    low, high = behind.about(number(behind.rows, behind.source), error, len(cells) - 1)
    return max(0.0, low), high


def _paired_shares(behind: _Behind, found: re.Match[str]) -> Ends | None:
    """Bonett and Price's interval (2012) of a difference of paired proportions; a row is 1, 0 or -1.

    Where all rows are alike and clusters are named, these are what is counted.
    """
    values, kinds = behind.values, set(behind.values)
    if not behind.is_mean or not kinds <= {-1.0, 0.0, 1.0} or (found["clusters"] and len(kinds) > 1):
        return None
    n = int(found["clusters"] or len(values))
    risen, fallen = (values.count(side) / len(values) * n for side in (1.0, -1.0))
    return paired_ends(risen, fallen, n, behind.normal)


def paired_ends(risen: float, fallen: float, n: int, critical: float) -> Ends:
    """Return Bonett and Price's interval (2012) of the share of n units that rose less that which fell.

    `p10 = (risen + 1) / (n + 2)`, p01 likewise of those that fell and d = p10 - p01:
    `d -+ z sqrt((p10 + p01 - d^2) / (n + 2))`, stretched to the plain difference and cut at -1 and 1.
    """
    one, other = ((count + 1) / (n + 2) for count in (risen, fallen))
    centre, plain = one - other, (risen - fallen) / n
    reach = critical * math.sqrt((one + other - centre**2) / (n + 2))
    return max(min(centre - reach, plain), -1.0), min(max(centre + reach, plain), 1.0)


def _single_case(behind: _Behind, found: re.Match[str]) -> Ends | None:
    """The t interval of one more case beside C controls, each one unit (Crawford and Howell 1998)."""
    controls: dict[tuple[Cell, ...], list[float]] = {}
    for row in behind.rows:
        if row.beside is True:
            controls.setdefault(row.unit, []).append(row.value)
    count, cases = int(found["controls"]), [row.value for row in behind.rows if row.beside is False]
    means = [mean(values) for values in controls.values()]
    if behind.source.statistic is not Statistic.STEP or len(means) != count:
        return None
    error = statistics.stdev(means) * math.sqrt(1 + 1 / count)
    return behind.about(mean(cases) - mean(means), error, count - 1)


def _goodman(behind: _Behind, found: re.Match[str]) -> Ends | None:
    """Wilson's interval of one of several shares that all hold at once (Goodman 1965)."""
    if not behind.is_mean or not set(behind.values) <= {0.0, 1.0}:
        return None
    one = 1 - (1 - behind.interval.level) / int(found["classes"])
    normal = statistics.NormalDist().inv_cdf((1 + one) / 2)
    return _wilson_ends(mean(behind.values), len(behind.rows), normal)


def _rank_correlation(behind: _Behind, _: re.Match[str]) -> Ends | None:
    """Fisher's z with the standard error `sqrt((1 + rho^2 / 2) / (n - 3))` (Bonett and Wright 2000)."""
    if behind.source.statistic is not Statistic.RANK_CORRELATION or behind.source.apart:
        return None
    n = sum(isinstance(row.beside, int | float) for row in behind.rows)
    rho, largest = number(behind.rows, behind.source), 1 - 12 / (n * (n * n - 1))
    inner = min(largest, max(-largest, rho))
    half = behind.normal * math.sqrt((1 + inner * inner / 2) / (n - 3))
    return min(rho, math.tanh(math.atanh(inner) - half)), max(rho, math.tanh(math.atanh(inner) + half))


def _reliability(behind: _Behind, _: re.Match[str]) -> Ends | None:
    """Fisher's z of the mean correlation of halves over n targets, corrected as the reliability is."""
    if behind.source.statistic is not Statistic.SPEARMAN_BROWN:
        return None
    r, half = mean(behind.values), behind.normal / math.sqrt(behind.estimate.n - 3)
    z = math.atanh(min(1 - 1e-12, max(1e-12 - 1, r)))
    low, high = (math.tanh(z + side * half) for side in (-1, 1))
    return 2 * low / (1 + abs(low)), 2 * high / (1 + abs(high))


def _range(behind: _Behind, _: re.Match[str]) -> Ends | None:
    """From the smallest to the largest of controls whose median is told."""
    median = behind.source.statistic is Statistic.MEDIAN
    return (min(behind.values), max(behind.values)) if median else None


def _draws(behind: _Behind, _: re.Match[str]) -> Ends | None:
    """From the smallest to the largest of draws whose mean is told."""
    return (min(behind.values), max(behind.values)) if behind.is_mean else None


_METHODS: Mapping[re.Pattern[str], Callable[[_Behind, re.Match[str]], Ends | None]] = {
    re.compile(r"Wilson"): _share,
    re.compile(r"Wilson at \S+ effective rows of (?P<clusters>\d+) clusters"): _clustered_share,
    re.compile(
        r"all items alike, (?P<low>\S+) to (?P<high>\S+): "
        r"Wilson's upper end at 0 of (?P<clusters>\d+) clusters"
    ): _all_alike,
    re.compile(
        r"jackknife over (?P<clusters>\d+) clusters, t\(\S+\)(?:, cut at (?P<low>\S+) and (?P<high>\S+))?"
    ): _jackknife,
    re.compile(r"Newcombe over (?P<clusters>\d+) clusters"): _hybrid,
    re.compile(r"jackknife over (?P<clusters>\d+) clusters on two sides, t\(\S+\)"): _two_sides,
    re.compile(
        r"(?P<ratio>linearised ratio, )?(?:two|one)-way cluster over (?P<one>\d+) \w+"
        r"(?: x (?P<other>\d+) \w+)?(?: \(this \w+ only\))? standard error, t\(\S+\)"
    ): _two_ways,
    re.compile(r"Welch over names in four cells, t\(\S+\)"): _crossed,
    re.compile(r"t\(\d+\) over \d+ units"): _plain,
    re.compile(r"linearised ratio, t"): _ratio,
    re.compile(
        r"paired proportions, Bonett-Price(?:, of (?P<clusters>\d+) clusters that move alike)?"
    ): _paired_shares,
    re.compile(r"Bonett-Wright Fisher z"): _rank_correlation,
    re.compile(r"Fisher z over targets, Spearman-Brown corrected"): _reliability,
    re.compile(r"t\(\d+\) of one more case beside (?P<controls>\d+) controls"): _single_case,
    re.compile(r"Goodman, (?P<classes>\d+) classes at once"): _goodman,
    re.compile(r"range of the [\w ]+"): _range,
    re.compile(r"range of \d+ draws"): _draws,
}
