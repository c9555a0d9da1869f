from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score

from biaskit.errors import RequestError, UnknownNameError
from biaskit.stats.by_group import GroupOptions, by_group
from biaskit.stats.group_metrics import Metric, Outcomes, calibration_error
from biaskit.stats.proportions import binomial_band, wilson

QUICK = GroupOptions(draws=99)


@pytest.fixture
def people(rng):
    """Two attributes, a true class and a guess that is better for one group."""
    sex, age = rng.choice(["f", "m"], 300), rng.choice(["old", "young", "child"], 300)
    truth = rng.integers(0, 2, 300)
    right = rng.random(300) < np.where(sex == "f", 0.6, 0.9)
    return truth, np.where(right, truth, 1 - truth), {"sex": sex, "age": age}


@pytest.mark.parametrize("attribute", ["sex", "age", "sex x age"])
def test_the_numbers_are_fairlearn_s(people, attribute):
    fairlearn = pytest.importorskip("fairlearn.metrics")
    truth, guess, groups = people
    theirs = {
        "accuracy": accuracy_score,
        "selection-rate": fairlearn.selection_rate,
        "true-positive-rate": fairlearn.true_positive_rate,
        "false-positive-rate": fairlearn.false_positive_rate,
    }
    features = {name: groups[name] for name in attribute.split(" x ")}
    frame = fairlearn.MetricFrame(metrics=theirs, y_true=truth, y_pred=guess, sensitive_features=features)
    ours = by_group(tuple(theirs), truth, guess, groups, QUICK)
    for name in theirs:
        found = ours.of(name, attribute)
        listed = frame.by_group[name].sort_index()
        joined = [" x ".join(key) if isinstance(key, tuple) else key for key in listed.index]
        values = {part.group: part.value for part in found.groups}
        assert values == pytest.approx(dict(zip(joined, listed, strict=True)))
        assert found.overall.value == pytest.approx(frame.overall[name])
        for method, shown in (("between_groups", "difference"), ("to_overall", "difference_to_overall")):
            assert getattr(found, shown).value == pytest.approx(frame.difference(method=method)[name])
        for method, shown in (("between_groups", "ratio"), ("to_overall", "ratio_to_overall")):
            assert getattr(found, shown).value == pytest.approx(frame.ratio(method=method)[name])


def test_a_function_and_a_column_are_metrics_too(people, rng):
    truth, guess, groups = people
    quality = rng.random(300)
    quality[:50] = np.nan
    found = by_group({"balanced": balanced_accuracy_score, "deletion": quality}, truth, guess, groups, QUICK)
    women = groups["sex"] == "f"
    assert found.of("balanced", "sex").groups[0].value == pytest.approx(
        balanced_accuracy_score(truth[women], guess[women])
    )
    column = found.of("deletion", "sex").groups[0]
    assert column.value == pytest.approx(np.nanmean(quality[women]))
    assert (column.rows, column.n) == (women.sum(), (women & ~np.isnan(quality)).sum())


def test_auc_is_scikit_learn_s(rng):
    truth, scores = rng.integers(0, 2, 80), rng.integers(0, 6, 80) / 6
    outputs = np.stack([1 - scores, scores], axis=1)
    found = by_group(["auc"], truth, outputs, {"half": ["a", "b"] * 40}, QUICK).of("auc", "half")
    assert found.overall.value == pytest.approx(roc_auc_score(truth, scores))
    assert found.groups[0].value == pytest.approx(roc_auc_score(truth[::2], scores[::2]))
    assert found.groups[0].value in found.groups[0].interval


def test_auc_of_many_rows_leaves_out_blocks_and_one_positive_has_no_interval(rng):
    truth = np.zeros(1200, int)
    truth[:500] = 1
    scores = rng.normal(size=1200) + truth
    outputs = np.stack([-scores, scores], axis=1)
    halves = {"half": ["a", "b"] * 600}
    found = by_group(["auc"], truth, outputs, halves, QUICK).metrics[0].overall.interval
    assert "jackknife over 400" in found.method
    # Hanley and McNeil (1982) with the same AUC.
    v = roc_auc_score(truth, scores)
    q1, q2 = v / (2 - v), 2 * v**2 / (1 + v)
    error = np.sqrt((v * (1 - v) + 499 * (q1 - v**2) + 699 * (q2 - v**2)) / 350_000)
    assert (found.high - found.low) / 3.92 == pytest.approx(error, rel=0.15)
    alone = (
        by_group(["auc"], np.arange(40) // 39, outputs[:40], {"half": ["a"] * 40}, QUICK).metrics[0].overall
    )
    assert alone.interval is None
    assert "one unit alone" in alone.reason


def test_calibration_error_by_hand():
    outputs = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.2, 0.8]])
    # The sure half is right once of two, the other twice of two.
    found = calibration_error(Outcomes(np.array([0, 1, 1, 1]), outputs))
    assert found == pytest.approx(0.5 * abs(0.5 - 0.9) + 0.5 * abs(1 - 0.8))


