"""Training and held-out rows of many jobs, standardised and laid out for the solver."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import csc_array, csr_array
from torch import Tensor

from biaskit.probing.probe import Job, Rows

BUDGET = 80 * 2**20
"""Bytes that one batch of designs may take, working copies included."""
_BLOCK = 2048
"""Columns of a wide matrix that are read at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Designs:
    """Some jobs' rows as coordinates by rows, float64; coordinate 0 is 1 for every row that is there.

    Columns are centred on the training rows' mean (which moves nothing but the intercept) and, where asked
    for, divided by their standard deviation. Zeros fill up jobs with fewer rows or coordinates.

    Attributes:
        train: Rows to fit on.
        held_out: Rows to score.
        labels: 1 where a training row shows the property, else 0.
    """

    train: Float[Tensor, "j k a"]
    held_out: Float[Tensor, "j k b"]
    labels: Float[Tensor, "j a"]


class ByColumn:
    """Reads columns of activations; keeps the last matrix it was asked about in the order of columns."""

    def __init__(self) -> None:
        """Begin with no matrix."""
        self._known: Rows | None = None
        self._turned: ndarray | csc_array = np.empty((0, 0), np.float32)

    def read(self, activations: Rows, columns: Int[ndarray, " _"] | slice) -> Float[Tensor, "k n"]:
        """Return some columns as rows of a dense tensor."""
        if self._known is not activations:
            if isinstance(activations, csr_array):
                self._turned = activations.tocsc()
            else:
                self._turned = np.ascontiguousarray(activations.T)
            self._known = activations
        if isinstance(self._turned, csc_array):
            return torch.from_numpy(np.ascontiguousarray(self._turned[:, columns].toarray(order="F").T))
        return torch.from_numpy(self._turned[columns])


def batches(jobs: Sequence[Job], widths: Sequence[int]) -> Iterator[slice]:
    """Yield runs of neighbouring jobs whose padded designs fit the budget."""
    start, rows, width = 0, 0, 0
    for index, job in enumerate(jobs):
        rows, width = max(rows, len(job.train) + len(job.held_out)), max(width, widths[index] + 1)
        size = 4 * width * (3 * rows + 3 * width) * (index + 1 - start)
        if size > BUDGET / torch.get_num_threads() and index > start:
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
    empty = _empty(jobs, width)
    for place, (job, read) in enumerate(zip(jobs, reads, strict=True)):
        inside = slice(1, len(read) + 1)
        _fill(job, read, (empty.train[place, inside], empty.held_out[place, inside]), standardise=standardise)
    return empty


def rotated(jobs: Sequence[Job], reader: ByColumn, *, standardise: bool) -> Designs:
    """Lay out all columns of jobs with the same rows to fit on and to score, in as few coordinates as rows.

    The optimal w lies in the span of the training rows, so the problem in the coordinates of an orthonormal
    basis of that span is the same problem. With G = X X^T = Q L Q^T the rows there are Q L^(1/2), and
    held-out rows H become H X^T Q L^(-1/2); directions below rounding (L < n eps max L) are left out.
    """
    job = jobs[0]
    gram, cross = _grams(job, reader, standardise=standardise)
    values, vectors = torch.linalg.eigh(gram)
    kept = values > len(values) * torch.finfo(values.dtype).eps * values.max()
    scale, vectors = values[kept].sqrt(), vectors[:, kept]
    laid = _empty(jobs, 1 + len(scale))
    laid.train[:, 1:] = (vectors * scale).T
    laid.held_out[:, 1:] = (cross @ vectors / scale).T
    return laid


def _empty(jobs: Sequence[Job], width: int) -> Designs:
    rows = max(len(job.train) for job in jobs)
    scored = max(len(job.held_out) for job in jobs)
    train = torch.zeros(len(jobs), width, rows, dtype=torch.float64)
    held_out = torch.zeros(len(jobs), width, scored, dtype=torch.float64)
    labels = torch.zeros(len(jobs), rows, dtype=torch.float64)
    for place, job in enumerate(jobs):
        train[place, 0, : len(job.train)] = 1.0
        held_out[place, 0, : len(job.held_out)] = 1.0
        labels[place, : len(job.train)] = torch.from_numpy(job.labels[job.train])
    return Designs(train, held_out, labels)


def _fill(job: Job, read: Float[Tensor, "k n"], into: tuple[Tensor, Tensor], *, standardise: bool) -> None:
    raw = read.index_select(1, torch.from_numpy(job.train))
    train, held_out = into[0][:, : len(job.train)], into[1][:, : len(job.held_out)]
    train.copy_(raw)
    held_out.copy_(read.index_select(1, torch.from_numpy(job.held_out)))
    mean = train.mean(dim=1, keepdim=True)
    train -= mean
    held_out -= mean
    constant = (raw.amax(dim=1) == raw.amin(dim=1))[:, None]
    train.masked_fill_(constant, 0.0)
    if standardise:
        scale = torch.linalg.vector_norm(train, dim=1, keepdim=True) / len(job.train) ** 0.5
        scale.masked_fill_(constant, 1.0)
        train /= scale
        held_out /= scale


def _grams(
    job: Job, reader: ByColumn, *, standardise: bool
) -> tuple[Float[Tensor, "a a"], Float[Tensor, "b a"]]:
    rows, scored = len(job.train), len(job.held_out)
    gram = torch.zeros(rows, rows, dtype=torch.float64)
    cross = torch.zeros(scored, rows, dtype=torch.float64)
    for start in range(0, job.activations.shape[1], _BLOCK):
        read = reader.read(job.activations, slice(start, start + _BLOCK))
        train = torch.zeros(len(read), rows, dtype=torch.float64)
        held_out = torch.zeros(len(read), scored, dtype=torch.float64)
        _fill(job, read, (train, held_out), standardise=standardise)
        gram += train.T @ train
        cross += held_out.T @ train
    return gram, cross
