"""The mixture once more, as a reader of the papers would write it: one component at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy import ndarray
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from biaskit.slices.observations import Observations


@dataclass
class Weights:
    """Weights of label, prediction and simplex."""

    label: float = 1.0
    prediction: float = 1.0
    simplex: float = 0.0


@dataclass
class Component:
    """One component's parameters."""

    share: float
    mean: ndarray
    variance: ndarray
    labels: ndarray
    predictions: ndarray
    middle: ndarray
    covariance: ndarray

    def log_density(self, seen: Observations, weights: Weights) -> ndarray:
        """Log of the share and the density of each row."""
        away = seen.embeddings - self.mean
        gauss = -0.5 * (away**2 / self.variance + np.log(2 * np.pi * self.variance)).sum(axis=1)
        total = np.log(self.share) + gauss + weights.label * np.log(self.labels[seen.labels])
        said = np.log(np.maximum(seen.probabilities @ self.predictions, 1e-12))
        total = total + weights.prediction * said
        if weights.simplex:
            density = multivariate_normal(self.middle, self.covariance).logpdf(seen.probabilities)
            total = total + weights.simplex * density
        return np.asarray(total)


def component(seen: Observations, mine: ndarray, before: Component | None) -> Component:
    """Parameters from the rows that a component owns."""
    mass, mine = mine.sum(), mine[:, None]
    mean = (mine * seen.embeddings).sum(axis=0) / mass
    variance = (mine * (seen.embeddings - mean) ** 2).sum(axis=0) / mass
    classes = range(seen.probabilities.shape[1])
    labels = np.array([(mine[:, 0] * (seen.labels == c)).sum() / mass for c in classes])
    blame = seen.probabilities
    if before is not None:
        joint = seen.probabilities * before.predictions
        blame = joint / np.maximum(joint.sum(axis=1, keepdims=True), 1e-12)
    middle = (mine * seen.probabilities).sum(axis=0) / mass
    away = seen.probabilities - middle
    values, axes = np.linalg.eigh((mine * away).T @ away / mass)
    return Component(
        share=mass / len(seen),
        mean=mean,
        variance=np.maximum(variance, 1e-3),
        labels=np.maximum(labels, 1e-12),
        predictions=np.maximum((mine * blame).sum(axis=0) / mass, 1e-12),
        middle=middle,
        covariance=axes @ np.diag(np.maximum(values, 1e-3)) @ axes.T,
    )


def fit(
    seen: Observations, owned: ndarray, weights: Weights, tolerance: float, iterations: int
) -> tuple[list[float], ndarray]:
    """Return the log-likelihood before each step, and the last ownership."""
    trace: list[float] = []
    before: list[Component | None] = [None] * owned.shape[1]
    for _ in range(iterations):
        found = [component(seen, owned[:, s], before[s]) for s in range(owned.shape[1])]
        logs = np.stack([one.log_density(seen, weights) for one in found], axis=1)
        values = logsumexp(logs, axis=1)
        owned, before = np.exp(logs - values[:, None]), list(found)
        trace.append(float(values.mean()))
        if len(trace) > 1 and trace[-1] - trace[-2] < tolerance:
            break
    return trace, owned
