"""Linear probes of an attribute along a trajectory: one for each step of a sampler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import Tensor

from biaskit.concepts.integrated_gradients import LatentProbe
from biaskit.errors import RequestError

FEWEST = 10
_ITERATIONS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class StepProbe:
    """A probe of one step.

    Attributes:
        timestep: Which step, as the network is told it.
        probe: Logits of the classes as a function of activations.
        auc: One against the rest, mean over classes, on rows that the probe was not fitted on; None where a
            class was too rare to hold rows back.
    """

    timestep: float
    probe: LatentProbe
    auc: float | None


def fit_step_probe(
    rows: Float[Tensor, "n d"],
    labels: Int[Tensor, " n"],
    classes: Sequence[str],
    timestep: float,
    regularisation: float = 1.0,
) -> StepProbe:
    """Fit a ridge-penalised multinomial logistic regression on standardised activations of one step.

    Every second row of each class is held back for the AUC; the probe itself is then fitted on all rows.

    Raises:
        RequestError: A class has fewer than `FEWEST` rows.
    """
    require_every_class(labels, classes)
    table, named = rows.double().numpy(), labels.numpy()
    fitted = held_out_rows(named)
    auc = _auc(_fit(table[~fitted], named[~fitted], regularisation), table[fitted], named[fitted])
    weight, bias = _fit(table, named, regularisation)
    return StepProbe(timestep, LatentProbe(torch.from_numpy(weight), torch.from_numpy(bias)), auc)


def require_every_class(labels: Int[Tensor, " n"], classes: Sequence[str], fewest: int = FEWEST) -> None:
    """Refuse rows in which a class is never, or hardly ever, seen.

    Raises:
        RequestError: Names the class and says how often it was seen.
    """
    counts = torch.bincount(labels, minlength=len(classes)).tolist()
    rare = [(name, count) for name, count in zip(classes, counts, strict=True) if count < fewest]
    if rare:
        name, count = min(rare, key=lambda one: one[1])
        seen = "never seen" if not count else f"seen {count} times"
        raise RequestError(
            f"The class '{name}' was {seen} in {len(labels)} images, and {fewest} are needed.",
            why="No direction can be learnt for a class that the classifier does not find.",
            fix="Draw more images, name groups that the model draws, or use another classifier.",
        )


def held_out_rows(labels: Int[ndarray, " n"]) -> ndarray:
    """Mark every second row of each class."""
    marked = np.zeros(len(labels), dtype=bool)
    for value in np.unique(labels):
        marked[np.flatnonzero(labels == value)[1::2]] = True
    return marked


def _fit(
    rows: Float[ndarray, "n d"], labels: Int[ndarray, " n"], regularisation: float
) -> tuple[Float[ndarray, "k d"], Float[ndarray, " k"]]:
    """Weights and biases on raw activations; two classes get a row each."""
    centre, spread = rows.mean(axis=0), rows.std(axis=0)
    spread[spread == 0] = 1.0
    model = LogisticRegression(C=regularisation / rows.shape[1], max_iter=_ITERATIONS)
    model.fit((rows - centre) / spread, labels)
    weight, bias = model.coef_ / spread, model.intercept_ - (model.coef_ / spread) @ centre
    if len(weight) == 1:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return weight, bias


def _auc(
    fitted: tuple[Float[ndarray, "k d"], Float[ndarray, " k"]],
    rows: Float[ndarray, "n d"],
    labels: Int[ndarray, " n"],
) -> float | None:
    if len(np.unique(labels)) < len(fitted[1]):
        return None
    scores = rows @ fitted[0].T + fitted[1]
    each = [roc_auc_score(labels == number, scores[:, number]) for number in range(len(fitted[1]))]
    return float(np.mean(each))
