"""The regimes: published grids and counts where rows stand alone, whole groups where they do not."""

from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biaskit.errors import RequestError
from biaskit.probing.evaluation import Task, evaluate
from biaskit.probing.logistic import Logistic
from biaskit.probing.problem import Problem
from biaskit.probing.regimes import FLIPS, RATIOS, SIZES, imbalance, label_noise, left_out, scarcity, shift
from biaskit.probing.splits import GroupFolds


def alone(positive, negative):
    """A problem in which every row is its own group."""
    labels = np.random.default_rng(0).permutation(np.repeat([True, False], [positive, negative]))
    return Problem("alone", labels, np.arange(len(labels)), "distinct texts")


def fillers(per_class=8, templates=50):
    """Words of one class each, every word in every template."""
    groups = np.repeat(np.arange(2 * per_class), templates)
    return Problem("food", groups % 2 == 0, groups, "fillers", np.tile(np.arange(templates), 2 * per_class))


def mixed_groups(seed, rows=300, groups=12):
    rng = np.random.default_rng(seed)
    return Problem("mixed", rng.random(rows) < 0.4, rng.integers(groups, size=rows), "authors")


def rng():
    return np.random.default_rng(5)


def share(problem, rows):
    return problem.labels[rows].mean()


def whole(problem, split):
    return not set(problem.groups[split.train]) & set(problem.groups[split.test])


REGIMES = (scarcity, imbalance, label_noise)


def test_the_grids_are_the_published_ones():
    assert tuple(np.unique(np.round(np.logspace(1, 10, 20, base=2)).astype(int))) == SIZES
    np.testing.assert_allclose(RATIOS, np.linspace(0.05, 0.95, 19))
    np.testing.assert_allclose(FLIPS, np.linspace(0, 0.5, 11))


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("problem", [alone(400, 350), fillers(), mixed_groups(1)], ids=lambda p: p.name)
def test_no_row_is_used_twice_and_no_group_stands_on_both_sides(regime, problem):
    splits = regime(problem, 3, rng())
    assert {split.tags["repeat"] for split in splits} == {0, 1, 2}
    for split in splits:
        assert whole(problem, split)
        for rows in (split.train, split.test):
            assert len(np.unique(rows)) == len(rows) > 0
            assert 0 < share(problem, rows) < 1


@given(
    labels=st.lists(st.booleans(), min_size=4, max_size=60),
    groups=st.lists(st.integers(0, 6), min_size=60, max_size=60),
    seed=st.integers(0, 99),
)
def test_any_problem_is_divided_or_refused(labels, groups, seed):
    labels = np.array([True, False, *labels])
    problem = Problem("any", labels, np.array([0, 1, *groups])[: len(labels)], "groups")
    for regime in REGIMES:
        splits = ()
        with suppress(RequestError):
            splits = regime(problem, 2, np.random.default_rng(seed))
        assert all(whole(problem, split) and 0 < share(problem, split.test) < 1 for split in splits)


