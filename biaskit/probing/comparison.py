"""SAE less best fixed baseline, paired, with an interval over what was sampled.

Over data sets: both methods are the best of their family by validation AUC averaged over data sets (never by
test AUC), the same on all data sets. Differences are taken within each cell, averaged within each data set,
and the mean over data sets gets a t interval over data sets and a sign-flip test. (The published error bars
add the variances of the two means as if they were unpaired, though data sets differ far more than methods.)

The interval was picked by measured coverage of a true mean at nominal level 0.95, 1,500 draws (600 at 100
data sets), differences normal, exponential (skewed) or t with 3 degrees of freedom (heavy tails):

    data sets   law      t      percentile   bca
    5           normal   .951   .845         .844
    5           skewed   .875   .777         .793
    5           heavy    .963   .817         .803
    10          normal   .949   .898         .897
    10          skewed   .909   .866         .881
    10          heavy    .960   .907         .871
    30          normal   .951   .931         .930
    30          skewed   .931   .921         .925
    30          heavy    .960   .938         .915
    100         normal   .942   .940         .938
    100         skewed   .938   .935         .933

On one data set there is nothing to resample but its groups: see `difference_on_one`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy import stats

from biaskit.concepts.probe_auc import FoldScores, in_order, widening
from biaskit.errors import RequestError
from biaskit.probing.quiver import Cell, Family, Fixed, best_fixed
from biaskit.records.estimate import Estimate, Interval, Null, Unit
from biaskit.stats.bootstrap import cluster_interval
from biaskit.stats.power import minimum_detectable_effect

LEVEL = 0.95
FLIPS = 9999
MOST_LISTED = 13
"""Up to this many data sets all 2^n sign flips are listed and the p-value is exact."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One method against another over data sets.

    Attributes:
        subject: The SAE probe that was taken.
        baseline: The baseline that was taken.
        estimate: Mean over data sets of the test AUC of the subject less that of the baseline.
        differences: That difference for each data set.
        better: Share of data sets on which the subject is better; ties count one half.
    """

    subject: Fixed
    baseline: Fixed
    estimate: Estimate
    differences: Mapping[str, float]
    better: float


def compare(table: Sequence[Cell], rng: np.random.Generator, subject: str | None = None) -> Comparison:
    """Compare the best fixed SAE probe with the best fixed baseline.

    Args:
        table: One row a (data set, cell, method); see `quiver`.
        rng: Source of the sign flips where there are too many to list.
        subject: The SAE probe to take; None for the one with the best mean validation AUC.

    Raises:
        RequestError: No method of a family is in every cell (the subject, where one is named).
    """
    own = [row for row in table if row.family is Family.SAE and subject in (None, row.method)]
    baselines = [row for row in table if row.family is Family.BASELINE]
    ours, theirs = best_fixed(own + baselines, Family.SAE), best_fixed(own + baselines, Family.BASELINE)
    differences = _paired(table, ours.method, theirs.method)
    method = (
        f"mean over data sets of test AUC, {ours.method} less {theirs.method}, both chosen by validation AUC "
        "averaged over data sets"
    )
    values = np.array(list(differences.values()))
    return Comparison(
        subject=ours,
        baseline=theirs,
        estimate=difference_over_datasets(values, method, rng),
        differences=differences,
        better=float(((np.sign(values) + 1) / 2).mean()),
    )


def difference_over_datasets(
    differences: Float[ndarray, " d"], method: str, rng: np.random.Generator
) -> Estimate:
    """Mean of paired differences in AUC with a t interval over data sets and a sign-flip test.

    Args:
        differences: One difference a data set.
        method: What the differences are, one phrase.
        rng: Source of the sign flips beyond `MOST_LISTED` data sets.

    Returns:
        The mean; with a single data set it has no interval and says so.

    Raises:
        RequestError: There is no difference, or one is not finite.
    """
    if not differences.size or not np.isfinite(differences).all():
        raise RequestError("Differences over data sets must be there and finite.")
    count = differences.size
    several = count > 1
    error = float(differences.std(ddof=1) / np.sqrt(count)) if several else 0.0
    return Estimate(
        value=float(differences.mean()),
        unit=Unit.AUC,
        n=count,
        resampling_unit="data sets",
        method=method,
        interval=cluster_interval(differences, np.arange(count)) if several else None,
        null=sign_flip(differences, rng) if several else None,
        minimum_detectable_effect=minimum_detectable_effect(error, df=count - 1) if error > 0 else None,
        reason=None if several else "a single data set says nothing about other data sets",
    )


def sign_flip(differences: Float[ndarray, " d"], rng: np.random.Generator) -> Null:
    """Test that neither method is better: each data set's difference might as well have the other sign.

    Two-sided on the absolute mean; exact up to `MOST_LISTED` data sets, else (1 + hits) / (flips + 1).
    """
    count = differences.size
    observed = abs(float(differences.sum())) * (1 - 1e-12)
    if count <= MOST_LISTED:
        # A flip and its mirror image give the same absolute mean, so half of them are enough.
        signs = np.array(list(product((1.0, -1.0), repeat=count - 1))).reshape(-1, count - 1)
        sums = differences[0] + signs @ differences[1:]
        return Null(
            p=float((np.abs(sums) >= observed).mean()),
            kind=f"sign flips over data sets, all 2^{count}",
        )
    signs = rng.integers(0, 2, size=(FLIPS, count)) * 2 - 1
    hits = int((np.abs(signs @ differences) >= observed).sum())
    return Null(p=(1 + hits) / (FLIPS + 1), kind=f"sign flips over data sets, {FLIPS} drawn")


def difference_on_one(
    first: Sequence[FoldScores], second: Sequence[FoldScores], method: str, grouping: str = "fillers"
) -> Estimate:
    """Mean over folds of the difference in AUC of two probes judged on the same rows.

    The interval is over groups: a group's influence on the difference is summed over all its rows and folds
    before it is squared (paired structural components, DeLong et al. 1988, clustered as by Obuchowski 1997),
    and the variance is widened by 1 + n_test / n_train for each fold of a repeat, since the folds share
    training rows (Nadeau and Bengio 2003). It speaks for other groups of this data set, not for other data
    sets.

    Args:
        first: Scores of the first probe on each fold (`Evaluation.fold_scores`).
        second: Scores of the second on the same folds, rows in the same order.
        method: What is compared, one phrase.
        grouping: What the groups are, in the plural.

    Raises:
        RequestError: The folds are not the same.
    """
    if not _same_folds(first, second):
        raise RequestError(
            "The two probes were not judged on the same rows.", fix="Evaluate both on the same splits."
        )
    names, index = np.unique(np.concatenate([fold.groups for fold in first]), return_inverse=True)
    members = np.split(index, np.cumsum([len(fold.groups) for fold in first])[:-1])
    value, influence, freedom = _influence(first, second, members, len(names))
    error = float(np.sqrt(widening(members, len(names)) * (influence**2).sum()))
    seen = freedom >= 1 and error > 0
    return Estimate(
        value=value,
        unit=Unit.AUC,
        n=len(names),
        resampling_unit=grouping,
        method=f"{method}, paired over {len(first)} folds",
        interval=_t_interval(value, error, freedom, grouping) if seen else None,
        null=_t_test(value, error, freedom, grouping) if seen else None,
        minimum_detectable_effect=minimum_detectable_effect(error, df=freedom) if seen else None,
        reason=None if seen else f"the {grouping} are too few, or all alike, to show a spread",
    )


def _paired(table: Sequence[Cell], subject: str, baseline: str) -> dict[str, float]:
    """Mean over cells of the difference in test AUC, for each data set."""
    tests = {
        name: {(row.dataset, row.cell): row.test for row in table if row.method == name}
        for name in (subject, baseline)
    }
    differences: dict[str, list[float]] = {}
    for place, theirs in tests[baseline].items():
        differences.setdefault(place[0], []).append(tests[subject][place] - theirs)
    return {dataset: float(np.mean(values)) for dataset, values in differences.items()}


def _same_folds(first: Sequence[FoldScores], second: Sequence[FoldScores]) -> bool:
    return (
        len(first) == len(second) > 0
        and all(np.array_equal(a.groups, b.groups) for a, b in zip(first, second, strict=True))
        and all(np.array_equal(a.target, b.target) for a, b in zip(first, second, strict=True))
    )


def _influence(
    first: Sequence[FoldScores],
    second: Sequence[FoldScores],
    members: Sequence[Int[ndarray, " _"]],
    groups: int,
) -> tuple[float, Float[ndarray, " g"], int]:
    """The mean difference, each group's influence on it, and its degrees of freedom."""
    differences, influence = [], np.zeros(groups)
    held = np.zeros((2, groups), dtype=bool)
    for ours, theirs, member in zip(first, second, members, strict=True):
        gain = in_order(ours.scores, ours.target) - in_order(theirs.scores, theirs.target)
        differences.append(float(gain[ours.target].mean()))
        for side, rows in enumerate((ours.target, ~ours.target)):
            parts = (gain[rows] - differences[-1]) / (rows.sum() * len(first))
            influence += np.bincount(member[rows], parts, groups)
            held[side, member[rows]] = True
    fewest = int(held.sum(axis=1).min())
    folds = round(groups / float(np.mean([len(np.unique(member)) for member in members])))
    # Each fold of a repeat is centred on its own mean, which takes one group from the spread of each side.
    freedom = fewest - folds
    return float(np.mean(differences)), influence * np.sqrt(fewest / max(freedom, 1)), freedom


def _t_interval(value: float, error: float, freedom: int, grouping: str) -> Interval:
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * error
    method = f"cluster-robust over {grouping}, paired, t({freedom}), widened for shared training rows"
    low, high = max(value - half, -1.0), min(value + half, 1.0)
    return Interval(low=low, high=high, level=LEVEL, method=method, degrees_of_freedom=freedom)


def _t_test(value: float, error: float, freedom: int, grouping: str) -> Null:
    p = float(2 * stats.t.sf(abs(value) / error, freedom))
    return Null(p=p, kind=f"no difference in AUC for other {grouping}, cluster-robust t({freedom})")
