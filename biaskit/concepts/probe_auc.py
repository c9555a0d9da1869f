"""Area under the ROC curve over folds, with an interval over the groups that were held out.

Rows of a group stand or fall together, a group may be held out in several repeats, and in cross-validation
the group that is tested in one fold has trained the probes of the others. The interval takes all three in:

* The influence of each group on the mean AUC is summed over all its rows and folds before it is squared
  (structural components of DeLong et al. 1988, clustered as by Obuchowski 1997, Biometrics 53:567).
* The variance is multiplied by 1 + K n_test / n_train for K folds a repeat, 2.25 for five (Nadeau and Bengio
  2003, Machine Learning 52:239). For folds that test more than a fifth of the groups the excess falls with
  the square root of the rest (fitted to simulations), to nothing where all folds test the same groups.
* t quantiles with as many degrees of freedom as the smaller class has groups beyond the folds, on the logit
  scale, so that the ends stay inside 0 and 1.
* The spread that is seen cannot fall below what so few groups can show: AUC is first drawn towards .5 by
  z^2 / 2 pairs on either side (Agresti and Coull 1998, American Statistician 52:119) of the n1 n0 pairs of
  groups over the widening, and the variance is at least that of so many pairs. An AUC of 1 thus has a lower
  end below 1, no AUC below it has a higher one, and the end moves without a jump as pairs change places.

Which interval is the default was decided by simulation: a mean-difference probe on 20 normal coordinates,
groups of one class, 5 folds, nominal level 0.95, 250 data sets (150 for the bootstraps). Coverage of the
fitted probes' mean true AUC by resampling groups within each fold, once for all folds, and as here:

    groups   rows a group   true AUC   repeats   within folds   jointly   here
    20 + 20  4              .50        1         .873           .880      .980
    20 + 20  4              .50        5         .540           .780      .956
    20 + 20  4              .78        5         .580           .913      .992
    20 + 20  4              .90        5         .593           .873      .996
    8 + 8    4              .73        5         .533           .833      .992
    8 + 40   4              .76        5         .467           .800      .992
    50 + 50  1              .50        5         .533           .827      .952
    50 + 50  1              .78        5         .613           .947      .992

It holds its level where there is nothing to find (its lower end lies above .5 in 0 to 2 % of the data sets)
and is wide where there is something: at 20 + 20 groups and a true AUC of .78 it still excludes .5 in 97 %.

Near 1, two repeats, with the share of data sets in which all pairs are in order and the mean width:

    groups   rows a group   true AUC   all in order   coverage   width
    20 + 20  4              .963       .00            .996       .110
    20 + 20  4              .993       .02            1.000      .054
    20 + 20  4              .999       .36            1.000      .044
    10 + 10  4              .991       .12            1.000      .169
    10 + 10  4              .999       .67            1.000      .159
    8 + 8    8              .991       .04            .984       .238
    8 + 8    8              .999       .45            .948       .231
    50 + 50  1              .993       .05            .964       .060

It speaks of groups like those seen. Where 5, 10 or 20 % of all groups cannot be read at all (10 + 10 and
20 + 20 groups) it covers in .84 to 1.00: with a tenth unreadable, one data set in seven shows none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy import ndarray
from scipy.special import expit, logit
from scipy.stats import norm, rankdata, t

from biaskit.records.estimate import NO_RANKING, Estimate, Interval, Unit

LEVEL = 0.95
_FIFTH = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class FoldScores:
    """What a probe said about rows it was not fitted on.

    Attributes:
        scores: The probe's log-odds.
        target: True where the concept is shown.
        groups: The group of each row, such as its filler; the same group has the same name in all folds.
    """

    scores: Float[ndarray, " n"]
    target: Bool[ndarray, " n"]
    groups: Shaped[ndarray, " n"]

    @property
    def auc(self) -> float:
        """The share of pairs that are in order, ties one half."""
        return float(in_order(self.scores, self.target)[self.target].mean())


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """The rows of one class in all folds, and what each group moved the mean AUC by."""

    influence: Float[ndarray, " g"]
    """Of each group, summed over its rows and folds."""
    present: Int[ndarray, " f"]
    """How many groups hold a row of the class, in each fold."""
    distinct: int
    """How many different groups hold a row of the class in any fold."""

    @property
    def freedom(self) -> float:
        """Groups beyond the folds of one repeat: each fold's mean takes one."""
        return self.distinct * float((self.present - 1).sum() / self.present.sum())

    @property
    def unbiased(self) -> Float[ndarray, " g"]:
        """The influences, larger by what centring within folds took from their spread."""
        return self.influence * float(np.sqrt(self.present.sum() / (self.present - 1).sum()))


