"""Every statistic from rows against numpy, scipy and the library's own; what rows cannot give is said."""

import numpy as np
import pytest
from scipy import stats
from scipy.stats.contingency import association, crosstab
from sklearn.metrics import roc_auc_score

from biaskit.association.two_sets import caliskan_d, pooled_d
from biaskit.behaviour.stereoset import icat
from biaskit.gates.recomputing import recomputed
from biaskit.gates.rows import measurements
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Analysis, Finding, FromRows, Statistic
from biaskit.records.table import Column, Table
from biaskit.stats.diversity import hill
from biaskit.stats.shares import chance_inequality, discrepancy_squared, inequality

NAMES = ("kind", "group", "flag", "y", "x")
BY_GROUP = {
    Statistic.SD,
    Statistic.GAP,
    Statistic.RATIO,
    Statistic.LOWEST,
    Statistic.HIGHEST,
    Statistic.MEAN_OF_MEANS,
    Statistic.DISTANCE_SQUARED,
    Statistic.DISTANCE,
    Statistic.INEQUALITY,
    Statistic.CRAMERS_V,
}


def asked(rows, statistic, **source):
    table = Table(
        name="t",
        title="rows",
        columns=tuple(Column(name=name, description="What it says.") for name in NAMES),
        rows=tuple(rows),
    )
    estimate = Estimate(
        value=0.0, unit=Unit.ONE, n=1, resampling_unit="rows", method="drawn", reason="not tested"
    )
    source = FromRows(table="t", column="y", statistic=statistic, **source)
    finding = Finding(metric="a.b", concepts=("c",), estimate=estimate, rows=source)
    return Analysis(analyzer="a", settings={}, findings=(finding,), tables=(table,)), finding


@pytest.fixture
def drawn():
    rng = np.random.default_rng(5)
    y, x = rng.normal(1.0, size=40).round(1), rng.normal(2.0, size=40).round(1)
    groups, flags = rng.choice(["a", "b", "c"], size=40), rng.random(40) < 0.4
    return groups, flags, y, x


def expected(statistic, groups, flags, y, x):
    means = [y[groups == one].mean() for one in ("a", "b", "c")]
    sizes = [int((groups == one).sum()) for one in ("a", "b", "c")]
    apart = sum(y[groups == one].mean() ** 2 - stats.sem(y[groups == one]) ** 2 for one in ("a", "b", "c"))
    by_x = [y[x == one].mean() for one in np.unique(x)]
    first, second = y[~flags], y[flags]
    line = stats.linregress(x, y)
    return {
        Statistic.MEAN: y.mean(),
        Statistic.MEDIAN: np.median(y),
        Statistic.SD: np.std(means, ddof=1),
        Statistic.GAP: max(means) - min(means),
        Statistic.RATIO: min(means) / max(means),
        Statistic.LOWEST: min(means),
        Statistic.MEAN_OF_MEANS: np.mean(means),
        Statistic.THRESHOLD: min(at for at in x if y[x == at].mean() >= 0),
        Statistic.HIGHEST: max(means),
        Statistic.FALL: max(0.0, -np.diff(by_x).min()),
        Statistic.DISTANCE_SQUARED: apart,
        Statistic.DISTANCE: max(apart, 0.0) ** 0.5,
        Statistic.INEQUALITY: inequality(np.array(means)) - chance_inequality(max(sizes), 3),
        Statistic.CRAMERS_V: association(crosstab(y, groups).count),
        Statistic.OVERLAP: y[flags].sum() / min(y.sum(), flags.sum()),
        Statistic.STEP: first.mean() - second.mean(),
        Statistic.EFFECT: caliskan_d(first, second),
        Statistic.POOLED_EFFECT: pooled_d(first, second),
        Statistic.SHARE: y.sum() / x.sum(),
        Statistic.SLOPE: line.slope,
        Statistic.R_SQUARED: line.rvalue**2,
        Statistic.EXPLAINED: 1 - y.sum() / x.sum(),
        Statistic.CORRELATION: line.rvalue,
        Statistic.RANK_CORRELATION: stats.spearmanr(y, x).statistic,
        Statistic.SUM: y.sum(),
        Statistic.ICAT: icat(y, x, np.random.default_rng(0)).value,
        Statistic.SPEARMAN_BROWN: 2 * y.mean() / (1 + abs(y.mean())),
        Statistic.AUC: roc_auc_score(flags, y),
    }[statistic]


