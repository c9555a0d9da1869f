import numpy as np
import pytest
from scipy import special, stats
from sklearn.metrics import roc_auc_score

from biaskit.concepts.probe_auc import FoldScores, clustered_auc
from biaskit.records.estimate import Unit


def cross_validated(rng, *, shift, repeats, groups=20, rows=4):
    """A mean-difference probe on repeated 5-fold cross-validation, and its probes' true mean AUC."""
    label = np.arange(2 * groups) < groups
    centre = np.zeros(20)
    centre[0] = shift
    means = rng.normal(size=(2 * groups, 20)) / 2 + np.where(label[:, None], centre, 0)
    activations = means.repeat(rows, 0) + rng.normal(size=(2 * groups * rows, 20))
    target, unit = label.repeat(rows), np.arange(2 * groups).repeat(rows)
    folds, truth = [], []
    for _ in range(repeats):
        part = np.concatenate([rng.permutation(groups), rng.permutation(groups)]) % 5
        for number in range(5):
            test = part[unit] == number
            weight = activations[~test & target].mean(0) - activations[~test & ~target].mean(0)
            folds.append(FoldScores(activations[test] @ weight, target[test], unit[test]))
            truth.append(stats.norm.cdf(weight @ centre / np.sqrt(2.5 * weight @ weight)))
    return folds, float(np.mean(truth))


@pytest.mark.parametrize("repeats", [1, 5])
def test_a_null_is_covered_though_groups_come_back_in_every_repeat(repeats):
    """Resampled within each fold, five repeats would cover half of the time at a nominal 0.95."""
    rng = np.random.default_rng(0)
    intervals = [
        clustered_auc(cross_validated(rng, shift=0.0, repeats=repeats)[0]).interval for _ in range(150)
    ]
    assert np.mean([0.5 in interval for interval in intervals]) >= 0.92
    assert np.mean([interval.low > 0.5 for interval in intervals]) <= 0.05


def held_out_at_random(rng, share, repeats):
    """A mean-difference probe on noise, on random halves, fifths or the like of 20 + 20 groups of 4 rows."""
    target, unit = (np.arange(40) < 20).repeat(4), np.arange(40).repeat(4)
    activations = (rng.normal(size=(40, 20)) / 2).repeat(4, 0) + rng.normal(size=(160, 20))
    for _ in range(repeats):
        tested = np.concatenate(
            [rng.permutation(20)[: round(20 * share)], 20 + rng.permutation(20)[: round(20 * share)]]
        )
        test = np.isin(unit, tested)
        weight = activations[~test & target].mean(0) - activations[~test & ~target].mean(0)
        yield FoldScores(activations[test] @ weight, target[test], unit[test])


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_null_is_covered_where_most_groups_are_tested(share):
    rng = np.random.default_rng(5)
    intervals = [clustered_auc(list(held_out_at_random(rng, share, 10))).interval for _ in range(100)]
    assert np.mean([0.5 in interval for interval in intervals]) >= 0.92


def test_a_signal_is_covered_and_seen():
    rng = np.random.default_rng(1)
    drawn = [cross_validated(rng, shift=1.5, repeats=3) for _ in range(80)]
    intervals = [clustered_auc(folds).interval for folds, _ in drawn]
    assert np.mean([truth in found for (_, truth), found in zip(drawn, intervals, strict=True)]) >= 0.92
    assert np.mean([found.low > 0.5 for found in intervals]) >= 0.9


def test_repeating_the_same_folds_tells_nothing_more():
    folds, _ = cross_validated(np.random.default_rng(2), shift=1.0, repeats=1)
    once, thrice = clustered_auc(folds), clustered_auc(folds * 3)
    assert thrice.value == pytest.approx(once.value)
    assert thrice.n == once.n == 40
    assert (thrice.interval.low, thrice.interval.high) == pytest.approx(
        (once.interval.low, once.interval.high)
    )