def clustered_auc(folds: Sequence[FoldScores], grouping: str = "fillers") -> Estimate:
    """Mean AUC over folds, with an interval over groups.

    AUC is the share of pairs (positive, negative) in which the positive scores higher, ties one half. Where
    all scores of every fold are equal nothing was ranked: the AUC of one half is no measurement of chance,
    has no interval, and its reason begins with `NO_RANKING`.

    Args:
        folds: At least one fold, each with both classes.
        grouping: What the groups are, in the plural.

    Returns:
        The mean, its n the number of different groups; without an interval where no fold holds two groups of
        each class.
    """
    names, index = np.unique(np.concatenate([fold.groups for fold in folds]), return_inverse=True)
    members = np.split(index, np.cumsum([len(fold.groups) for fold in folds])[:-1])
    value, sides = _influences(folds, members, len(names))
    tied = all((fold.scores == fold.scores[0]).all() for fold in folds)
    interval = None if tied else _interval(value, sides, widening(members, len(names)), grouping)
    reason = "no null is refitted: at 0.5 the probe ranks unseen rows at random"
    if tied:
        reason = f"{NO_RANKING} all scores tie"
    elif interval is None:
        reason = f"no fold holds two {grouping} of each class, so their spread is not seen; {reason}"
    return Estimate(
        value=value,
        unit=Unit.AUC,
        n=len(names),
        resampling_unit=grouping,
        method=f"AUC on held-out {grouping}, mean of {len(folds)} folds",
        interval=interval,
        reason=reason,
    )


def _influences(
    folds: Sequence[FoldScores], members: Sequence[Int[ndarray, " _"]], groups: int
) -> tuple[float, list[_Side]]:
    """The mean AUC, and what each group moved it by on the side of the positives and of the negatives."""
    aucs, moved, present = [], np.zeros((2, groups)), np.zeros((2, len(folds)), dtype=int)
    held = np.zeros((2, groups), dtype=bool)
    for number, (fold, member) in enumerate(zip(folds, members, strict=True)):
        wins = in_order(fold.scores, fold.target)
        aucs.append(float(wins[fold.target].mean()))
        for side, rows in enumerate((fold.target, ~fold.target)):
            parts = (wins[rows] - aucs[-1]) / (rows.sum() * len(folds))
            moved[side] += np.bincount(member[rows], parts, groups)
            present[side, number] = len(np.unique(member[rows]))
            held[side, member[rows]] = True
    return float(np.mean(aucs)), [_Side(moved[i], present[i], int(held[i].sum())) for i in range(2)]


def in_order(scores: Float[ndarray, " n"], target: Bool[ndarray, " n"]) -> Float[ndarray, " n"]:
    """Of each row, the share of the other class's rows that it is in order with, ties one half.

    The mean over the rows of either class is the AUC.

    Args:
        scores: The higher, the more like the target.
        target: True where the concept is shown; both classes are there.
    """
    ranks, shares = rankdata(scores), np.empty(len(scores))
    above, below = target, ~target
    shares[above] = (ranks[above] - rankdata(scores[above])) / below.sum()
    shares[below] = 1 - (ranks[below] - rankdata(scores[below])) / above.sum()
    return shares


def widening(members: Sequence[Int[ndarray, " _"]], groups: int) -> float:
    """How much more the mean varies because groups tested in one fold have trained the others."""
    tested = float(np.mean([len(np.unique(member)) for member in members])) / groups
    if tested <= _FIFTH:
        return 1 + 1 / (1 - tested)
    return 1 + float(np.sqrt((1 - tested) / (1 - _FIFTH))) / (1 - _FIFTH)


def _interval(value: float, sides: list[_Side], widening: float, grouping: str) -> Interval | None:
    freedom = max(min(side.freedom for side in sides), 1.0)
    if any(side.freedom == 0 for side in sides):
        return None
    total = np.sum([side.unbiased for side in sides], axis=0)
    error = float(t.ppf((1 + LEVEL) / 2, freedom)) * float(np.sqrt(widening * (total**2).sum()))
    pairs = sides[0].distinct * sides[1].distinct / widening
    low, high = _ends(value, error, pairs)
    method = f"cluster-robust over {grouping}, logit scale, t({freedom:.3g})"
    method += ", widened for shared training rows" if widening > 1 else ""
    method += f", at least that of {pairs:.3g} pairs"
    return Interval(low=low, high=high, level=LEVEL, method=method, degrees_of_freedom=freedom)


def _ends(value: float, error: float, pairs: float) -> tuple[float, float]:
    """Return the ends for a half width of `error`, no narrower than so many independent pairs allow.

    The end on the far side of .5 is at least that of the AUC itself, not drawn towards .5.
    """
    quantile = float(norm.ppf((1 + LEVEL) / 2))
    drawn = (pairs * value + quantile**2 / 2) / (pairs + quantile**2)
    spread = drawn * (1 - drawn)
    half = max(error / spread, quantile / np.sqrt(pairs * spread))
    low, high = float(expit(logit(drawn) - half)), float(expit(logit(drawn) + half))
    reach = max(half, error / (value * (1 - value))) if 0 < value < 1 else half
    outer = float(expit(logit(value) + (reach if value > 0.5 else -reach)))
    return (low, max(high, outer)) if value > 0.5 else (min(low, outer), high)
