"""Problems that should not be solvable, or solvable by heart alone: what a probe's figures stand beside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from biaskit.errors import RequestError
from biaskit.probing.evaluation import Evaluation
from biaskit.probing.problem import Problem
from biaskit.records.estimate import Estimate, Unit
from biaskit.stats.bootstrap import (
    two_way_degrees_of_freedom,
    two_way_interval,
    two_way_standard_error,
)
from biaskit.stats.power import minimum_detectable_effect

TRIES = 20


def shuffled(problem: Problem, rng: np.random.Generator) -> Problem:
    """Give each group the labels of another, so that labels say nothing and groups still hang together.

    Groups are permuted; a group's rows take the labels of the group it was dealt, in random order, repeated
    or cut to its size. Groups of equal size therefore keep the class balance exactly. Where sizes differ the
    nearest to the true balance of 20 permutations is taken. With few groups a permutation can come close to
    the true labels (with 2 + 2 groups one in three is the truth or its mirror image), so shuffle repeatedly.

    Returns:
        The same rows with shuffled labels, both classes present.

    Raises:
        RequestError: Every permutation leaves one class, which takes groups of very unequal size.
    """
    _, index = np.unique(problem.groups, return_inverse=True)
    members = [np.flatnonzero(index == group) for group in range(int(index.max()) + 1)]
    wanted, best = int(problem.labels.sum()), None
    for _ in range(TRIES):
        dealt = _dealt(problem.labels, members, rng)
        nearer = best is None or abs(int(dealt.sum()) - wanted) < abs(int(best.sum()) - wanted)
        if nearer and dealt.any() and not dealt.all():
            best = dealt
        if best is not None and int(best.sum()) == wanted:
            break
    if best is None:
        raise RequestError(
            f"The labels of '{problem.name}' cannot be shuffled over its {problem.grouping}.",
            fix="Give groups of more equal size.",
        )
    return replace(problem, name=f"{problem.name}, labels shuffled", labels=best)


def by_template(problem: Problem) -> Problem:
    """Group the rows by their template, so that a split has the same words on both sides.

    Raises:
        RequestError: The rows were not made from templates.
    """
    if problem.crossed is None:
        raise RequestError(
            f"'{problem.name}' has no templates, so there is no control task for it.",
            why="A control task asks the same words again in other templates.",
            fix="Use a probe set of templates and fillers.",
        )
    return replace(problem, groups=problem.crossed, grouping="templates", crossed=problem.groups)


def control_task(problem: Problem, rng: np.random.Generator) -> Problem:
    """Label every word at random, once and for all: what can be told apart by knowing the words by heart.

    Hewitt and Liang 2019 (arXiv 1909.03368): a control task keeps the inputs and draws a label for each word
    type. Half of the words get either label. Judge it on splits by template (which it comes grouped by),
    beside `by_template` of the true problem on the same splits: their difference in accuracy is the
    selectivity.

    Raises:
        RequestError: The rows were not made from templates, or there is a single word.
    """
    templated = by_template(problem)
    words, index = np.unique(problem.groups, return_inverse=True)
    if len(words) < 2:
        raise RequestError(f"'{problem.name}' has a single word, which a control task cannot label two ways.")
    labels = rng.permutation(np.arange(len(words)) % 2 == 0)
    return replace(templated, name=f"{problem.name}, control task", labels=labels[index])


def selectivity(task: Evaluation, control: Evaluation) -> Estimate:
    """Accuracy on the task less accuracy on its control task, on the same rows and splits by template.

    Each row's score is whether it was told right on the task less whether it was on the control, mean over
    repeats; rows are laid out as templates x words and the interval is two-way over both. Near zero, the
    probe may owe its accuracy to knowing the words by heart.

    Raises:
        RequestError: The two were not judged on the same splits, or not on templates.
    """
    same = len(task.folds) == len(control.folds) and all(
        np.array_equal(ours.split.test, theirs.split.test)
        for ours, theirs in zip(task.folds, control.folds, strict=True)
    )
    if not same or task.problem.crossed is None:
        raise RequestError(
            "Selectivity compares a task and its control on the same splits by template.",
            fix="Evaluate by_template(problem) and control_task(problem) on the splits of the first.",
        )
    gain = share_right(task) - share_right(control)
    cells = _laid_out(gain, task.problem.groups, task.problem.crossed)
    several = max(cells.shape) > 1
    error = two_way_standard_error(cells) if several else 0.0
    return Estimate(
        value=float(np.nanmean(gain)),
        unit=Unit.PROPORTION,
        n=int(np.isfinite(gain).sum()),
        resampling_unit="templates x words",
        method=f"accuracy of {task.probe} less that on its control task, split by template",
        interval=two_way_interval(cells) if several else None,
        minimum_detectable_effect=_detectable(cells, error),
        reason="the control task is the null: a probe that reads only the words has a selectivity of 0",
    )


def share_right(evaluation: Evaluation) -> Float[ndarray, " n"]:
    """Return the share of repeats in which each row was told right, 0 to 1; NaN where it was never tested."""
    hits, times = np.zeros(len(evaluation.problem)), np.zeros(len(evaluation.problem))
    for fold in evaluation.folds:
        rows = fold.split.test
        hits[rows] += (fold.log_odds > 0) == evaluation.problem.labels[rows]
        times[rows] += 1
    share: Float[ndarray, " n"] = np.divide(hits, times, out=np.full(len(hits), np.nan), where=times > 0)
    return share


def _dealt(
    labels: Bool[ndarray, " n"], members: list[Int[ndarray, " _"]], rng: np.random.Generator
) -> Bool[ndarray, " n"]:
    dealt = np.zeros_like(labels)
    for rows, giver in zip(members, rng.permutation(len(members)), strict=True):
        dealt[rows] = np.resize(rng.permutation(labels[members[giver]]), len(rows))
    return dealt


def _laid_out(
    values: Float[ndarray, " n"], first: Int[ndarray, " n"], second: Int[ndarray, " n"]
) -> Float[ndarray, "g f"]:
    """Mean of the values in each (template, word); NaN where there is none."""
    kept = np.isfinite(values)
    rows, row = np.unique(first[kept], return_inverse=True)
    columns, column = np.unique(second[kept], return_inverse=True)
    shape = len(rows), len(columns)
    place = row * shape[1] + column
    sums = np.bincount(place, values[kept], shape[0] * shape[1])
    counts = np.bincount(place, minlength=shape[0] * shape[1])
    means: Float[ndarray, " c"] = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return means.reshape(shape)


def _detectable(cells: Float[ndarray, "g f"], error: float) -> float | None:
    if error <= 0:
        return None
    return minimum_detectable_effect(error, df=two_way_degrees_of_freedom(cells))
