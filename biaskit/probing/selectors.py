"""Which coordinates a sparse probe may use, ranked on the training rows of each job alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from biaskit.errors import RequestError
from biaskit.probing.column_sums import ColumnSums, column_sums, rescaled
from biaskit.probing.l1_path import entered
from biaskit.probing.probe import Job


class Selector(Protocol):
    """A frozen dataclass; its fields are its settings.

    Constant columns come last in every ranking, equal scores by the lower column index. Scores are compared
    in single precision, so that rounding decides no tie.
    """

    @property
    def name(self) -> str:
        """Short, stable name, such as `mean-difference`."""

    def rank(self, jobs: Sequence[Job], k: int, rng: np.random.Generator) -> list[Int[ndarray, " _"]]:
        """Return each job's `k` strongest columns (all of them where there are fewer), strongest first.

        Only the jobs' training rows are read. Jobs that share one `activations` object share the work.
        """


@dataclass(frozen=True, slots=True)
class MeanDifference:
    """Distance of the two class means, |mean(z | 1) - mean(z | 0)| / s.

    The scale s is 1 (`raw`, the first published rule), the mean over the column's entries that are not 0
    (`nonzero-mean`, the present published rule without its constant of 1e-6) or the pooled standard deviation
    within the classes (`sd`, whose order is that of the F statistic). A column with s = 0 scores 0, and
    infinity where the classes differ without any spread. Sources: Gurnee et al., arXiv 2305.01610; Kantamneni
    et al., arXiv 2502.16681.
    """

    scaling: Literal["raw", "nonzero-mean", "sd"] = "raw"

    @property
    def name(self) -> str:
        """`mean-difference`, with the scaling where there is one."""
        return "mean-difference" if self.scaling == "raw" else f"mean-difference-{self.scaling}"

    def rank(self, jobs: Sequence[Job], k: int, rng: np.random.Generator) -> list[Int[ndarray, " _"]]:  # noqa: ARG002 - the protocol's shape
        """Return each job's `k` strongest columns; see `Selector`."""
        return _ranked(jobs, k, _DIFFERENCES[self.scaling])


@dataclass(frozen=True, slots=True)
class FStatistic:
    """One-way analysis of variance: variance between the classes over variance within them.

    Ranked by the share of variance between the classes, of which F = (n - 2) share / (1 - share) is a rising
    function.
    """

    name: ClassVar[str] = "f-statistic"

    def rank(self, jobs: Sequence[Job], k: int, rng: np.random.Generator) -> list[Int[ndarray, " _"]]:  # noqa: ARG002 - the protocol's shape
        """Return each job's `k` strongest columns; see `Selector`."""
        return _ranked(jobs, k, ColumnSums.explained)


@dataclass(frozen=True, slots=True)
class L1Path:
    """The order in which coordinates enter an L1-penalised logistic regression as its penalty is loosened.

    Columns are divided by their standard deviation; the intercept is free, so centring them would change
    nothing and a sparse matrix stays sparse. Columns that enter at the same step are ordered by the size of
    their coefficient there, those that never enter by the F statistic; of equal columns either may enter.
    The path ends once `k` columns have entered or 99 % of the deviance is explained, after which little but
    the size of the weights changes (glmnet has the same rule, at 99.9 %).
    """

    name: ClassVar[str] = "l1-path"

    def rank(self, jobs: Sequence[Job], k: int, rng: np.random.Generator) -> list[Int[ndarray, " _"]]:  # noqa: ARG002 - the protocol's shape
        """Return each job's `k` strongest columns; see `Selector`."""
        ranked = _empty(jobs)
        for places, sums in column_sums(jobs):
            share = np.where(sums.constant, -np.inf, sums.explained())
            shift, deviation = sums.shift(), sums.deviation()
            for row, place in enumerate(places):
                train = jobs[place].activations[jobs[place].train]
                labels = jobs[place].labels[jobs[place].train]
                first = entered(rescaled(train, shift[row], deviation[row]), labels, k)
                # Above any share of variance, which is at most 1.
                share[row, first] = 1.0 + np.arange(len(first), 0, -1)
                ranked[place] = _strongest(share[row], k)
        return ranked


