"""Divisions that keep groups whole: repeated folds outside, folds inside, and what groups rows of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from biaskit.errors import RequestError
from biaskit.probing.problem import Problem
from biaskit.probing.split import Split

FEWEST_FOLDS = 2


@dataclass(frozen=True, slots=True, eq=False)
class NestedSplits:
    """Repeated folds, and what had to give way.

    Attributes:
        splits: The divisions, tagged `repeat` and `fold`; every row is tested once per repeat unless its
            fold was dropped.
        folds: Folds per repeat, at most as many as were asked for.
        dropped: How many folds lacked a class on one side and were left out.
        notes: What differs from the request, one plain sentence each.
    """

    splits: tuple[Split, ...]
    folds: int
    dropped: int
    notes: tuple[str, ...]


class TextGroups(NamedTuple):
    """Which rows of text may not be split.

    Attributes:
        groups: The group of each row, numbered from 0.
        grouping: What the groups are, in the plural.
        note: What was joined or missing, one sentence; empty where there is nothing to say.
    """

    groups: Int[ndarray, " n"]
    grouping: str
    note: str


def nested_splits(problem: Problem, repeats: int, folds: int, rng: np.random.Generator) -> NestedSplits:
    """Divide the rows into folds by group, several times over.

    Stratified group K-fold: folds have about equal shares of both classes and no group is in two folds.
    Where a class has fewer groups than `folds`, there are only as many folds as it has groups.

    Args:
        problem: The rows, their labels and groups.
        repeats: How many times the rows are divided anew.
        folds: Folds per repeat.
        rng: Source of the divisions.

    Raises:
        RequestError: A class has a single group, fewer than two folds or no repeat are asked for, or no fold
            holds both classes on both sides.
    """
    return _repeated(problem, problem.groups, problem.grouping, (repeats, folds), rng)


def template_splits(problem: Problem, repeats: int, folds: int, rng: np.random.Generator) -> NestedSplits:
    """Divide the rows by template, so that the same fillers stand on both sides.

    This is what a control task needs (Hewitt and Liang 2019, arXiv 1909.03368): labels drawn at random for
    each filler can only be learnt by heart, and are asked again in unseen templates.

    Raises:
        RequestError: The problem's rows were not made from templates, or as `nested_splits`.
    """
    if problem.crossed is None:
        raise RequestError(
            f"'{problem.name}' cannot be split by template.",
            why="Its rows were not made from templates crossed with fillers.",
            fix="Use a probe set, or split by group.",
        )
    return _repeated(problem, problem.crossed, "templates", (repeats, folds), rng)


@dataclass(frozen=True, slots=True)
class GroupFolds:
    """Settings are chosen on folds of whole groups inside the training rows.

    Attributes:
        count: Most folds; fewer where a class has fewer groups among the training rows.
    """

    count: int = 5

    def folds(
        self,
        labels: Bool[ndarray, " n"],
        groups: Int[ndarray, " n"],
        train: Int[ndarray, " a"],
        rng: np.random.Generator,
    ) -> list[tuple[Int[ndarray, " _"], Int[ndarray, " _"]]]:
        """Return pairs (rows to fit on, rows to validate on); none where a class has a single group."""
        told, units = labels[train], groups[train]
        count = _possible(told, units, self.count)
        if count < FEWEST_FOLDS:
            return []
        pairs = _divide(told, units, count, rng)
        return [(train[fit], train[held]) for fit, held in pairs if _both(told, fit) and _both(told, held)]


def same_text_groups(
    texts: Sequence[str], given: Sequence[str] | None = None, column: str = "groups"
) -> TextGroups:
    """Group rows of the same text, together with the groups that a column gives.

    Texts are the same where they differ only in case and in white space. Rows that share a text or a given
    group, directly or through other rows, are one group (connected components). A row whose cell is empty
    is a group of its own, unless its text stands elsewhere too.

    Args:
        texts: The text of each row.
        given: The group cell of each row; None where there is no such column.
        column: Name of that column.

    Raises:
        RequestError: The column is empty throughout.
    """
    normal = np.unique([" ".join(text.casefold().split()) for text in texts], return_inverse=True)[1]
    repeated = len(texts) - int(normal.max(initial=-1)) - 1
    if given is None:
        return TextGroups(normal, "distinct texts", _repeats_note(repeated))
    cells = _cells(given, column)
    links = csr_array((np.ones(len(texts)), (cells, cells.max() + 1 + normal)), shape=(2 * len(texts),) * 2)
    components = connected_components(links, directed=False)[1][cells]
    groups = np.unique(components, return_inverse=True)[1]
    joined = int(cells.max()) - int(groups.max())
    empty = sum(not cell.strip() for cell in given)
    notes = [f"Rows with an empty '{column}', each a group of its own: {empty}."] if empty else []
    notes += [_repeats_note(repeated)] if repeated else []
    notes += [f"Groups joined by a text that they share: {joined}."] if joined else []
    return TextGroups(groups, column, " ".join(notes))


def _repeated(
    problem: Problem,
    units: Int[ndarray, " n"],
    grouping: str,
    wanted: tuple[int, int],
    rng: np.random.Generator,
) -> NestedSplits:
    repeats, folds = wanted
    count = _possible(problem.labels, units, folds)
    _check(problem, units, grouping, wanted)
    splits = []
    for repeat in range(repeats):
        for fold, (train, test) in enumerate(_divide(problem.labels, units, count, rng)):
            if _both(problem.labels, train) and _both(problem.labels, test):
                splits.append(Split(train, test, {"repeat": repeat, "fold": fold}))
    dropped = repeats * count - len(splits)
    if not splits:
        raise RequestError(
            f"No fold of '{problem.name}' holds both classes on both sides.",
            why=f"The classes share too few {grouping}.",
            fix=f"Give more {grouping} of each class.",
        )
    return NestedSplits(tuple(splits), count, dropped, _notes(problem, grouping, wanted, (count, dropped)))


def _check(problem: Problem, units: Int[ndarray, " n"], grouping: str, wanted: tuple[int, int]) -> None:
    repeats, folds = wanted
    if repeats < 1 or folds < FEWEST_FOLDS:
        raise RequestError(
            f"{repeats} repeats of {folds} folds cannot be made.", fix="Ask for at least 1 repeat of 2 folds."
        )
    sizes = {word: _groups_of(problem.labels, units, value=value) for word, value in _CLASSES.items()}
    word, smallest = min(sizes.items(), key=lambda item: item[1])
    if smallest < FEWEST_FOLDS:
        raise RequestError(
            f"The {word} rows of '{problem.name}' all belong together ({grouping}: {smallest}), so none can "
            "be kept for testing.",
            why="Rows of one group are never split between fitting and testing, and both need such rows.",
            fix=f"Give at least 2 {grouping} with {word} rows; 5 or more give steadier numbers.",
        )


def _notes(
    problem: Problem, grouping: str, wanted: tuple[int, int], made: tuple[int, int]
) -> tuple[str, ...]:
    (repeats, folds), (count, dropped) = wanted, made
    notes = []
    if count < folds:
        notes.append(
            f"'{problem.name}' was split into {count} folds, not {folds}: a class has {count} {grouping}."
        )
    if dropped:
        notes.append(
            f"{dropped} of {repeats * count} folds of '{problem.name}' lacked a class on one side and were "
            "dropped."
        )
    return tuple(notes)


def _divide(
    labels: Bool[ndarray, " n"], units: Int[ndarray, " n"], count: int, rng: np.random.Generator
) -> list[tuple[Int[ndarray, " _"], Int[ndarray, " _"]]]:
    seed = int(rng.integers(2**31))
    # The same division, a hundred times faster, where every row is a group of its own.
    alone = len(np.unique(units)) == len(units)
    kind = StratifiedKFold if alone else StratifiedGroupKFold
    return list(kind(count, shuffle=True, random_state=seed).split(labels, labels, None if alone else units))


def _possible(labels: Bool[ndarray, " n"], units: Int[ndarray, " n"], folds: int) -> int:
    return min(folds, *(_groups_of(labels, units, value=value) for value in _CLASSES.values()))


def _groups_of(labels: Bool[ndarray, " n"], units: Int[ndarray, " n"], *, value: bool) -> int:
    return len(np.unique(units[labels == value]))


def _both(labels: Bool[ndarray, " n"], rows: Int[ndarray, " a"]) -> bool:
    return bool(labels[rows].any() and not labels[rows].all())


def _cells(given: Sequence[str], column: str) -> Int[ndarray, " n"]:
    """Number the cells; an empty one gets a number of its own."""
    names = [cell.strip() for cell in given]
    if not any(names):
        raise RequestError(
            f"The group column '{column}' is empty in every row.",
            fix="Fill it, or leave the column out: rows are then grouped by their text.",
        )
    keys = [(name, -1) if name else ("", row) for row, name in enumerate(names)]
    number = {key: index for index, key in enumerate(dict.fromkeys(keys))}
    return np.array([number[key] for key in keys])


def _repeats_note(repeated: int) -> str:
    if repeated == 1:
        return "1 row repeats a text that stands before it."
    return f"{repeated} rows repeat a text that stands before them." if repeated else ""


_CLASSES = {"positive": True, "negative": False}
