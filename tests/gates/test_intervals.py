"""Every interval from rows against the library's own; a changed end is caught; some rows cannot tell."""

import numpy as np
import pytest
import torch

from biaskit.behaviour.score import Score, finding, item_rows
from biaskit.concepts.reconstruction import fraction_of_variance_unexplained, squares_by_group
from biaskit.gates.intervals import interval_again
from biaskit.records.estimate import Estimate, Interval, Unit
from biaskit.records.finding import Analysis, Finding, FromRows, Statistic
from biaskit.records.table import Table
from biaskit.runner.verifying import Verified, recompute
from biaskit.stats.bootstrap import cluster_interval, two_way_interval
from biaskit.stats.correlation import slope_and_r2, spearman, split_half
from biaskit.stats.equivalence import equivalence
from biaskit.stats.measured import measured_mean
from biaskit.stats.paired import paired_interval
from biaskit.stats.proportions import wilson
from biaskit.stats.ratio import ratio_interval
from biaskit.stats.shares import simultaneous
from biaskit.stats.single_case import single_case
from biaskit.stats.unequal_clusters import clustered_step

MEAN, UNITS = Statistic.MEAN, ("cluster", "item")
SIZES = (9, 5, 4, 3, 3, 2, 1)
CLUSTERS = np.repeat([f"c{i}" for i in range(len(SIZES))], SIZES)
COLUMNS = {"cluster": "One.", "item": "Other.", "value": "Y.", "beside": "X.", "apart": "Which."}


def behind(value, interval, rows, statistic=MEAN, n=1, **source):
    """A finding with rows of (cluster, item, value, beside) behind it."""
    table = Table.of("t", "rows", COLUMNS, ((*row, None) for row in rows))
    estimate = Estimate(
        value=float(value), interval=interval, unit=Unit.ONE, n=n, resampling_unit="x", method="x", reason="x"
    )
    told = {"units": UNITS, "beside": "" if statistic in {MEAN, Statistic.MEDIAN} else "beside"} | source
    rows = FromRows(table="t", column="value", statistic=statistic, **told)
    one = Finding(metric="a.b", concepts=("c",), estimate=estimate, rows=rows)
    return Analysis(analyzer="a", settings={}, findings=(one,), tables=(table,)), one


def plain(values, clusters=None, beside=None):
    clusters = np.arange(len(values)).astype(str) if clusters is None else clusters
    beside = np.zeros(len(values)) if beside is None else beside
    items = [f"i{i}" for i in range(len(values))]
    return [*zip(map(str, clusters), items, map(float, values), map(float, beside), strict=True)]


def share(_):
    values = np.array([1.0] * 7 + [0.0] * 23)
    return behind(7 / 30, wilson(7, 30, 0.9), plain(values))


def nothing_of_a_share(_):
    return behind(0, wilson(0, 12), plain(np.zeros(12)), n=12)


def lean(_, hits=7):
    own, values = wilson(hits, 30), np.array([1.0] * hits + [0.0] * (30 - hits)) - 1 / 3
    moved = own.model_copy(update={"low": own.low - 1 / 3, "high": own.high - 1 / 3})
    return behind(values.mean(), moved, plain(values), n=30)


def lean_of_nothing(_):
    return lean(_, 0)


def lean_of_all(_):
    return lean(_, 30)


def nothing_of_clusters(_):
    return behind(0, wilson(0, 4), plain(np.zeros(12)), n=4)


def clustered_share(rng):
    values = (rng.random(CLUSTERS.size) < 0.4).astype(float)
    return behind(values.mean(), measured_mean(values, CLUSTERS).interval(0.95), plain(values, CLUSTERS))


def share_at_the_edge(_):
    values = np.ones(CLUSTERS.size)
    return behind(1, measured_mean(values, CLUSTERS).interval(0.95), plain(values, CLUSTERS))


def clustered_mean(rng):
    values = rng.normal(size=CLUSTERS.size)
    return behind(values.mean(), cluster_interval(values, CLUSTERS, level=0.9), plain(values, CLUSTERS))


def cut_mean(rng):
    values = np.where(CLUSTERS == "c4", 0.9, 0.1 * rng.random(CLUSTERS.size))
    interval = cluster_interval(values, CLUSTERS).cut(0.0, 1.0)
    assert interval.low == 0
    return behind(values.mean(), interval, plain(values, CLUSTERS))


def clustered_slope(rng):
    x = rng.normal(size=CLUSTERS.size)
    y = 0.4 * x + rng.normal(size=x.size)
    line = slope_and_r2(x, y, clusters=CLUSTERS)
    return behind(line.slope, line.interval, plain(y, CLUSTERS, x), Statistic.SLOPE)