def test_scarcity_is_balanced_exact_and_nested():
    problem = alone(1200, 700)
    splits = scarcity(problem, 1, rng())
    assert [split.tags["x"] for split in splits] == list(SIZES)
    for split in splits:
        size = split.tags["x"]
        assert len(split.train) == size
        assert problem.labels[split.train].sum() == -(-size // 2)
        assert len(split.test) == len(problem) - size
    for smaller, larger in pairwise(splits):
        assert set(smaller.train) < set(larger.train)


def test_small_data_keep_a_fifth_for_the_test_and_say_what_does_not_fit():
    problem = alone(50, 50)
    splits = scarcity(problem, 2, rng())
    assert max(split.tags["x"] for split in splits) == 74
    assert all(len(split.test) >= 20 for split in splits)
    assert left_out(splits, SIZES, 2) == (
        "Left out as the rows do not allow them: 103, 143, 198, 275, 382, 531, 737, 1024."
    )
    assert left_out(splits, SIZES[:9], 2) == ""
    assert "some of 3 repeats only: 2 (2)" in left_out(splits, SIZES[:1], 3)


def test_large_groups_meet_a_size_row_by_row():
    problem = fillers()
    splits = {split.tags["x"]: split for split in scarcity(problem, 1, rng())}
    assert len(splits[3].train) == 3
    assert len(splits[275].train) == 275
    touched = len(np.unique(problem.groups[splits[275].train]))
    assert len(splits[275].test) == len(problem) - 50 * touched
    assert touched == 16 - 2


def test_imbalance_has_one_size_and_one_ratio_on_both_sides():
    problem = alone(900, 900)
    splits = imbalance(problem, 1, rng())
    assert [split.tags["x"] for split in splits] == list(RATIOS)
    total = int(900 / 0.95)
    assert {len(split.train) for split in splits} == {total - 100}
    assert {len(split.test) for split in splits} == {100}
    for split in splits:
        assert share(problem, split.train) == pytest.approx(split.tags["x"], abs=1 / len(split.train))
        assert share(problem, split.test) == pytest.approx(split.tags["x"], abs=1 / len(split.test))


def test_imbalance_caps_the_training_rows():
    splits = imbalance(alone(2000, 2000), 1, rng())
    assert {len(split.train) for split in splits} == {1024}
    assert {len(split.test) for split in splits} == {int(2000 / 0.95) - 1024}


def test_imbalance_holds_its_ratio_between_groups():
    problem = fillers()
    for split in imbalance(problem, 2, rng()):
        assert share(problem, split.train) == pytest.approx(
            split.tags["x"], abs=0.5 / len(split.train) + 1e-9
        )
        assert share(problem, split.test) == pytest.approx(split.tags["x"], abs=0.5 / len(split.test) + 1e-9)


def test_imbalance_mixes_classes_evenly_in_order():
    """Some inner rules hold out the last training rows: they must hold the same share."""
    problem = alone(900, 900)
    for split in imbalance(problem, 1, rng()):
        assert share(problem, split.train[-100:]) == pytest.approx(split.tags["x"], abs=0.02)


def test_test_rows_are_drawn_from_everywhere():
    problem = alone(900, 900)
    tests = [split.test for split in imbalance(problem, 5, rng(), ratios=(0.3, 0.5, 0.7))]
    assert np.mean(np.concatenate(tests)) == pytest.approx(900, abs=60)


def test_ratios_without_a_row_of_a_class_are_left_out():
    splits = imbalance(alone(12, 12), 1, rng())
    assert 0.05 not in {split.tags["x"] for split in splits}
    assert 0.5 in {split.tags["x"] for split in splits}
    assert "0.05" in left_out(splits, RATIOS, 1)


@pytest.mark.parametrize("problem", [alone(400, 350), fillers()], ids=lambda problem: problem.name)
def test_noise_flips_training_labels_alone(problem):
    splits = label_noise(problem, 2, rng())
    assert [split.tags["x"] for split in splits] == list(FLIPS) * 2
    for split in splits:
        wrong = np.flatnonzero(split.labels != problem.labels)
        assert set(wrong) <= set(split.train)
        assert len(wrong) == round(split.tags["x"] * len(split.train))
        assert problem.labels[wrong].sum() == pytest.approx(len(wrong) / 2, abs=0.5)
        assert share(problem, split.train) == pytest.approx(0.5, abs=1 / len(split.train))


def test_noise_is_nested_over_the_same_rows():
    problem = alone(400, 350)
    splits = label_noise(problem, 1, rng())
    for smaller, larger in pairwise(splits):
        assert np.array_equal(smaller.train, larger.train)
        assert np.array_equal(smaller.test, larger.test)
        flipped = [set(np.flatnonzero(split.labels != problem.labels)) for split in (smaller, larger)]
        assert flipped[0] < flipped[1]


def test_half_of_the_labels_wrong_tell_nothing():
    """At a flip share of one half the told labels are exactly uncorrelated with the true ones."""
    problem = alone(400, 400)
    split = label_noise(problem, 1, rng(), flips=(0.5,))[0]
    told, true = split.labels[split.train], problem.labels[split.train]
    assert abs(np.corrcoef(told, true)[0, 1]) < 0.01


def test_repeats_differ_and_a_seed_repeats_them():
    problem = alone(100, 100)
    first, second = scarcity(problem, 2, rng(), sizes=(20,))
    assert set(first.train) != set(second.train)
    again = scarcity(problem, 2, rng(), sizes=(20,))
    assert np.array_equal(again[1].train, second.train)


def test_every_row_is_as_likely_to_be_trained_on():
    problem = fillers(per_class=4, templates=5)
    hits = np.zeros(len(problem))
    for split in scarcity(problem, 2000, rng(), sizes=(4,)):
        hits[split.train] += 1
    expected = 2000 * 4 / len(problem)
    # Rows of a group come and go together, which widens the spread a little.
    assert (np.abs(hits - expected) < 5 * np.sqrt(expected)).all()


def test_a_shifted_twin_is_tested_whole():
    inside, outside = fillers(), alone(30, 40)
    both, split = shift(inside, outside)
    assert len(both) == len(inside) + len(outside)
    assert np.array_equal(split.train, np.arange(len(inside)))
    assert np.array_equal(both.labels[split.test], outside.labels)
    assert whole(both, split)
    assert both.crossed is None
    assert len(np.unique(both.groups)) == len(np.unique(inside.groups)) + len(outside)
    assert split.tags["regime"] == "shift"


def test_groups_that_stand_on_both_sides_leave_the_training_rows():
    inside = fillers()
    outside = Problem("food", np.array([True, False]), np.array([0, 1]), "fillers", np.array([0, 0]))
    both, split = shift(inside, outside, same_groups=True)
    assert whole(both, split)
    assert len(split.train) == len(inside) - 100
    assert both.crossed is not None
    with pytest.raises(RequestError, match="share all groups"):
        shift(inside, inside, same_groups=True)


@pytest.mark.parametrize("regime", REGIMES)
def test_a_class_of_one_group_is_refused(regime):
    problem = Problem("lone", np.arange(30) < 10, np.where(np.arange(30) < 10, 0, np.arange(30)), "fillers")
    with pytest.raises(RequestError, match="two fillers"):
        regime(problem, 1, rng())


def test_levels_out_of_range_are_refused():
    with pytest.raises(RequestError, match="strictly"):
        imbalance(alone(50, 50), 1, rng(), ratios=(0.5, 1.0))
    with pytest.raises(RequestError, match="between 0 and 1"):
        label_noise(alone(50, 50), 1, rng(), flips=(1.5,))


@pytest.fixture
def planted():
    """Groups of five rows, a signal along one coordinate, and what a group shares besides."""
    generator = np.random.default_rng(8)
    groups = np.repeat(np.arange(120), 5)
    problem = Problem("planted", groups % 2 == 0, groups, "fillers")
    rows = generator.normal(size=(600, 30)) + generator.normal(size=(120, 30))[groups]
    rows[:, 0] += 3 * problem.labels
    return rows.astype(np.float32), problem


def curve(rows, problem, splits):
    found = evaluate(Task(rows, problem, splits), Logistic((0.01,)), GroupFolds(3), rng())[""]
    levels = dict.fromkeys(fold.split.tags["x"] for fold in found.folds)
    return {
        level: np.mean([fold.metrics.auc for fold in found.folds if fold.split.tags["x"] == level])
        for level in levels
    }


def test_more_rows_are_read_better(planted):
    found = curve(*planted, scarcity(planted[1], 10, rng(), sizes=(4, 20, 103, 382)))
    assert list(found.values()) == sorted(found.values())
    assert found[4] < 0.75 < 0.9 < found[382]


def test_wrong_labels_are_read_worse_and_half_of_them_not_at_all(planted):
    found = curve(*planted, label_noise(planted[1], 10, rng(), flips=(0.0, 0.3, 0.5)))
    assert found[0.0] > found[0.3] + 0.03 > 0.6
    assert found[0.5] == pytest.approx(0.5, abs=0.1)


def test_a_ratio_alone_moves_the_auc_little(planted):
    found = curve(*planted, imbalance(planted[1], 10, rng(), ratios=(0.2, 0.5, 0.8)))
    assert min(found.values()) > 0.85


def test_a_shift_is_seen(planted):
    """Elsewhere the signal points the other way."""
    rows, problem = planted
    elsewhere = rows.copy()
    elsewhere[:, 0] *= -1
    both, split = shift(problem, problem)
    found = curve(np.concatenate([rows, elsewhere]), both, (split,))
    assert found[1] < 0.25
