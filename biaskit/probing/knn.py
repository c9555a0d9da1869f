"""Nearest neighbours: what the training rows around a row say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from sklearn.neighbors import NearestNeighbors

from biaskit.probing.one_by_one import log_spaced, one_by_one, standardised, undecided
from biaskit.probing.probe import Fitted, Job, Setting


@dataclass(frozen=True, slots=True)
class NearestNeighbours:
    """Log-odds log(v / (k - v)), v of the k nearest training rows showing the property.

    Distances are Euclidean on standardised coordinates. Infinite where the neighbours agree. One query per
    job serves every k. The default numbers are the ten of Kantamneni et al., arXiv 2502.16681.

    Attributes:
        neighbours: Numbers of neighbours to try; the smoothest, which is the largest, is tried first.
    """

    neighbours: tuple[int, ...] = log_spaced(100)
    name: ClassVar[str] = "nearest-neighbours"

    def settings(self, rows: int, width: int) -> tuple[Setting, ...]:  # noqa: ARG002 - the protocol's shape
        """Return the numbers of neighbours that `rows` rows can give, largest first."""
        fitting = [k for k in self.neighbours if k <= rows] or [max(1, rows)]
        return tuple(Setting(values={"neighbours": k}) for k in sorted(fitting, reverse=True))

    def fit(
        self, jobs: Sequence[Job], settings: Sequence[Setting], rng: np.random.Generator
    ) -> Iterator[Fitted]:
        """Fit each job and yield its held-out rows' log-odds, in the jobs' order; see `Probe`.

        A job with fewer rows than neighbours asks all of them.
        """
        return one_by_one(jobs, settings, rng, _fit_one)


def _fit_one(job: Job, settings: Sequence[Setting], seed: int) -> Fitted:  # noqa: ARG001 - nothing is drawn
    rows = standardised(job)
    if not rows.train.size:
        return undecided(job, settings)
    counts = np.minimum([int(setting.values["neighbours"]) for setting in settings], len(rows.train))
    search = NearestNeighbors(n_neighbors=int(counts.max())).fit(rows.train)
    nearest = search.kneighbors(rows.held_out, return_distance=False)
    votes = np.cumsum(rows.labels[nearest], axis=1)[:, counts - 1].T
    with np.errstate(divide="ignore"):
        log_odds = np.log(votes) - np.log(counts[:, None] - votes)
    return Fitted(log_odds=log_odds, columns=(None,) * len(settings), converged=(True,) * len(settings))