def beside(statistic):
    plain = {
        Statistic.MEAN,
        Statistic.MEDIAN,
        Statistic.SUM,
        Statistic.SPEARMAN_BROWN,
        Statistic.EFFECTIVE_NUMBER,
    }
    if statistic in plain:
        return ""
    if statistic in BY_GROUP:
        return "group"
    parts = {Statistic.STEP, Statistic.EFFECT, Statistic.POOLED_EFFECT, Statistic.AUC, Statistic.OVERLAP}
    return "flag" if statistic in parts else "x"


@pytest.mark.parametrize("statistic", [one for one in Statistic if one is not Statistic.EFFECTIVE_NUMBER])
def test_it_is_what_others_compute(statistic, drawn):
    rows = [("kept", str(g), bool(f), float(y), float(x)) for g, f, y, x in zip(*drawn, strict=True)]
    rows += [("left out", "a", True, 99.0, 99.0), ("kept", "a", True, None, 1.0)]
    found = recomputed(*asked(rows, statistic, where={"kind": "kept"}, beside=beside(statistic)))
    assert found == pytest.approx(expected(statistic, *drawn), abs=1e-12)


def test_a_difference_of_two_parts_is_that_of_the_statistic_in_each(drawn):
    groups, _, y, x = drawn
    parts = [groups == "a", groups == "b"]
    rows = [("k", "a", bool(p), float(u), float(v)) for p, u, v in zip(parts[1], y, x, strict=True)]
    kept = [row for row, one, other in zip(rows, *parts, strict=True) if one or other]
    source = {"beside": "x", "apart": "flag"}
    found = recomputed(*asked(kept, Statistic.SHARE, **source))
    first, second = (y[part].sum() / x[part].sum() for part in parts)
    assert found == pytest.approx(first - second, abs=1e-12)
    assert measurements(*asked(kept, Statistic.MEAN, apart="flag")) == "it is no mean of its rows"
    assert "its rows have no share" in recomputed(*asked(kept[:1], Statistic.SHARE, **source))


def draws(counts, reference=0.0):
    """One row a draw and group: whether it is the group's, less the group's share."""
    names = [name for name, count in zip("abcd", counts, strict=False) for _ in range(count)]
    return [
        ("k", group, True, float(group == name), reference)
        for name in names
        for group in "abcd"[: len(counts)]
    ]


@pytest.mark.parametrize("counts", [(7, 3), (0, 12), (20, 5, 15), (3, 0, 9, 1)])
def test_scores_of_drawn_groups_are_those_of_the_library(counts):
    k, n = len(counts), sum(counts)
    found = {
        one: recomputed(*asked(draws(counts, 1 / k), one, beside="group", less=less))
        for one, less in ((Statistic.DISTANCE_SQUARED, "x"), (Statistic.INEQUALITY, ""))
    }
    squared = discrepancy_squared(np.array(counts), np.full(k, 1 / k))
    uneven = inequality(np.array(counts) / n) - chance_inequality(n, k)
    assert found[Statistic.DISTANCE_SQUARED] == pytest.approx(squared, abs=1e-12)
    assert found[Statistic.INEQUALITY] == pytest.approx(uneven, abs=1e-12)


@pytest.mark.parametrize("counts", [(5, 1, 1, 2), (1, 1, 1), (9,)])
def test_the_effective_number_of_words_is_that_of_chao_and_shen(counts):
    rows = [("k", str(place), True, float(count), 0.0) for place, count in enumerate(counts)]
    expected_number = hill(np.array(counts), 1)
    assert recomputed(*asked(rows, Statistic.EFFECTIVE_NUMBER)) == pytest.approx(expected_number, abs=1e-12)


