"""Four hard regimes as divisions of any problem: few rows, unequal classes, wrong labels, shifted rows.

The grids and the counts are those of Kantamneni et al. 2025 (arXiv 2502.16681), generalised in two ways.

Groups stay whole: first whole groups are set aside, at random, until they hold the rows that the test needs;
training rows are drawn one by one from the other groups (so a requested size is met exactly, even where a
group is large), and every group that gave no training row is tested. Where each row is its own group, this
is the published "train on some, test on the rest".

Small data: the published rule keeps 100 rows for the test. Here it is 100 or one fifth, whichever is less.

Within a repeat the training sets are nested (a larger one holds the smaller), flips too, so neighbouring
points of a curve differ by what was added and not by a new draw. Tags: `regime`, `x` (the level), `repeat`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from biaskit.errors import RequestError
from biaskit.probing.problem import Problem
from biaskit.probing.split import Split

SIZES = (2, 3, 4, 5, 7, 10, 14, 20, 28, 38, 53, 74, 103, 143, 198, 275, 382, 531, 737, 1024)
"""Training rows of the scarcity regime: 20 sizes, spaced evenly on a log2 scale from 2 to 1,024."""
RATIOS = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""Shares of positive rows of the imbalance regime."""
FLIPS = tuple(round(0.05 * step, 2) for step in range(11))
"""Shares of wrong training labels of the noise regime."""
MOST_TRAINING_ROWS = 1024
TEST_ROWS = 100


def scarcity(
    problem: Problem, repeats: int, rng: np.random.Generator, sizes: Sequence[int] = SIZES
) -> tuple[Split, ...]:
    """Train on few rows of balanced classes, test on the rest.

    A size n takes ceil(n / 2) positive and floor(n / 2) negative rows. Sizes that the training groups cannot
    meet are left out (see `left_out`).

    Raises:
        RequestError: A class has a single group, so it cannot stand on both sides.
    """

    def one_repeat(repeat: int) -> list[Split]:
        pool = _pool(problem, _reserve(problem), rng)
        return [
            Split(pool.alternating(size), pool.rest(pool.alternating(size)), _tags("scarcity", size, repeat))
            for size in sizes
            if 2 <= size <= pool.balanced
        ]

    return _repeated(one_repeat, repeats)


