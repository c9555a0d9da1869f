"""Training and held-out rows of many jobs, standardised and laid out for the solver."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import csc_array, csr_array

from biaskit.probing.probe import Job, Rows

BUDGET = 14 * 2**20
"""Bytes that a batch may take, working copies included."""
_BLOCK = 2048
"""Columns of a wide matrix that are read at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Designs:
    """Some jobs' rows as coordinates by rows, float64; coordinate 0 is 1 for every row that is there.

    Columns are centred on the training rows' mean (which moves nothing but the intercept) and, where asked
    for, divided by their standard deviation. Zeros fill up jobs with fewer rows or coordinates.

    They lie in memory that the next batch of the same reader takes over.

    Attributes:
        train: Rows to fit on.
        single: The same in single precision.
        held_out: Rows to score.
        labels: 1 where a training row shows the property, else 0.
    """

    train: Float[ndarray, "j k a"]
    single: Float[ndarray, "j k a"]
    held_out: Float[ndarray, "j k b"]
    labels: Float[ndarray, "j a"]


class ByColumn:
    """Reads columns of activations, for one thread.

    It keeps the last matrix it was asked about in the order of columns, and memory for one batch of designs:
    fresh memory would be handed out page by page, which takes longer than to fill it.
    """

    def __init__(self) -> None:
        """Begin with no matrix."""
        self._known: Rows | None = None
        self._turned: ndarray | csc_array = np.empty((0, 0), np.float32)
        self._memory: dict[str, ndarray] = {}

    def zeros(self, name: str, shape: tuple[int, ...], dtype: type[np.floating] = np.float64) -> ndarray:
        """Return zeros in the memory that was last handed out under this name."""
        size = math.prod(shape)
        if name not in self._memory or len(self._memory[name]) < size:
            self._memory[name] = np.empty(size, dtype=dtype)
        zeros = self._memory[name][:size].reshape(shape)
        zeros.fill(0.0)
        return zeros

    def read(self, activations: Rows, columns: Int[ndarray, " _"] | slice) -> Float[ndarray, "k n"]:
        """Return some columns as rows of a dense matrix."""
        if self._known is not activations:
            if isinstance(activations, csr_array):
                self._turned = activations.tocsc()
            else:
                self._turned = np.ascontiguousarray(activations.T)
            self._known = activations
        if isinstance(self._turned, csc_array):
            return np.ascontiguousarray(self._turned[:, columns].toarray(order="F").T)
        return self._turned[columns]


def batches(jobs: Sequence[Job], widths: Sequence[int]) -> Iterator[slice]:
    """Yield runs of neighbouring jobs on the same activations whose padded designs fit the budget."""
    start, rows, width = 0, 0, 0
    for index, job in enumerate(jobs):
        rows, width = max(rows, len(job.train) + len(job.held_out)), max(width, widths[index] + 1)
        size = 4 * width * (3 * rows + 3 * width) * (index + 1 - start)
        if index > start and (size > BUDGET or job.activations is not jobs[start].activations):
            yield slice(start, index)
            start, rows, width = index, len(job.train) + len(job.held_out), widths[index] + 1
    if len(jobs):
        yield slice(start, len(jobs))


def designs(
    jobs: Sequence[Job], columns: Sequence[Int[ndarray, " _"] | slice], reader: ByColumn, *, standardise: bool
) -> Designs:
    """Lay out the given columns of each job's rows."""
    reads = [reader.read(job.activations, chosen) for job, chosen in zip(jobs, columns, strict=True)]
    width = 1 + max(len(read) for read in reads)
    laid = _empty(jobs, width, reader)
    for place, (job, read) in enumerate(zip(jobs, reads, strict=True)):
        inside = slice(1, len(read) + 1)
        _fill(job, read, (laid.train[place, inside], laid.held_out[place, inside]), standardise=standardise)
    laid.single[:] = laid.train
    return laid


def rotated(jobs: Sequence[Job], reader: ByColumn, *, standardise: bool) -> Designs:
    """Lay out all columns of jobs with the same rows to fit on and to score, in as few coordinates as rows.

    The optimal w lies in the span of the training rows, so the problem in the coordinates of an orthonormal
    basis of that span is the same problem. With G = X X^T = Q L Q^T the rows there are Q L^(1/2), and
    held-out rows H become H X^T Q L^(-1/2); directions below rounding (L < n eps max L) are left out.
    """
    job = jobs[0]
    gram, cross = _grams(job, reader, standardise=standardise)
    values, vectors = np.linalg.eigh(gram)
    kept = values > len(values) * np.finfo(values.dtype).eps * values.max()
    scale, vectors = np.sqrt(values[kept]), vectors[:, kept]
    laid = _empty(jobs, 1 + len(scale), reader)
    laid.train[:, 1:] = (vectors * scale).T
    laid.held_out[:, 1:] = (cross @ vectors / scale).T
    laid.single[:] = laid.train
    return laid


def _empty(jobs: Sequence[Job], width: int, reader: ByColumn) -> Designs:
    rows = max(len(job.train) for job in jobs)
    scored = max(len(job.held_out) for job in jobs)
    train = reader.zeros("train", (len(jobs), width, rows))
    single = reader.zeros("single", (len(jobs), width, rows), np.float32)
    held_out = reader.zeros("held_out", (len(jobs), width, scored))
    labels = np.zeros((len(jobs), rows))
    for place, job in enumerate(jobs):
        train[place, 0, : len(job.train)] = 1.0
        held_out[place, 0, : len(job.held_out)] = 1.0
        labels[place, : len(job.train)] = job.labels[job.train]
    return Designs(train, single, held_out, labels)


def _fill(job: Job, read: Float[ndarray, "k n"], into: tuple[ndarray, ndarray], *, standardise: bool) -> None:
    raw = read.take(job.train, axis=1, mode="clip")
    train, held_out = into[0][:, : len(job.train)], into[1][:, : len(job.held_out)]
    mean = raw.mean(axis=1, keepdims=True, dtype=np.float64)
    np.subtract(raw, mean, out=train)
    np.subtract(read.take(job.held_out, axis=1, mode="clip"), mean, out=held_out)
    constant = raw.max(axis=1) == raw.min(axis=1)
    train[constant] = 0.0
    if standardise:
        scale = np.sqrt(np.einsum("ka,ka->k", train, train) / len(job.train))
        inverse = 1 / np.where(constant, 1.0, scale)[:, None]
        train *= inverse
        held_out *= inverse


def _grams(
    job: Job, reader: ByColumn, *, standardise: bool
) -> tuple[Float[ndarray, "a a"], Float[ndarray, "b a"]]:
    rows, scored = len(job.train), len(job.held_out)
    gram = np.zeros((rows, rows))
    cross = np.zeros((scored, rows))
    for start in range(0, job.activations.shape[1], _BLOCK):
        read = reader.read(job.activations, slice(start, start + _BLOCK))
        train = np.zeros((len(read), rows))
        held_out = np.zeros((len(read), scored))
        _fill(job, read, (train, held_out), standardise=standardise)
        gram += train.T @ train
        cross += held_out.T @ train
    return gram, cross
