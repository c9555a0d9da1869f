"""Sums over the training rows of many jobs at once, from matrix products that the jobs share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.sparse import csr_array

from biaskit.probing.probe import Job, Rows

# Numbers that one block of jobs may hold in float64, and one block of rows, which should stay in the cache.
_BLOCK, _ROWS = 2**22, 2**18
# Below this share of the mean square rounding can hide that a column is constant: its values are looked at.
_NEARLY_CONSTANT = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class ColumnSums:
    """What the training rows of some jobs add up to, column by column, in float64.

    Attributes:
        rows: Training rows of each job.
        positives: Training rows of each job that show the property.
        positive_sum: Sum over those rows.
        total: Sum over all training rows.
        squares: Sum of squares over all training rows.
        nonzero: Training rows that are not 0.
        constant: True where the training rows are all equal.
    """

    rows: Float[ndarray, " j"]
    positives: Float[ndarray, " j"]
    positive_sum: Float[ndarray, "j d"]
    total: Float[ndarray, "j d"]
    squares: Float[ndarray, "j d"]
    nonzero: Float[ndarray, "j d"]
    constant: Bool[ndarray, "j d"]

    def difference(self) -> Float[ndarray, "j d"]:
        """Mean over positive rows minus mean over the others; 0 where one class is missing."""
        n, one = self.rows[:, None], self.positives[:, None]
        pairs = one * (n - one)
        # One division, so that equal counts of a 0/1 column give exactly 0.
        return _ratio(n * self.positive_sum - one * self.total, np.broadcast_to(pairs, self.total.shape))

    def scatter(self) -> Float[ndarray, "j d"]:
        """Sum of squared deviations from the mean over all training rows."""
        spread = self.squares - self.total**2 / self.rows[:, None]
        positive: Float[ndarray, "j d"] = np.where(self.constant, 0.0, np.maximum(spread, 0.0))
        return positive

    def shift(self) -> Float[ndarray, "j d"]:
        """Mean of the columns that are never 0, else 0: what a sparse matrix can be centred by."""
        mean = self.total / self.rows[:, None]
        shift: Float[ndarray, "j d"] = np.where(self.nonzero == self.rows[:, None], mean, 0.0)
        return shift

    def deviation(self) -> Float[ndarray, "j d"]:
        """Standard deviation over all training rows; 0 for a constant column."""
        deviation: Float[ndarray, "j d"] = np.sqrt(self.scatter() / self.rows[:, None])
        return deviation

    def explained(self) -> Float[ndarray, "j d"]:
        """Share of the scatter that lies between the two class means, in [0, 1]; 0 for a constant column."""
        weight = (self.positives * (self.rows - self.positives) / self.rows)[:, None]
        between = self.difference() ** 2 * weight
        share: Float[ndarray, "j d"] = np.minimum(_ratio(between, self.scatter()), 1.0)
        return share

    def nonzero_mean(self) -> Float[ndarray, "j d"]:
        """Mean over the entries that are not 0; 0 for a column without any."""
        return _ratio(self.total, self.nonzero)


def column_sums(jobs: Sequence[Job]) -> Iterator[tuple[list[int], ColumnSums]]:
    """Yield the sums of all jobs, in blocks of jobs that share one activation matrix.

    The class sums of a block are one product X^T Y (Y: training row x job, 1 where positive); totals, squares
    and counts are computed once for each distinct set of training rows. Rows are read a block at a time and
    added in float64; a sparse matrix stays sparse.

    Yields:
        The places of the block's jobs in `jobs`, and their sums in that order.
    """
    shared: dict[int, list[int]] = {}
    for place, job in enumerate(jobs):
        shared.setdefault(id(job.activations), []).append(place)
    for places in shared.values():
        size = max(1, _BLOCK // max(jobs[places[0]].activations.shape))
        for start in range(0, len(places), size):
            block = places[start : start + size]
            yield block, _block_sums([jobs[place] for place in block])


def rescaled(rows: Rows, shift: Float[ndarray, " d"], deviation: Float[ndarray, " d"]) -> Rows:
    """Return (rows - shift) / deviation in float64, 0 where the deviation is 0; a sparse matrix stays sparse.

    `shift` must be 0 for columns that hold zeros; see `ColumnSums.shift`.
    """
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    if isinstance(rows, csr_array):
        data = (rows.data - shift[rows.indices]) * scale[rows.indices]
        return csr_array((data, rows.indices, rows.indptr), shape=rows.shape)
    return (rows - shift) * scale


def _ratio(above: ndarray, below: ndarray) -> ndarray:
    result: ndarray = np.divide(above, below, out=np.zeros_like(above), where=below != 0)
    return result


def _block_sums(jobs: Sequence[Job]) -> ColumnSums:
    matrix = jobs[0].activations
    trains = {job.train.tobytes(): job.train for job in jobs}
    fold = {key: place for place, key in enumerate(trains)}
    where = [fold[job.train.tobytes()] for job in jobs]
    times = np.stack([np.bincount(train, minlength=matrix.shape[0]) for train in trains.values()], axis=1)
    chosen = times.astype(np.float64)
    positive = chosen[:, where] * np.stack([job.labels for job in jobs], axis=1)
    positive_sum, total, squares, nonzero = _products(matrix, positive, chosen)
    constant = np.stack(
        [_constant(matrix, train, squares[i], total[i]) for i, train in enumerate(trains.values())]
    )
    return ColumnSums(
        rows=chosen.sum(axis=0)[where],
        positives=positive.sum(axis=0),
        positive_sum=positive_sum,
        total=total[where],
        squares=squares[where],
        nonzero=nonzero[where],
        constant=constant[where],
    )


def _products(
    matrix: Rows, positive: Float[ndarray, "n j"], chosen: Float[ndarray, "n f"]
) -> tuple[Float[ndarray, "j d"], Float[ndarray, "f d"], Float[ndarray, "f d"], Float[ndarray, "f d"]]:
    rows, width = matrix.shape
    sums = np.zeros((positive.shape[1] + chosen.shape[1], width))
    squares, nonzero = np.zeros((2, chosen.shape[1], width))
    both, chosen = np.concatenate([positive, chosen], axis=1).T.copy(), chosen.T.copy()
    step = max(1, _ROWS // max(1, width))
    for start in range(0, rows, step):
        here = slice(start, start + step)
        part = matrix[here].astype(np.float64)
        sums += _times(both[:, here], part)
        squares += _times(chosen[:, here], _mapped(part, np.square))
        nonzero += _counted(chosen[:, here], part)
    return sums[: positive.shape[1]], sums[positive.shape[1] :], squares, nonzero


def _times(weights: Float[ndarray, "j a"], rows: Rows) -> Float[ndarray, "j d"]:
    product: ndarray = (rows.T @ weights.T).T if isinstance(rows, csr_array) else weights @ rows
    return product


def _counted(weights: Float[ndarray, "j a"], rows: Rows) -> Float[ndarray, "j _"]:
    """Sum the weights of the rows that are not 0, for each column or once for all."""
    if not isinstance(rows, csr_array) and rows.all():
        total: ndarray = weights.sum(axis=1, keepdims=True)
        return total
    return _times(weights, _mapped(rows, _is_nonzero))


def _mapped(part: Rows, change: Callable[[ndarray], ndarray]) -> Rows:
    """Apply what keeps 0 at 0 to every entry."""
    if isinstance(part, csr_array):
        return csr_array((change(part.data), part.indices, part.indptr), shape=part.shape)
    changed: Rows = change(part)
    return changed


def _is_nonzero(values: ndarray) -> ndarray:
    counted: ndarray = (values != 0).astype(np.float64)
    return counted


def _constant(
    matrix: Rows, train: Int[ndarray, " a"], squares: Float[ndarray, " d"], total: Float[ndarray, " d"]
) -> Bool[ndarray, " d"]:
    spread = squares - total**2 / len(train)
    constant: Bool[ndarray, " d"] = squares == 0
    doubtful = np.flatnonzero(~constant & (spread <= _NEARLY_CONSTANT * squares))
    if len(doubtful):
        values = matrix[train][:, doubtful]
        dense = values.toarray() if isinstance(values, csr_array) else values
        constant[doubtful] = (dense == dense[0]).all(axis=0)
    return constant