def test_nothing_of_n_has_an_interval():
    truth, guess = np.ones(24, int), np.array([0] * 8 + [1] * 16)
    found = by_group(["accuracy"], truth, guess, {"g": ["a"] * 8 + ["b"] * 16}, QUICK).metrics[0]
    assert [part.interval for part in found.groups] == [wilson(0, 8), wilson(16, 16)]
    assert found.difference.interval.low > 0.4
    assert found.difference.interval.high == 1.0
    assert found.ratio.value == 0.0
    assert found.ratio.interval.low == 0.0 < found.ratio.interval.high < 0.7


def test_small_empty_and_missing_are_said():
    truth = np.ones(40, int)
    cells = ["a"] * 36 + ["b"] * 2 + [None, ""]
    options = GroupOptions(draws=99, categories={"g": ["a", "b", "c"]})
    found = by_group(["accuracy", "false-positive-rate"], truth, truth, {"g": cells}, options)
    accuracy = found.of("accuracy", "g")
    assert found.missing == {"g": 2}
    assert [(part.group, part.rows, part.small) for part in accuracy.groups] == [
        ("a", 36, False),
        ("b", 2, True),
        ("c", 0, True),
    ]
    assert accuracy.groups[2].value is None
    assert "no row" in accuracy.groups[2].reason
    never = found.of("false-positive-rate", "g")
    assert never.groups[0].reason == "no row counts"
    assert never.difference.value is None
    assert "0 of 3 groups" in never.difference.reason
    assert never.worst.group is None


def test_intersections_list_combinations_that_do_not_occur():
    groups = {"sex": ["f", "f", "m"], "age": ["old", "young", "old"]}
    crossed = by_group(["accuracy"], np.ones(3), np.ones(3), groups, QUICK).of("accuracy", "sex x age")
    assert {part.group: part.rows for part in crossed.groups} == {
        "f x old": 1,
        "f x young": 1,
        "m x old": 1,
        "m x young": 0,
    }


def test_the_worst_group_is_the_highest_where_lower_is_better(people):
    truth, guess, groups = people
    found = by_group(["accuracy", "error-rate"], truth, guess, groups, QUICK)
    by_accuracy, by_error = found.of("accuracy", "age").worst, found.of("error-rate", "age").worst
    assert by_accuracy.group == by_error.group
    assert by_error.interval.low == pytest.approx(1 - by_accuracy.interval.high)
    assert by_error.interval.high == pytest.approx(1 - by_accuracy.interval.low)


def _runs(sizes, rates, count, metric="accuracy"):
    rng = np.random.default_rng(11)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    for seed in range(count):
        hits = (rng.random(groups.size) < np.array(rates)[groups]).astype(int)
        options = GroupOptions(draws=199, seed=seed)
        yield by_group([metric], np.ones(groups.size, int), hits, {"g": groups}, options).metrics[0]


def test_without_disparity_the_gap_is_called_at_its_level_and_expected_by_chance():
    found = list(_runs([60, 200, 120, 90], [0.7] * 4, 200))
    band = binomial_band(0.05, 200, 0.999)
    assert np.mean([entry.difference.null.p <= 0.05 for entry in found]) <= band.high
    gaps = np.array([entry.difference.value for entry in found])
    excess = gaps - [entry.difference.by_chance for entry in found]
    assert gaps.mean() > 0.08
    assert abs(excess.mean()) < 3 * excess.std() / np.sqrt(200)
    assert np.mean([entry.difference.interval.low > 0 for entry in found]) <= binomial_band(0.025, 200).high


@pytest.mark.parametrize(
    ("sizes", "rates"),
    [([40, 200, 30], [0.5, 0.9, 0.8]), ([15, 15, 15, 300], [0.97, 0.97, 0.97, 0.99]), ([50, 50], [0.8, 0.8])],
)
def test_every_interval_holds_its_level(sizes, rates):
    rates, weights = np.array(rates), np.array(sizes) / sum(sizes)
    whole = float(rates @ weights)
    true = {
        "difference": np.ptp(rates),
        "difference_to_overall": abs(rates - whole).max(),
        "ratio": rates.min() / rates.max(),
        "ratio_to_overall": np.minimum(rates / whole, whole / rates).min(),
        "worst": rates.min(),
    }
    found = list(_runs(sizes, rates, 150))
    least = binomial_band(0.95, 150, 0.999).low
    for name, value in true.items():
        ends = [getattr(entry, name).interval for entry in found]
        assert np.mean([end.low - 1e-9 <= value <= end.high + 1e-9 for end in ends]) >= least, name


def test_a_real_gap_is_found():
    found = list(_runs([200, 200, 200], [0.9, 0.9, 0.7], 20))
    assert all(entry.difference.null.p <= 0.01 for entry in found)
    assert all(entry.worst.group == "2" for entry in found)
    assert np.mean([entry.difference.interval.low > 0 for entry in found]) >= 0.9


