"""Where EM starts: which rows each component owns before the first step."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from biaskit.slices.observations import Observations

NOISE = 1e-3
RESTARTS = 4
LLOYD_STEPS = 50


def confusion_start(seen: Observations, components: int, rng: np.random.Generator) -> Float[ndarray, "n s"]:
    """Give every kind of mistake a component of its own (Eyuboglu et al. 2022, appendix).

    A kind is a cell (true class, predicted class) that occurs in `seen`: of a single class there are at most
    as many as classes, where a component for each of all C^2 would leave most without a row. Components are
    dealt out in turn, the commonest cell first; a cell with several is parted by k-means of its embeddings.
    With fewer components than cells the commonest get one and the rows of the others begin in all alike.

    Returns:
        How far each row is owned by each component; rows sum to 1. There may be fewer components than asked.
    """
    columns = _dealt(_cells(seen), components, seen, rng)
    return _loosened(columns, rng)


def k_means_start(seen: Observations, components: int, rng: np.random.Generator) -> Float[ndarray, "n s"]:
    """Start from k-means of the embeddings."""
    return _loosened(k_means(seen.embeddings, components, rng), rng)


def k_means(rows: Float[ndarray, "n d"], parts: int, rng: np.random.Generator) -> Int[ndarray, " n"]:
    """Part rows into at most `parts` clusters; fewer where there are fewer different rows.

    Lloyd's algorithm from the best of `RESTARTS` k-means++ starts. Nulls fit hundreds of small problems, for
    which scikit-learn takes ten times as long, most of it to count threads.
    """
    if parts == 1:
        return np.zeros(len(rows), dtype=np.int64)
    runs = [_lloyd(rows, _spread_out(rows, parts, rng)) for _ in range(RESTARTS)]
    best, _ = min(runs, key=lambda run: run[1])
    return np.unique(best, return_inverse=True)[1].astype(np.int64)


def _spread_out(rows: Float[ndarray, "n d"], parts: int, rng: np.random.Generator) -> Float[ndarray, "s d"]:
    """Rows drawn in turn, each by its squared distance to those drawn before (k-means++)."""
    picked = [int(rng.integers(len(rows)))]
    away = np.full(len(rows), np.inf)
    while len(picked) < parts:
        away = np.minimum(away, np.square(rows - rows[picked[-1]]).sum(axis=1))
        if not away.any():
            break
        picked.append(int(rng.choice(len(rows), p=away / away.sum())))
    return rows[picked]


def _lloyd(rows: Float[ndarray, "n d"], centres: Float[ndarray, "s d"]) -> tuple[Int[ndarray, " n"], float]:
    """Clusters that no longer change, and the sum of squared distances less a constant."""
    parts = np.full(len(rows), -1)
    for _ in range(LLOYD_STEPS):
        away = np.square(centres).sum(axis=1) - 2 * rows @ centres.T
        nearest = away.argmin(axis=1)
        if (nearest == parts).all():
            break
        parts = nearest
        kinds = (parts[:, None] == np.arange(len(centres))).astype(float)
        counts = kinds.sum(axis=0)[:, None]
        # A centre that nobody is nearest to stays where it is.
        centres = np.where(counts > 0, kinds.T @ rows / np.maximum(counts, 1), centres)
    away = np.square(centres).sum(axis=1) - 2 * rows @ centres.T
    return parts, float(away[np.arange(len(rows)), parts].sum())


def _cells(seen: Observations) -> Int[ndarray, " n"]:
    """The confusion cell of each row, the commonest numbered 0."""
    cells = seen.labels * seen.probabilities.shape[1] + seen.predictions
    _, index, counts = np.unique(cells, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return np.argsort(order, kind="stable")[index]


def _dealt(
    cells: Int[ndarray, " n"], components: int, seen: Observations, rng: np.random.Generator
) -> Int[ndarray, " n"]:
    """Component of each row; -1 where its cell has none."""
    columns, first, kinds = np.full(len(cells), -1), 0, int(cells.max()) + 1
    for cell in range(min(kinds, components)):
        rows = np.flatnonzero(cells == cell)
        share = components // kinds + (cell < components % kinds)
        parts = k_means(seen.embeddings[rows], min(share, len(rows)), rng)
        columns[rows] = first + parts
        first += int(parts.max()) + 1
    return columns


def _loosened(columns: Int[ndarray, " n"], rng: np.random.Generator) -> Float[ndarray, "n s"]:
    """Let every row belong a little to every component, so that none is bound to its start."""
    owned = (columns[:, None] == np.arange(columns.max() + 1)).astype(float)
    owned += NOISE * rng.random(owned.shape)
    return np.asarray(owned / owned.sum(axis=1, keepdims=True))
