from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biaskit.errors import RequestError
from biaskit.probing.problem import Problem
from biaskit.probing.splits import GroupFolds, nested_splits, same_text_groups, template_splits


def problem(groups=20, rows=4, **given):
    """Fillers of one class each, every one in each of `rows` templates."""
    unit = np.repeat(np.arange(groups), rows)
    return Problem("food", unit % 2 == 0, unit, "fillers", **given)


def test_every_row_is_tested_once_a_repeat_and_no_group_is_on_both_sides():
    food = problem()
    found = nested_splits(food, 3, 5, np.random.default_rng(0))
    assert (found.folds, found.dropped, found.notes) == (5, 0, ())
    for repeat in range(3):
        tested = [split.test for split in found.splits if split.tags["repeat"] == repeat]
        assert sorted(np.concatenate(tested)) == list(range(80))
    for split in found.splits:
        assert not set(food.groups[split.train]) & set(food.groups[split.test])
        assert len(split.train) + len(split.test) == 80
        assert food.labels[split.test].mean() == pytest.approx(0.5)
    assert Counter(split.tags["fold"] for split in found.splits) == dict.fromkeys(range(5), 3)


def test_repeats_differ_and_the_seed_decides():
    def tests(seed):
        splits = nested_splits(problem(), 2, 5, np.random.default_rng(seed)).splits
        return [split.test.tolist() for split in splits]

    assert tests(0) == tests(0)
    assert tests(0) != tests(1)
    assert tests(0)[:5] != tests(0)[5:]


def test_rows_that_are_groups_of_their_own_are_stratified():
    labels = np.arange(90) % 3 == 0
    found = nested_splits(
        Problem("x", labels, np.arange(90), "distinct texts"), 1, 5, np.random.default_rng(0)
    )
    assert [int(labels[split.test].sum()) for split in found.splits] == [6] * 5


def test_a_class_with_few_groups_gets_fewer_folds_and_says_so():
    unit = np.repeat(np.arange(12), 2)
    found = nested_splits(Problem("food", unit < 3, unit, "fillers"), 2, 5, np.random.default_rng(0))
    assert found.folds == 3
    assert len(found.splits) == 6
    assert "3 folds, not 5: a class has 3 fillers" in found.notes[0]


def test_a_single_group_is_refused_with_the_way_out():
    unit = np.repeat(np.arange(10), 3)
    with pytest.raises(
        RequestError, match=r"positive rows of .* belong together \(fillers: 1\)(.|\n)*at least 2 fillers"
    ):
        nested_splits(Problem("food", unit == 0, unit, "fillers"), 1, 5, np.random.default_rng(0))


@pytest.mark.parametrize(("repeats", "folds"), [(0, 5), (1, 1)])
def test_no_folds_are_refused(repeats, folds):
    with pytest.raises(RequestError, match="at least 1 repeat of 2 folds"):
        nested_splits(problem(), repeats, folds, np.random.default_rng(0))


def test_folds_without_a_class_are_dropped_and_counted():
    """All negatives but one row stand in one group, so one of two folds can lack them."""
    groups = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    labels = np.array([True, False, True, True, True, True, True, False])
    found = nested_splits(Problem("x", labels, groups, "authors"), 40, 2, np.random.default_rng(0))
    assert len(found.splits) + found.dropped == 80
    for split in found.splits:
        assert len(set(labels[split.train])) == len(set(labels[split.test])) == 2


def test_dropped_folds_are_said():
    groups = np.array([0, 0, 0, 0, 1, 2])
    labels = np.array([True, True, False, False, True, False])
    with pytest.raises(RequestError, match="No fold of 'x' holds both classes on both sides"):
        nested_splits(Problem("x", labels, groups, "authors"), 1, 2, np.random.default_rng(0))
    mixed = Problem("x", np.tile(labels, 2), np.concatenate([groups, groups + 3]), "authors")
    found = nested_splits(mixed, 20, 4, np.random.default_rng(0))
    assert found.dropped > 0
    assert found.notes[-1].startswith(f"{found.dropped} of 80 folds of 'x' lacked a class")


def test_template_splits_keep_templates_whole_and_share_fillers():
    crossed = np.tile(np.arange(6), 20)
    food = problem(rows=6, crossed=crossed)
    found = template_splits(food, 1, 3, np.random.default_rng(0))
    for split in found.splits:
        assert not set(crossed[split.train]) & set(crossed[split.test])
        assert set(food.groups[split.train]) == set(food.groups[split.test])


def test_template_splits_need_templates():
    with pytest.raises(RequestError, match="not made from templates"):
        template_splits(problem(), 1, 3, np.random.default_rng(0))


def test_inner_folds_stay_inside_the_training_rows():
    food = problem()
    train = np.flatnonzero(food.groups % 5 != 0)
    pairs = GroupFolds(4).folds(food.labels, food.groups, train, np.random.default_rng(0))
    assert sorted(np.concatenate([held for _, held in pairs])) == train.tolist()
    for fit, held in pairs:
        assert set(fit) | set(held) == set(train)
        assert not set(food.groups[fit]) & set(food.groups[held])


def test_too_few_groups_give_no_inner_folds():
    food = problem(groups=3)
    assert GroupFolds(5).folds(food.labels, food.groups, np.arange(12), np.random.default_rng(0)) == []


def test_the_same_text_is_one_group_whatever_its_case_and_spaces():
    found = same_text_groups(["Good  food", "good food ", "bad food"])
    assert found.groups.tolist() == [0, 0, 1] or found.groups.tolist() == [1, 1, 0]
    assert found.grouping == "distinct texts"
    assert found.note == "1 row repeats a text that stands before it."


def test_groups_that_share_a_text_are_joined():
    found = same_text_groups(["a", "b", "A", "c", "d"], ["x", "x", "y", "z", "z"], "author")
    assert found.groups.tolist() == [0, 0, 0, 1, 1]
    assert found.grouping == "author"
    assert "Groups joined by a text that they share: 1." in found.note


def test_an_empty_cell_is_a_group_of_its_own():
    found = same_text_groups(["a", "b", "c", "d"], ["", " ", "x", "x"], "author")
    assert len(set(found.groups)) == 3
    assert found.note == "Rows with an empty 'author', each a group of its own: 2."


def test_a_column_that_is_empty_throughout_is_refused():
    with pytest.raises(RequestError, match=r"'author' is empty in every row(.|\n)*leave the column out"):
        same_text_groups(["a", "b"], ["", "  "], "author")


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["", "x", "y", "z"])), min_size=1))
def test_groups_are_the_connected_components(rows):
    texts, cells = [row[0] for row in rows], [row[1] for row in rows]
    if not any(cells):
        return
    reach = np.array([[a == c or (b == d and b != "") for c, d in rows] for a, b in rows])
    for _ in rows:
        reach = (reach.astype(int) @ reach) > 0
    groups = same_text_groups(texts, cells).groups
    assert (reach == (groups[:, None] == groups[None, :])).all()