def imbalance(
    problem: Problem, repeats: int, rng: np.random.Generator, ratios: Sequence[float] = RATIOS
) -> tuple[Split, ...]:
    """Train and test at the same share of positive rows, with equally many rows at every share.

    The feasible total is what the most extreme ratios allow, T = floor(min(positive / max ratio, negative /
    (1 - min ratio))); n_train = min(T - test rows, 1024), as published. With groups n_train is also bounded
    by the training groups, and the test holds at most T - n_train rows of untouched groups.

    Raises:
        RequestError: A class has a single group, or a ratio is not strictly between 0 and 1.
    """
    if not all(0 < ratio < 1 for ratio in ratios):
        raise RequestError("A share of positive rows must lie strictly between 0 and 1.")
    total = _feasible(problem.labels, ratios)
    reserve = min(TEST_ROWS, total // 5)
    wanted = int(np.ceil(reserve * max(ratios))), int(np.ceil(reserve * (1 - min(ratios))))

    def one_repeat(repeat: int) -> list[Split]:
        pool = _pool(problem, wanted, rng)
        feasible = _feasible(problem.labels[np.concatenate([pool.positive, pool.negative])], ratios)
        rows = min(total - reserve, MOST_TRAINING_ROWS, feasible)
        made = [_imbalanced(pool, ratio, (rows, total - rows), repeat) for ratio in ratios]
        return [split for split in made if split is not None]

    return _repeated(one_repeat, repeats)


def label_noise(
    problem: Problem, repeats: int, rng: np.random.Generator, flips: Sequence[float] = FLIPS
) -> tuple[Split, ...]:
    """Flip a share of the training labels, equally many of either class; the test is judged by the true ones.

    Training rows are balanced, min(rows - test rows, 1024) at most. Single rows are flipped, not groups.

    Raises:
        RequestError: A class has a single group, or a share is not between 0 and 1.
    """
    if not all(0 <= share <= 1 for share in flips):
        raise RequestError("A share of flipped labels must lie between 0 and 1.")
    reserve = _reserve(problem)

    def one_repeat(repeat: int) -> list[Split]:
        pool = _pool(problem, reserve, rng)
        train = pool.alternating(min(pool.balanced, MOST_TRAINING_ROWS, len(problem) - sum(reserve)))
        order = _alternate(
            rng.permutation(train[problem.labels[train]]), rng.permutation(train[~problem.labels[train]])
        )
        clean = Split(train, pool.rest(train))
        return [_flipped(clean, problem, order, _tags("noise", share, repeat)) for share in flips]

    return _repeated(one_repeat, repeats)


def shift(problem_in: Problem, problem_out: Problem, *, same_groups: bool = False) -> tuple[Problem, Split]:
    """Train on all rows of one problem, test on all rows of its shifted twin.

    Args:
        problem_in: The rows to learn from.
        problem_out: The same property of rows from elsewhere.
        same_groups: Whether equal group numbers mean the same group in both; training rows whose group is
            among the shifted rows are then left out. Otherwise the groups are taken as different.

    Returns:
        The rows of both problems, one after the other (so must the activations be), and the division.

    Raises:
        RequestError: Leaving out shared groups leaves one class or none to train on.
    """
    count = len(problem_in)
    step = 0 if same_groups else int(problem_in.groups.max()) + 1 - int(problem_out.groups.min())
    crossed = None
    if problem_in.crossed is not None and problem_out.crossed is not None:
        crossed = np.concatenate([problem_in.crossed, problem_out.crossed])
    both = Problem(
        problem_in.name,
        np.concatenate([problem_in.labels, problem_out.labels]),
        np.concatenate([problem_in.groups, problem_out.groups + step]),
        problem_in.grouping,
        crossed,
    )
    test = np.arange(count, len(both))
    train = np.flatnonzero(~np.isin(both.groups[:count], both.groups[test]))
    if len(np.unique(both.labels[train])) < 2:
        raise RequestError(
            f"The shifted rows of '{problem_in.name}' share all groups of a class with the training rows.",
            fix=f"Give {problem_in.grouping} that stand on one side only.",
        )
    return both, Split(train, test, _tags("shift", 1, 0))


def left_out(splits: Sequence[Split], levels: Sequence[float], repeats: int) -> str:
    """Say which levels of a regime do not fit the data, one sentence; empty where all do."""
    made = Counter(split.tags["x"] for split in splits)
    missing = [f"{level:g}" for level in levels if not made[level]]
    partly = [f"{level:g} ({made[level]})" for level in levels if 0 < made[level] < repeats]
    said = [f"left out as the rows do not allow them: {', '.join(missing)}"] if missing else []
    said += [f"met in some of {repeats} repeats only: {', '.join(partly)}"] if partly else []
    sentence = "; ".join(said)
    return f"{sentence[0].upper()}{sentence[1:]}." if sentence else ""


@dataclass(frozen=True, slots=True, eq=False)
class _Pool:
    """Rows that may be trained on, by class, and all rows; each in the same random order."""

    problem: Problem
    order: Int[ndarray, " n"]
    positive: Int[ndarray, " p"]
    negative: Int[ndarray, " m"]

    @property
    def balanced(self) -> int:
        """The largest size that `alternating` meets."""
        half = min(len(self.positive), len(self.negative))
        return 2 * half + (len(self.positive) > half)

    def alternating(self, size: int) -> Int[ndarray, " a"]:
        """The first rows, a positive one before each negative one."""
        return _alternate(self.positive, self.negative)[:size]

    def rest(self, train: Int[ndarray, " a"]) -> Int[ndarray, " b"]:
        """All rows of groups that gave no training row."""
        return np.flatnonzero(~np.isin(self.problem.groups, self.problem.groups[train]))


def _imbalanced(pool: _Pool, ratio: float, rows: tuple[int, int], repeat: int) -> Split | None:
    """The division at one share; None where a side would lack a class."""
    train_rows, test_rows = rows
    positives = round(ratio * train_rows)
    if not 0 < positives < train_rows:
        return None
    # Both orders are random; which class comes first must not show in the last rows, which some inner
    # rules hold out.
    train = _spread(pool.positive[:positives], pool.negative[: train_rows - positives])
    # One order for all shares, so that their test sets overlap as far as they can.
    rest = pool.order[np.isin(pool.order, pool.rest(train))]
    labels = pool.problem.labels[rest]
    count = min(test_rows, _feasible(labels, [ratio]))
    positives = round(ratio * count)
    if not 0 < positives < count:
        return None
    test = np.concatenate([rest[labels][:positives], rest[~labels][: count - positives]])
    return Split(train, np.sort(test), _tags("imbalance", ratio, repeat))


def _flipped(
    clean: Split, problem: Problem, order: Int[ndarray, " a"], tags: dict[str, float | int | str]
) -> Split:
    told = problem.labels.copy()
    wrong = order[: round(float(tags["x"]) * len(order))]
    told[wrong] = ~told[wrong]
    return replace(clean, labels=told, tags=tags)


def _pool(problem: Problem, wanted: tuple[int, int], rng: np.random.Generator) -> _Pool:
    """Set whole groups aside until they hold `wanted` positive and negative rows; the others are the pool."""
    _, index = np.unique(problem.groups, return_inverse=True)
    kinds = problem.labels, ~problem.labels
    counts = np.stack([np.bincount(index, weights=kind) for kind in kinds])
    aside = _set_aside(counts, wanted, rng.permutation(counts.shape[1]))
    if any(not counts[kind, part].any() for kind in (0, 1) for part in (aside, ~aside)):
        raise RequestError(
            f"'{problem.name}' cannot be divided: the {problem.grouping} do not allow both classes on both "
            "sides.",
            fix=f"Give at least two {problem.grouping} with positive and two with negative rows.",
        )
    order = rng.permutation(len(problem))
    mine = order[~aside[index[order]]]
    return _Pool(problem, order, mine[problem.labels[mine]], mine[~problem.labels[mine]])


def _set_aside(
    counts: Float[ndarray, "2 g"], wanted: tuple[int, int], order: Int[ndarray, " g"]
) -> Bool[ndarray, " g"]:
    aside = np.zeros(counts.shape[1], dtype=bool)
    held, left = np.zeros(2), (counts > 0).sum(axis=1)
    scarcer_first = np.argsort(left)
    for kind in scarcer_first:
        for group in order[counts[kind, order] > 0]:
            if held[kind] >= max(wanted[kind], 1):
                break
            holds = counts[:, group] > 0
            if aside[group] or (left[holds] <= 1).any():
                continue
            aside[group] = True
            held += counts[:, group]
            left -= holds
    return aside


def _feasible(labels: Bool[ndarray, " n"], ratios: Sequence[float]) -> int:
    positive = int(labels.sum())
    # Rounded before the floor: 19 / .95 is 20.
    most = min(positive / max(ratios), (len(labels) - positive) / (1 - min(ratios)))
    return int(round(most, 9))


def _reserve(problem: Problem) -> tuple[int, int]:
    rows = min(TEST_ROWS, len(problem) // 5)
    return rows - rows // 2, rows // 2


def _alternate(first: Int[ndarray, " p"], second: Int[ndarray, " m"]) -> Int[ndarray, " a"]:
    """first[0], second[0], first[1], ... as long as both last, then one more of the first."""
    half = min(len(first), len(second))
    pairs = np.stack([first[:half], second[:half]], axis=1).ravel()
    return np.concatenate([pairs, first[half : half + 1]])


def _spread(first: Int[ndarray, " p"], second: Int[ndarray, " m"]) -> Int[ndarray, " a"]:
    """Both in their own order, evenly mixed."""
    places = np.concatenate([(np.arange(len(part)) + 0.5) / len(part) for part in (first, second)])
    return np.concatenate([first, second])[np.argsort(places, kind="stable")]


def _repeated(one_repeat: Callable[[int], list[Split]], repeats: int) -> tuple[Split, ...]:
    return tuple(split for repeat in range(repeats) for split in one_repeat(repeat))


def _tags(regime: str, x: float, repeat: int) -> dict[str, float | int | str]:
    return {"regime": regime, "x": x, "repeat": repeat}