@dataclass(frozen=True, slots=True)
class RandomCoordinates:
    """The control: columns that vary, in random order, drawn anew for each job."""

    name: ClassVar[str] = "random"

    def rank(self, jobs: Sequence[Job], k: int, rng: np.random.Generator) -> list[Int[ndarray, " _"]]:
        """Return `k` random columns for each job; see `Selector`."""
        # Drawn in the jobs' order, whatever blocks they are summed in.
        seeds = rng.integers(2**31, size=len(jobs))
        ranked = _empty(jobs)
        for places, sums in column_sums(jobs):
            for place, constant in zip(places, sums.constant, strict=True):
                scores = np.random.default_rng(seeds[place]).permutation(len(constant)).astype(np.float64)
                ranked[place] = _strongest(np.where(constant, -np.inf, scores), k)
        return ranked


@dataclass(frozen=True, slots=True)
class FixedList:
    """Columns named beforehand, in the order given; no data is read.

    Attributes:
        columns: Column indices, strongest first; `rank` returns at most this many.
    """

    columns: tuple[int, ...]
    name: ClassVar[str] = "fixed"

    def rank(self, jobs: Sequence[Job], k: int, rng: np.random.Generator) -> list[Int[ndarray, " _"]]:  # noqa: ARG002 - the protocol's shape
        """Return the first `k` of the columns for each job.

        Raises:
            RequestError: A column that the activations do not have.
        """
        width = min((job.activations.shape[1] for job in jobs), default=0)
        strange = [column for column in self.columns if not 0 <= column < width]
        if jobs and strange:
            raise RequestError(
                f"There is no column {strange[0]}: the activations have {width} columns.",
                fix=f"Name columns from 0 to {width - 1}.",
            )
        return [np.array(self.columns[:k], dtype=np.int64) for _ in jobs]


def _empty(jobs: Sequence[Job]) -> list[Int[ndarray, " _"]]:
    return [np.empty(0, dtype=np.int64)] * len(jobs)


def _ranked(
    jobs: Sequence[Job], k: int, score: Callable[[ColumnSums], Float[ndarray, "j d"]]
) -> list[Int[ndarray, " _"]]:
    ranked = _empty(jobs)
    for places, sums in column_sums(jobs):
        scores = np.where(sums.constant, -np.inf, score(sums))
        for place, row in zip(places, scores, strict=True):
            ranked[place] = _strongest(row, k)
    return ranked


def _strongest(scores: Float[ndarray, " d"], k: int) -> Int[ndarray, " k"]:
    """Return the `k` columns of the highest scores, ties by the lower index."""
    with np.errstate(over="ignore"):
        falling = -scores.astype(np.float32)
    k = min(k, len(falling))
    last = np.partition(falling, k - 1)[k - 1] if k else -np.inf
    # Only what can be among the k is put in order: ties with the k-th stay in.
    candidates = np.flatnonzero(falling <= last)
    strongest: Int[ndarray, " k"] = candidates[np.argsort(falling[candidates], kind="stable")][:k]
    return strongest


def _by_deviation(sums: ColumnSums) -> Float[ndarray, "j d"]:
    share = sums.explained()
    # Rounding in a difference of squares: what is left below this is none.
    within = np.where(share > 1 - 1e-12, 0.0, 1 - share)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled: Float[ndarray, "j d"] = np.where(share > 0, np.sqrt(share / within), 0.0)
    return scaled


def _by_nonzero_mean(sums: ColumnSums) -> Float[ndarray, "j d"]:
    difference, scale = np.abs(sums.difference()), np.abs(sums.nonzero_mean())
    scaled: Float[ndarray, "j d"] = np.divide(
        difference, scale, out=np.zeros_like(difference), where=scale > 0
    )
    return scaled


def _raw(sums: ColumnSums) -> Float[ndarray, "j d"]:
    distance: Float[ndarray, "j d"] = np.abs(sums.difference())
    return distance


_DIFFERENCES = {"raw": _raw, "nonzero-mean": _by_nonzero_mean, "sd": _by_deviation}
