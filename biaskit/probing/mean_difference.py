"""Mean difference: project on the line between the two class means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from sklearn.linear_model import LogisticRegression

from biaskit.probing.column_sums import column_sums
from biaskit.probing.one_by_one import answerable, converges, undecided
from biaskit.probing.probe import Fitted, Job, Setting


@dataclass(frozen=True, slots=True)
class MeanDifferenceProbe:
    """Log-odds a (w . x) + b with w = mean(x | 1) - mean(x | 0).

    a and b come from a logistic regression on the training rows' standardised projections (C = 1). Jobs that
    share one activation matrix share the sums behind w.

    Attributes:
        standardise: Divide each coordinate by its standard deviation first, so that no single large
            coordinate decides.
    """

    standardise: bool = False
    name: ClassVar[str] = "mean-difference"

    def settings(self, rows: int, width: int) -> tuple[Setting, ...]:  # noqa: ARG002 - the protocol's shape
        """Return the one setting: there is nothing to choose."""
        return (Setting(),)

    def fit(
        self,
        jobs: Sequence[Job],
        settings: Sequence[Setting],
        rng: np.random.Generator,  # noqa: ARG002 - the protocol's shape
    ) -> Iterator[Fitted]:
        """Fit each job and yield its held-out rows' log-odds, in the jobs' order; see `Probe`."""
        directions = self._directions(jobs)
        for job, direction in zip(jobs, directions, strict=True):
            yield _calibrated(job, direction, settings) if answerable(job) else undecided(job, settings)

    def _directions(self, jobs: Sequence[Job]) -> list[Float[ndarray, " _"]]:
        directions: list[Float[ndarray, " _"]] = [np.empty(0)] * len(jobs)
        for places, sums in column_sums(jobs):
            found = np.where(sums.constant, 0.0, sums.difference())
            if self.standardise:
                variance = sums.scatter() / sums.rows[:, None]
                found = np.divide(found, variance, out=np.zeros_like(found), where=variance > 0)
            for place, direction in zip(places, found, strict=True):
                directions[place] = direction
        return directions


def _calibrated(job: Job, direction: Float[ndarray, " d"], settings: Sequence[Setting]) -> Fitted:
    if not direction.any():
        return undecided(job, settings)
    train, held_out = (job.activations[rows] @ direction for rows in (job.train, job.held_out))
    centre, spread = train.mean(), train.std()
    model = LogisticRegression(C=1.0)
    converged = converges(model, ((train - centre) / spread)[:, None], job.labels[job.train])
    log_odds = model.decision_function(((held_out - centre) / spread)[:, None])
    return Fitted(
        log_odds=np.tile(log_odds, (len(settings), 1)),
        columns=(None,) * len(settings),
        converged=(converged,) * len(settings),
    )