def clustered_sides(rng):
    inside = rng.random(CLUSTERS.size) < 0.4
    y = rng.normal(size=CLUSTERS.size) + inside
    found = clustered_step(y, ~inside, CLUSTERS)
    rows = [(*row[:3], bool(side)) for row, side in zip(plain(y, CLUSTERS), inside, strict=True)]
    return behind(found.value, found.interval(0.95), rows, Statistic.STEP)


def table_of(cells):
    return [
        (f"r{i}", f"k{j}", float(cell), 0.0) for (i, j), cell in np.ndenumerate(cells) if not np.isnan(cell)
    ]


def two_ways(rng, shape=(6, 4), missing=False):
    cells = rng.normal(size=shape) + rng.normal(size=(shape[0], 1))
    if missing:
        cells[1, 2] = np.nan
    return behind(np.nanmean(cells), two_way_interval(cells), table_of(cells))


def two_ways_with_a_gap(rng):
    return two_ways(rng, missing=True)


def ratio_of_two_ways(rng):
    before = 2 + rng.normal(size=(6, 4))
    after = 0.3 * before + rng.normal(size=(6, 4))
    earlier = [row[2] for row in table_of(before)]
    rows = [(*row[:3], x) for row, x in zip(table_of(after), earlier, strict=True)]
    return behind(after.mean() / before.mean(), ratio_interval(after, before), rows, Statistic.SHARE)


def one_filler(rng):
    return two_ways(rng, (7, 1))


def one_template(rng):
    return two_ways(rng, (1, 7))


def equivalent(rng):
    units = rng.normal(size=9)
    found = equivalence(units, 0.5)
    return behind(found.mean, found.interval, plain(units))


def unexplained(rng):
    rows = torch.tensor(rng.normal(size=(24, 5)))
    near, groups = rows + 0.3 * torch.tensor(rng.normal(size=(24, 5))), list(map(str, CLUSTERS[:24]))
    found = fraction_of_variance_unexplained(rows, near, groups)
    errors, spread = np.array([*squares_by_group(rows, near, groups).values()]).T
    return behind(found.value, found.interval, plain(errors, None, spread), Statistic.SHARE)


def paired(rng):
    one, other = rng.random(30) < 0.7, rng.random(30) < 0.5
    moved = one.astype(float) - other
    return behind(moved.mean(), paired_interval(one, other), plain(moved))


def clusters_that_move_alike(_):
    one = np.ones(4, dtype=bool)
    found = paired_interval(one, ~one)
    told = found.model_copy(update={"method": f"{found.method}, of 4 clusters that move alike"})
    return behind(1, told, plain(np.ones(12)), n=4)


def one_more_case(rng):
    values, case = rng.normal(size=(5, 3)), rng.normal(size=6)
    found = single_case(case.mean(), values.mean(axis=1))
    rows = [("", "i", float(one), False) for one in case]
    rows += [(f"noun {noun}", "i", float(one), True) for (noun, _), one in np.ndenumerate(values)]
    return behind(found.excess, found.interval, rows, Statistic.STEP, units=("cluster",))


def one_of_four_shares(_):
    interval = simultaneous(np.array([7, 0, 20, 3]))[0]
    return behind(7 / 30, interval, plain([1.0] * 7 + [0.0] * 23))


def random_sets(rng):
    values = np.abs(rng.normal(size=9))
    interval = Interval(low=values.min(), high=values.max(), level=0.8, method="range of 9 draws")
    return behind(values.mean(), interval, plain(values))


def ranks(rng):
    x, y = rng.normal(size=(2, 14)).round(1)
    found = spearman(y, x, rng=rng)
    return behind(found.rho, found.interval, plain(y, None, x), Statistic.RANK_CORRELATION)


def perfect_ranks(_):
    y = np.arange(6.0)
    found = spearman(y, y)
    return behind(1, found.interval, plain(y, None, y), Statistic.RANK_CORRELATION)


def halves(rng):
    cells = rng.normal(size=(12, 1)) + rng.normal(size=(12, 6))
    found = split_half(cells, rng=rng)
    rows = plain(np.array(found.correlations))
    return behind(found.value, found.interval, rows, Statistic.SPEARMAN_BROWN, n=found.n, beside="")


def controls(rng):
    values = rng.normal(size=9)
    interval = Interval(low=values.min(), high=values.max(), level=0.8, method="range of the random changes")
    return behind(np.median(values), interval, plain(values), Statistic.MEDIAN)


