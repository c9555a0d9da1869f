"""What the probes share that are fitted one job after another by a library's own solver."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from biaskit.probing.probe import Fitted, Job, Setting


@dataclass(frozen=True, slots=True, eq=False)
class Matrices:
    """One job's rows as dense matrices, scaled by what its training rows say.

    Attributes:
        train: Training rows.
        labels: Their labels.
        held_out: Rows to score.
    """

    train: Float[ndarray, "a d"]
    labels: Bool[ndarray, " a"]
    held_out: Float[ndarray, "b d"]


FitOne: TypeAlias = Callable[[Job, Sequence[Setting], int], Fitted]
"""Fits every setting on one job whose training rows hold both classes, from a seed of its own."""


def one_by_one(
    jobs: Sequence[Job], settings: Sequence[Setting], rng: np.random.Generator, fit: FitOne
) -> Iterator[Fitted]:
    """Fit the jobs in order, each from a seed of its own; one that is not answerable is not fitted."""
    seeds = rng.integers(2**31, size=len(jobs))
    for job, seed in zip(jobs, seeds, strict=True):
        yield fit(job, settings, int(seed)) if answerable(job) else undecided(job, settings)


def answerable(job: Job) -> bool:
    """Say whether the training rows hold both classes and there is a row to score."""
    labels = job.labels[job.train]
    return bool(labels.any() and not labels.all() and len(job.held_out))


def undecided(job: Job, settings: Sequence[Setting]) -> Fitted:
    """Log-odds of 0 for every row and no convergence: nothing could be learnt."""
    return Fitted(
        log_odds=np.zeros((len(settings), len(job.held_out))),
        columns=(None,) * len(settings),
        converged=(False,) * len(settings),
    )


def standardised(job: Job) -> Matrices:
    """Centre the columns and divide them by their standard deviation over the training rows, in float32.

    Columns that are constant over the training rows are left out. Sparse rows are made dense for this job,
    without the columns that no training row uses.
    """
    train, held_out = _dense(job)
    mean, deviation = train.mean(axis=0, dtype=np.float64), train.std(axis=0, dtype=np.float64)
    varied = (train != train[:1]).any(axis=0) & (deviation > 0)
    return Matrices(
        train=_scaled(train[:, varied], mean[varied], deviation[varied]),
        labels=job.labels[job.train],
        held_out=_scaled(held_out[:, varied], mean[varied], deviation[varied]),
    )


def converges(model: Any, rows: Any, labels: Bool[ndarray, " a"]) -> bool:
    """Fit a scikit-learn model and say whether its solver reached its tolerance; other warnings pass."""
    # BLAS may compute on what lies beyond a short vector, and then flags a result that is no number; log-odds
    # are checked once they are there.
    with np.errstate(all="ignore"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(rows, labels)
    for note in caught:
        if not issubclass(note.category, ConvergenceWarning):
            warnings.warn_explicit(note.message, note.category, note.filename, note.lineno)
    return not any(issubclass(note.category, ConvergenceWarning) for note in caught)


def l1_logistic(
    strength: float, seed: int, tolerance: float = 1e-6, iterations: int = 1000
) -> LogisticRegression:
    """Return the solver of |w|_1 + C sum log(1 + exp(-y (w . x + b))), C = `strength`, with b free.

    liblinear penalises b too, as the weight of one more column; with 1000 in that column it is free to within
    a hundredth of a nat, provided that the tolerance is tight.
    """
    return LogisticRegression(
        C=strength,
        l1_ratio=1.0,
        solver="liblinear",
        intercept_scaling=1000.0,
        tol=tolerance,
        max_iter=iterations,
        random_state=seed,
    )


def log_spaced(most: int, count: int = 10) -> tuple[int, ...]:
    """Return `count` whole numbers from 1 to `most`, evenly spaced in their logarithm, without repeats."""
    return tuple(dict.fromkeys(round(x) for x in np.geomspace(1, most, count)))


def _dense(job: Job) -> tuple[ndarray, ndarray]:
    train, held_out = job.activations[job.train], job.activations[job.held_out]
    if isinstance(job.activations, csr_array):
        used = np.unique(train.indices)
        train, held_out = train[:, used].toarray(), held_out[:, used].toarray()
    return train, held_out


def _scaled(
    rows: Float[ndarray, "n d"], mean: Float[ndarray, " d"], deviation: Float[ndarray, " d"]
) -> Float[ndarray, "n d"]:
    scaled: Float[ndarray, "n d"] = ((rows - mean) / deviation).astype(np.float32)
    return scaled