def test_single_rows_give_delongs_variance():
    rng = np.random.default_rng(3)
    target = np.arange(60) < 25
    scores = np.round(rng.normal(size=60) + target, 1)
    found = clustered_auc([FoldScores(scores, target, np.arange(60))])
    order = (np.sign(scores[target][:, None] - scores[~target][None, :]) + 1) / 2
    variance = order.mean(1).var(ddof=1) / 25 + order.mean(0).var(ddof=1) / 35
    value = roc_auc_score(target, scores)
    pairs, drawn_in = 25 * 35, stats.norm.ppf(0.975) ** 2
    drawn = (pairs * value + drawn_in / 2) / (pairs + drawn_in)
    half = (
        stats.t.ppf(0.975, 24)
        * np.sqrt(variance)
        / (np.array([drawn, value]) * (1 - np.array([drawn, value])))
    )
    expected = special.expit(special.logit([drawn, value]) + half * [-1, 1])
    assert found.value == pytest.approx(value)
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(expected))
    assert "widened" not in found.interval.method


def test_it_says_what_the_groups_are():
    folds, _ = cross_validated(np.random.default_rng(4), shift=1.0, repeats=1)
    found = clustered_auc(folds, "authors")
    assert (found.resampling_unit, found.unit) == ("authors", Unit.AUC)
    assert "authors" in found.method
    assert "cluster-robust over authors" in found.interval.method
    assert "widened for shared training rows" in found.interval.method


def by_word(order, rows=6):
    """Two folds of the same words; `order` shifts the positives' scores, all or no pairs hold."""
    target, groups = np.repeat([True, False], 10 * rows), np.arange(20).repeat(rows)
    scores = np.concatenate([np.linspace(0, 1, 10 * rows) + order, np.linspace(0, 1, 10 * rows)])
    return [FoldScores(scores, target, groups)] * 2


def test_all_pairs_in_order_never_look_less_sure_than_nearly_all():
    shifts = np.linspace(1.001, 0.0, 200)
    found = [clustered_auc(by_word(shift)) for shift in shifts]
    values, lows = [one.value for one in found], [one.interval.low for one in found]
    assert values[0] == 1.0
    assert 0.8 < lows[0] < 1
    assert found[0].interval.high == 1.0
    assert np.all(np.diff(values) <= 0)
    assert np.all(np.diff(lows) <= 1e-9), "the lower end falls with the AUC"
    near = next(one for one in found if one.value < 1)
    assert near.value > 0.999
    assert lows[0] - near.interval.low < 0.02, "without a jump"


def test_no_pairs_in_order_mirror_all_of_them():
    above, below = clustered_auc(by_word(2.0)).interval, clustered_auc(by_word(-2.0)).interval
    assert (below.low, below.high) == pytest.approx((1 - above.high, 1 - above.low))


@pytest.mark.parametrize(("shift", "groups", "rows"), [(4.0, 20, 4), (4.0, 10, 4), (5.0, 10, 4), (5.0, 8, 8)])
def test_an_auc_near_one_is_covered(shift, groups, rows):
    """Where a fifth to two thirds of the data sets have all their pairs in order."""
    rng = np.random.default_rng(6)
    drawn = [cross_validated(rng, shift=shift, repeats=1, groups=groups, rows=rows) for _ in range(150)]
    covered = [truth in clustered_auc(folds).interval for folds, truth in drawn]
    assert np.mean(covered) >= 0.93


def test_scores_that_all_tie_rank_nothing_and_say_so():
    target, groups = np.tile([False, True], 10), np.arange(20)
    found = clustered_auc([FoldScores(np.zeros(20), target, groups)] * 2)
    assert (found.value, found.interval) == (0.5, None)
    assert found.reason == "no ranking: all scores tie"
    some = np.where(groups == 3, 1.0, 0.0)
    assert clustered_auc([FoldScores(some, target, groups)] * 2).interval is not None


def test_certainty_is_a_score_like_any_other():
    target = np.array([True, True, False, False])
    scores = np.array([np.inf, 0.0, -np.inf, np.inf])
    assert clustered_auc([FoldScores(scores, target, np.arange(4))]).value == pytest.approx(2.5 / 4)


def test_folds_of_one_group_a_class_have_no_interval_and_say_why():
    folds = [
        FoldScores(np.array([float(i), 1.0]), np.array([True, False]), np.array([2 * i, 2 * i + 1]))
        for i in range(4)
    ]
    found = clustered_auc(folds)
    assert found.interval is None
    assert "no fold holds two fillers of each class" in found.reason