def scored(rows, bounds, neutral):
    score = Score("a", rows, CLUSTERS, "clusters", "x", neutral=neutral, bounds=bounds)
    one = finding(score, np.random.default_rng(0), "c")
    columns = ("benchmark", "metric", "group", "cluster", "item", "value")
    table = Table.of("items", "items", dict.fromkeys(columns, "X."), item_rows([score], "c"))
    return Analysis(analyzer="a", settings={}, findings=(one,), tables=(table,)), one


def items_of_two_values(rng):
    return scored(np.where(rng.random(CLUSTERS.size) < 0.4, 1.0, -1.0), (-1.0, 1.0), 0.0)


def items_all_alike(_):
    return scored(np.full(CLUSTERS.size, -1.0), (-1.0, 1.0), 0.0)


def items_between(rng):
    return scored(rng.choice([0.0, 0.5, 1.0], size=CLUSTERS.size), (0.0, 1.0), 0.5)


MADE = (
    *(share, nothing_of_a_share, nothing_of_clusters, clustered_share, share_at_the_edge),
    *(clustered_mean, cut_mean, clustered_slope, two_ways, two_ways_with_a_gap, ratio_of_two_ways),
    *(one_filler, one_template, equivalent, unexplained, paired, ranks, perfect_ranks, halves),
    *(controls, items_of_two_values, items_all_alike, items_between),
    clustered_sides,
    *(
        lean,
        lean_of_nothing,
        lean_of_all,
        clusters_that_move_alike,
        one_more_case,
        one_of_four_shares,
        random_sets,
    ),
)


@pytest.mark.parametrize("made", MADE)
def test_it_is_the_librarys_own_and_a_changed_end_is_caught(made):
    analysis, one = made(np.random.default_rng(7))
    interval = one.estimate.interval
    assert interval_again(analysis, one) == pytest.approx((interval.low, interval.high), abs=1e-10)
    kept = Verified()
    recompute(analysis, one, kept)
    assert (kept.problems, kept.recomputed, kept.intervals) == ([], 1, 1)
    for end, by in (("low", -1e-6), ("high", 1e-6)):
        forged, found = interval.model_copy(update={end: getattr(interval, end) + by}), Verified()
        estimate = one.estimate.model_copy(update={"interval": forged})
        recompute(analysis, one.model_copy(update={"estimate": estimate}), found)
        assert found.problems[0].startswith(f"The interval of {one.metric} of c")
        assert (len(found.problems), found.intervals) == (1, 0)


@pytest.mark.parametrize(
    "made",
    [clustered_share, clustered_mean, clustered_slope, clustered_sides, two_ways, items_between],
)
def test_rows_that_do_not_name_what_was_resampled_tell_nothing(made):
    analysis, one = made(np.random.default_rng(7))
    without = one.model_copy(update={"rows": one.rows.model_copy(update={"units": ()})})
    assert interval_again(analysis, without) is None


@pytest.mark.parametrize(
    ("method", "statistic"),
    [
        ("two-way cluster bootstrap, percentile", MEAN),
        ("Wilson", Statistic.SUM),
        ("Wilson", MEAN),
        ("paired proportions, Bonett-Price", MEAN),
        ("Bonett-Wright Fisher z", MEAN),
        ("linearised ratio, t", MEAN),
        ("range of the random changes", MEAN),
        ("range of 30 draws", Statistic.MEDIAN),
        ("t(9) of one more case beside 10 controls", MEAN),
        ("Goodman, 4 classes at once", MEAN),
        ("jackknife over 31 clusters, t(30)", MEAN),
        ("jackknife over 30 clusters on two sides, t(4)", MEAN),
        ("jackknife over 31 clusters on two sides, t(4)", Statistic.STEP),
        ("Newcombe over 30 clusters", Statistic.STEP),
        ("two-way cluster over 30 templates x 2 fillers standard error, t(1)", MEAN),
    ],
)
def test_another_method_or_statistic_is_left_alone(method, statistic):
    interval = Interval(low=0, high=1, level=0.95, method=method)
    values = np.random.default_rng(1).normal(size=30)
    assert interval_again(*behind(0, interval, plain(values), statistic, beside="")) is None


def test_one_cluster_alone_tells_nothing():
    interval = Interval(low=0, high=1, level=0.95, method="jackknife over 1 clusters, t(1)")
    assert interval_again(*behind(0, interval, plain(np.arange(4.0), ["a"] * 4))) is None


def test_an_interval_that_is_cut_says_so():
    whole = Interval(low=-0.2, high=0.5, level=0.95, method="m")
    assert whole.cut(0.0, 1.0) == Interval(low=0.0, high=0.5, level=0.95, method="m, cut at 0 and 1")
    assert whole.cut(-1.0, 1.0) is whole
