"""Principal components, then logistic regression."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from biaskit.probing.one_by_one import Matrices, converges, log_spaced, one_by_one, standardised, undecided
from biaskit.probing.probe import Fitted, Job, Setting


@dataclass(frozen=True, slots=True)
class PcaLogistic:
    """Logistic regression (L2) on the first principal components of the standardised training rows.

    One decomposition per job serves every number of components. The default numbers are the ten of
    Kantamneni et al., arXiv 2502.16681, evenly spaced in their logarithm.

    Attributes:
        components: Numbers of components to try, fewest first.
        inverse_penalty: C of the logistic regression.
    """

    components: tuple[int, ...] = log_spaced(100)
    inverse_penalty: float = 1.0
    name: ClassVar[str] = "pca-logistic"

    def settings(self, rows: int, width: int) -> tuple[Setting, ...]:
        """Return the numbers of components that `rows` centred rows of `width` coordinates can have."""
        most = max(1, min(rows - 1, width))
        fitting = [count for count in self.components if count <= most] or [most]
        return tuple(Setting(values={"components": count}) for count in fitting)

    def fit(
        self, jobs: Sequence[Job], settings: Sequence[Setting], rng: np.random.Generator
    ) -> Iterator[Fitted]:
        """Fit each job and yield its held-out rows' log-odds, in the jobs' order; see `Probe`.

        A job with too few rows for a number of components gets all that it has.
        """
        return one_by_one(jobs, settings, rng, self._fit_one)

    def _fit_one(self, job: Job, settings: Sequence[Setting], seed: int) -> Fitted:
        rows = standardised(job)
        if not rows.train.size:
            return undecided(job, settings)
        counts = [int(setting.values["components"]) for setting in settings]
        most = min(max(counts), len(rows.train), rows.train.shape[1])
        pca = PCA(n_components=most, random_state=seed).fit(rows.train)
        projected = Matrices(pca.transform(rows.train), rows.labels, pca.transform(rows.held_out))
        outcomes = [self._logistic(projected, count) for count in counts]
        return Fitted(
            log_odds=np.stack([log_odds for log_odds, _ in outcomes]),
            columns=(None,) * len(settings),
            converged=tuple(converged for _, converged in outcomes),
        )

    def _logistic(self, rows: Matrices, count: int) -> tuple[Float[ndarray, " b"], bool]:
        model = LogisticRegression(C=self.inverse_penalty, max_iter=1000)
        converged = converges(model, rows.train[:, :count], rows.labels)
        return model.decision_function(rows.held_out[:, :count]).astype(np.float64), converged
