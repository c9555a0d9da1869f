"""A small multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from sklearn.neural_network import MLPClassifier

from biaskit.probing.one_by_one import Matrices, converges, one_by_one, standardised, undecided
from biaskit.probing.probe import Fitted, Job, Setting

_EPOCHS, _PATIENCE, _SMALLEST_BATCH = 100, 10, 64


@dataclass(frozen=True, slots=True)
class SmallMlp:
    """One or more hidden layers of rectified units on standardised coordinates, trained by Adam.

    What holds it back is the L2 penalty, which is chosen like any other setting. No row is set aside to stop
    early: on some hundred rows a fifth of them is too few to tell when, and they are missed where they would
    be learnt from. It has converged when the training loss has not fallen for 10 of at most 100 epochs.

    Attributes:
        widths: Units of a hidden layer to try, fewest first.
        penalties: L2 penalties to try, strongest first.
        depth: Hidden layers.
        rate: Learning rate of Adam.
    """

    widths: tuple[int, ...] = (32,)
    penalties: tuple[float, ...] = (10.0, 1.0, 0.01)
    depth: int = 1
    rate: float = 0.01
    name: ClassVar[str] = "small-mlp"

    def settings(self, rows: int, width: int) -> tuple[Setting, ...]:  # noqa: ARG002 - the protocol's shape
        """Return every width with every penalty, the simplest first."""
        return tuple(
            Setting(values={"units": units, "penalty": penalty})
            for units in self.widths
            for penalty in self.penalties
        )

    def fit(
        self, jobs: Sequence[Job], settings: Sequence[Setting], rng: np.random.Generator
    ) -> Iterator[Fitted]:
        """Fit each job and yield its held-out rows' log-odds, in the jobs' order; see `Probe`."""
        return one_by_one(jobs, settings, rng, self._fit_one)

    def _fit_one(self, job: Job, settings: Sequence[Setting], seed: int) -> Fitted:
        rows = standardised(job)
        if not rows.train.size:
            return undecided(job, settings)
        models = [self._model(rows, setting, seed) for setting in settings]
        converged = tuple(converges(model, rows.train, rows.labels) for model in models)
        return Fitted(
            log_odds=np.stack([_log_odds(model, rows.held_out) for model in models]),
            columns=(None,) * len(settings),
            converged=converged,
        )

    def _model(self, rows: Matrices, setting: Setting, seed: int) -> MLPClassifier:
        count = len(rows.train)
        return MLPClassifier(
            hidden_layer_sizes=(int(setting.values["units"]),) * self.depth,
            alpha=float(setting.values["penalty"]),
            batch_size=min(count, max(_SMALLEST_BATCH, count // 10)),
            learning_rate_init=self.rate,
            max_iter=_EPOCHS,
            n_iter_no_change=_PATIENCE,
            random_state=seed,
        )


def _log_odds(model: MLPClassifier, rows: Float[ndarray, "b d"]) -> Float[ndarray, " b"]:
    """Run the network up to its last unit: probabilities that round to 0 or 1 would tie."""
    *hidden, last = zip(model.coefs_, model.intercepts_, strict=True)
    for weights, bias in hidden:
        rows = np.maximum(rows @ weights + bias, 0.0)
    log_odds: Float[ndarray, " b"] = (rows @ last[0] + last[1])[:, 0].astype(np.float64)
    return log_odds
