"""Controls: shuffled labels stay chance, a control task is learnt by heart, selectivity tells them apart."""

import numpy as np
import pytest

from biaskit.errors import RequestError
from biaskit.probing.controls import by_template, control_task, selectivity, shuffled
from biaskit.probing.evaluation import Task, evaluate
from biaskit.probing.logistic import Logistic
from biaskit.probing.problem import Problem
from biaskit.probing.splits import GroupFolds, nested_splits

WORDS, TEMPLATES = 30, 12


def crossed(words=WORDS, templates=TEMPLATES):
    """Every word in every template; a word is of one class."""
    groups = np.repeat(np.arange(words), templates)
    return Problem("food", groups % 2 == 0, groups, "fillers", np.tile(np.arange(templates), words))


def by_word(problem):
    """The label of each group, where all of its rows agree."""
    return {group: set(problem.labels[problem.groups == group]) for group in np.unique(problem.groups)}


def test_shuffling_keeps_groups_whole_and_the_balance(rng):
    problem = crossed()
    for _ in range(20):
        other = shuffled(problem, rng)
        assert all(len(labels) == 1 for labels in by_word(other).values())
        assert other.labels.sum() == problem.labels.sum()
        assert other.groups is problem.groups
        assert not np.array_equal(other.labels, problem.labels)


def test_shuffled_labels_are_unrelated_to_the_true_ones(rng):
    problem = crossed()
    agreement = [(shuffled(problem, rng).labels == problem.labels).mean() for _ in range(300)]
    assert np.mean(agreement) == pytest.approx(0.5, abs=0.02)


def test_groups_of_unequal_size_keep_the_balance_nearly(rng):
    groups = np.repeat(np.arange(20), np.arange(1, 21) * 2)
    problem = Problem("unequal", groups % 3 == 0, groups, "authors")
    balance = problem.labels.mean()
    off = [abs(shuffled(problem, rng).labels.mean() - balance) for _ in range(30)]
    assert np.mean(off) < 0.03


def test_groups_that_hold_both_classes_pass_their_labels_on(rng):
    groups = np.repeat(np.arange(10), 8)
    labels = np.tile(np.arange(8) < 2, 10)
    labels[:8] = True
    other = shuffled(Problem("mixed", labels, groups, "authors"), rng)
    assert other.labels.sum() == labels.sum()
    shares = sorted(other.labels.reshape(10, 8).sum(axis=1))
    assert shares == [2] * 9 + [8]


def test_a_probe_reads_nothing_from_shuffled_labels(rng):
    """And the true labels it does read, so that the control could have failed."""
    problem = crossed(words=40, templates=6)
    rows = rng.normal(size=(len(problem), 8)).astype(np.float32)
    rows += rng.normal(size=(40, 8))[problem.groups]
    rows[:, 0] += 3 * problem.labels
    true = evaluate(_task(rows, problem, rng), Logistic((0.1,)), GroupFolds(3), rng)[""].auc
    floor = []
    for _ in range(30):
        other = shuffled(problem, rng)
        floor.append(evaluate(_task(rows, other, rng), Logistic((0.1,)), GroupFolds(3), rng)[""].auc)
    assert true > 0.9
    assert abs(np.mean(floor) - 0.5) < 3 * np.std(floor, ddof=1) / np.sqrt(30) + 0.02


def _task(rows, problem, rng):
    return Task(rows, problem, nested_splits(problem, 1, 5, rng).splits)


def test_a_control_task_labels_words_and_splits_templates(rng):
    problem = crossed()
    control = control_task(problem, rng)
    words = [set(control.labels[problem.groups == word]) for word in range(WORDS)]
    assert all(len(labels) == 1 for labels in words)
    assert sum(True in labels for labels in words) == WORDS // 2
    assert np.array_equal(control.groups, problem.crossed)
    assert control.grouping == "templates"
    agreement = [(control_task(problem, rng).labels == problem.labels).mean() for _ in range(300)]
    assert np.mean(agreement) == pytest.approx(0.5, abs=0.02)


def test_without_templates_there_is_no_control_task(rng):
    problem = Problem("texts", np.array([True, False]), np.array([0, 1]), "distinct texts")
    with pytest.raises(RequestError, match="no templates"):
        control_task(problem, rng)


def _selectivity(rows, problem, rng):
    task, control = by_template(problem), control_task(problem, rng)
    splits = nested_splits(task, 2, 4, rng).splits
    found = [
        evaluate(Task(rows, one, splits), Logistic((1.0,)), GroupFolds(3), rng)[""] for one in (task, control)
    ]
    return selectivity(*found), found


def test_knowing_the_words_by_heart_has_no_selectivity(rng):
    """Every word has a code of its own and nothing else: task and control are equally easy."""
    problem = crossed()
    rows = (5 * np.eye(WORDS)[problem.groups]).astype(np.float32)
    found, (task, control) = _selectivity(rows, problem, rng)
    assert task.folds[0].metrics.accuracy == control.folds[0].metrics.accuracy == 1
    assert found.value == 0


def test_an_encoded_concept_is_selective(rng):
    problem = crossed()
    rows = rng.normal(size=(len(problem), 4)).astype(np.float32)
    rows[:, 0] += 6 * problem.labels
    found, (task, _) = _selectivity(rows, problem, rng)
    accuracy = np.mean([fold.metrics.accuracy for fold in task.folds])
    assert accuracy > 0.95
    assert found.value == pytest.approx(accuracy - 0.5, abs=0.15)
    assert found.interval.low > 0
    assert found.minimum_detectable_effect > 0
    assert found.resampling_unit == "templates x words"


def test_selectivity_is_the_difference_of_accuracies(rng):
    problem = crossed()
    rows = rng.normal(size=(len(problem), 6)).astype(np.float32)
    rows[:, 0] += problem.labels
    found, evaluations = _selectivity(rows, problem, rng)
    sizes = [len(fold.split.test) for fold in evaluations[0].folds]
    accuracies = [
        np.average([fold.metrics.accuracy for fold in one.folds], weights=sizes) for one in evaluations
    ]
    assert found.value == pytest.approx(accuracies[0] - accuracies[1])
    assert found.n == len(problem)


def test_selectivity_needs_the_same_splits(rng):
    problem = crossed()
    rows = rng.normal(size=(len(problem), 4)).astype(np.float32)
    task = evaluate(_task(rows, by_template(problem), rng), Logistic((1.0,)), GroupFolds(3), rng)[""]
    other = evaluate(_task(rows, control_task(problem, rng), rng), Logistic((1.0,)), GroupFolds(3), rng)[""]
    with pytest.raises(RequestError, match="same splits"):
        selectivity(task, other)