def test_rows_of_one_cluster_are_no_independent_evidence(rng):
    """Ten copies of each person: what is judged by rows is called far too often, by clusters at its level."""
    alarms = {"rows": 0, "clusters": 0}
    owners = np.repeat(np.arange(40), 10)
    for seed in range(60):
        hits = np.repeat(rng.integers(0, 2, 40), 10)
        groups = {"g": np.repeat(rng.permutation(40) % 2, 10)}
        for way, clusters in (("rows", None), ("clusters", owners)):
            options = GroupOptions(draws=99, seed=seed, clusters=clusters)
            found = by_group(["accuracy"], np.ones(400, int), hits, groups, options).metrics[0]
            alarms[way] += found.difference.null.p <= 0.05
    assert alarms["rows"] >= 20
    assert alarms["clusters"] <= binomial_band(0.05, 60, 0.999).high * 60


def test_copies_do_not_narrow_the_interval():
    hits, groups = np.array([1, 0, 1, 1, 1, 1] * 5), {"g": ["a", "b"] * 15}
    alone = by_group(["accuracy"], np.ones(30, int), hits, groups, QUICK).metrics[0].groups[0].interval
    owners = np.repeat(np.arange(30), 4)
    copied = by_group(
        ["accuracy"],
        np.ones(120, int),
        np.repeat(hits, 4),
        {"g": np.repeat(groups["g"], 4)},
        GroupOptions(draws=99, clusters=owners),
    )
    found = copied.metrics[0].groups[0].interval
    assert found.high - found.low >= alone.high - alone.low


def test_clusters_that_cross_groups_are_shuffled_within(people):
    truth, guess, groups = people
    options = GroupOptions(draws=99, clusters=np.arange(300) // 2)
    null = by_group(["accuracy"], truth, guess, groups, options).of("accuracy", "sex").difference.null
    assert "of each cluster" in null.kind


def test_auc_null_holds_where_groups_differ_in_how_often_the_class_is_true(rng):
    alarms = 0
    groups = np.repeat(["a", "b"], [60, 120])
    for seed in range(40):
        truth = (rng.random(180) < np.where(groups == "a", 0.8, 0.3)).astype(int)
        scores = rng.normal(size=180) + truth
        options = GroupOptions(draws=59, seed=seed)
        found = by_group(["auc"], truth, scores, {"g": groups}, options).metrics[0]
        alarms += found.difference.null.p <= 0.05
    assert alarms <= binomial_band(0.05, 40, 0.999).high * 40


def test_shuffled_proportions_are_hypergeometric():
    hits = np.array([1] * 10 + [0] * 30)
    cells = ["a"] * 10 + ["b"] * 30
    found = by_group(["accuracy"], np.ones(40, int), hits, {"g": cells}, GroupOptions(draws=4000))
    counts = np.arange(11)
    expected = stats.hypergeom(40, 10, 10).pmf(counts) @ abs(counts / 10 - (10 - counts) / 30)
    assert found.metrics[0].difference.by_chance == pytest.approx(expected, abs=0.006)


def test_the_same_seed_gives_the_same_numbers(people):
    assert by_group(["accuracy"], *people, QUICK) == by_group(["accuracy"], *people, QUICK)


def test_requests_that_cannot_be_met(people):
    truth, guess, groups = people
    with pytest.raises(UnknownNameError, match="accuracy"):
        by_group(["acuracy"], truth, guess, groups)
    with pytest.raises(RequestError, match="probabilities"):
        by_group(["mean-confidence"], truth, guess, groups)
    with pytest.raises(RequestError, match="entries"):
        by_group(["accuracy"], truth, guess, {"sex": ["f"]})
    with pytest.raises(RequestError, match="not among"):
        by_group(["accuracy"], truth, guess, groups, GroupOptions(categories={"sex": ["f"]}))
    with pytest.raises(RequestError, match="missing"):
        by_group(["accuracy"], truth, guess, {"sex": [None] * 300})
    with pytest.raises(RequestError, match="clusters"):
        by_group(["accuracy"], truth, guess, groups, GroupOptions(clusters=[1]))
    with pytest.raises(RequestError, match="each of the"):
        by_group({"own": np.zeros(3)}, truth, guess, groups)
    with pytest.raises(RequestError, match="true classes"):
        by_group(["accuracy"], truth[:5], guess, groups)


def test_a_metric_of_one_s_own(people):
    truth, guess, groups = people
    near = Metric("agreement", per_row=lambda seen: (seen.labels == seen.outputs).astype(float))
    found = by_group({"agreement": near, "accuracy": "accuracy"}, truth, guess, groups, QUICK)
    assert found.of("agreement", "sex").groups[0].value == found.of("accuracy", "sex").groups[0].value
    with pytest.raises(UnknownNameError):
        found.of("accuracy", "height")