def test_the_overlap_is_that_of_the_smaller_set():
    rows = [
        ("k", "a", one, other, 0.0) for one, other in [(True, 1.0), (True, 0.0), (False, 1.0), (True, 0.0)]
    ]
    assert recomputed(*asked(rows, Statistic.OVERLAP, beside="flag")) == 0.5


def test_one_label_alone_has_no_association_and_what_rises_never_falls():
    rows = [("k", "a", True, float(y), float(y)) for y in (1, 2, 2, 5)]
    assert recomputed(*asked(rows, Statistic.CRAMERS_V, beside="group")) == 0.0
    assert recomputed(*asked(rows, Statistic.FALL, beside="x")) == 0.0


def test_a_row_counts_that_has_one_of_several_cells():
    rows = [("k", name, name == "b", y, 0.0) for name, y in (("a", 3.0), ("b", 1.0), ("c", 9.0))]
    where = {"group": ("a", "b")}
    assert recomputed(*asked(rows, Statistic.STEP, where=where, beside="flag")) == 2.0


def test_one_column_is_taken_off_another_row_by_row():
    rows = [("k", "a", True, 3.0, 1.0), ("k", "a", True, 5.0, None), ("k", "a", True, 1.0, 0.0)]
    analysis, finding = asked(rows, Statistic.MEAN, less="x", units=("group",))
    assert recomputed(analysis, finding) == 1.5
    assert measurements(analysis, finding) == [(("a",), 2.0), (("a",), 1.0)]


def test_a_row_without_a_group_is_in_none():
    rows = [("k", "", True, 9.0, 0.0), ("k", "a", True, 1.0, 0.0), ("k", "b", True, 2.0, 0.0)]
    assert recomputed(*asked(rows, Statistic.GAP, beside="group")) == 1.0


@pytest.mark.parametrize("statistic", [one for one in Statistic if beside(one)])
def test_rows_that_do_not_define_it_are_said_so(statistic):
    analysis, finding = asked([("k", "a", True, 0.0, 0.0)], statistic, beside=beside(statistic))
    found = recomputed(analysis, finding)
    assert found in {0.0} or "its rows have no" in found


def test_a_threshold_is_the_smallest_at_which_the_mean_reaches_0():
    means = {1.0: (-2.0, 1.0), 2.0: (0.3 - 0.1, -0.2), 4.0: (-3.0, 2.0), 8.0: (5.0, 6.0)}
    rows = [("k", "a", True, y, at) for at, ys in reversed(means.items()) for y in ys]
    assert sum(means[2.0]) < 0, "which is rounding alone"
    assert recomputed(*asked(rows, Statistic.THRESHOLD, beside="x")) == 2.0
    assert "no threshold" in recomputed(*asked(rows[2:4], Statistic.THRESHOLD, beside="x"))


def test_what_is_no_mean_is_not_paired():
    analysis, finding = asked([("k", "a", True, 1.0, 1.0)], Statistic.MEDIAN)
    assert measurements(analysis, finding) == "it is no mean of its rows"


def test_why_nothing_is_kept_is_said():
    analysis, finding = asked([], Statistic.MEAN)
    alone = finding.model_copy(update={"rows": None, "unkept": "the codes are as large as the images"})
    assert recomputed(analysis, alone) == "the codes are as large as the images"


@pytest.mark.parametrize("part", ["column", "where", "less", "beside", "apart", "table"])
def test_what_is_not_there_is_named(part):
    analysis, finding = asked([("k", "a", True, 1.0, 1.0)], Statistic.MEAN)
    wrong = {"where": {"nothing": 1}}.get(part, "nothing")
    finding = finding.model_copy(update={"rows": finding.rows.model_copy(update={part: wrong})})
    assert "'nothing'" in recomputed(analysis, finding)
