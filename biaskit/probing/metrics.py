"""How well log-odds tell two classes apart, by six measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.special import expit

SMALLEST_PROBABILITY = 1e-7
"""Probabilities keep this far from 0 and 1, so that a wrong certainty costs 16.1 nats, not infinity."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """What a probe is worth on rows it was not fitted on; None where a measure is not defined.

    Attributes:
        auc: Share of pairs (positive, negative) in which the positive scores higher, ties one half; 0 to 1.
        pr_auc: Average precision: precision at each distinct score, weighted by the recall gained; 0 to 1.
        f1: Harmonic mean of precision and recall where log-odds above 0 count as positive; 0 to 1. Not
            defined where nothing is positive, neither told nor true.
        accuracy: Share of rows on the right side of log-odds 0; 0 to 1.
        brier: Mean squared distance of the probability from the truth; 0 to 1.
        log_loss: Mean negative log probability of the truth, in nats, at most 16.1.
    """

    auc: float | None
    pr_auc: float | None
    f1: float | None
    accuracy: float | None
    brier: float | None
    log_loss: float | None


def measure(log_odds: Float[ndarray, " b"], labels: Bool[ndarray, " b"]) -> Metrics:
    """Judge log-odds by the true labels.

    Args:
        log_odds: Log-odds of the property for each row, in nats; infinities are certainty.
        labels: True where a row shows the property.

    Returns:
        The measures; `auc` and `pr_auc` are None where one class is missing, all are None without rows.
    """
    if not labels.size:
        return Metrics(None, None, None, None, None, None)
    scores = np.asarray(log_odds, dtype=float)
    auc, pr_auc = _ranking(scores, labels)
    told = scores > 0
    named = int(told.sum() + labels.sum())
    probability = expit(scores)
    surprise = np.minimum(np.logaddexp(0.0, np.where(labels, -scores, scores)), -np.log(SMALLEST_PROBABILITY))
    surprise = np.maximum(surprise, -np.log1p(-SMALLEST_PROBABILITY))
    return Metrics(
        auc=auc,
        pr_auc=pr_auc,
        f1=2 * int((told & labels).sum()) / named if named else None,
        accuracy=float((told == labels).mean()),
        brier=float(((probability - labels) ** 2).mean()),
        log_loss=float(surprise.mean()),
    )


def mean_metrics(found: Sequence[Metrics]) -> Metrics:
    """Return the mean of each measure over those that have it; None where none has."""
    columns = zip(*map(astuple, found), strict=True)
    known = [[value for value in column if value is not None] for column in columns]
    return Metrics(*(float(np.mean(values)) if values else None for values in known))


def _ranking(scores: Float[ndarray, " b"], labels: Bool[ndarray, " b"]) -> tuple[float | None, float | None]:
    """Area under the ROC curve and average precision; None where one class is missing."""
    hits, others = _cumulated(scores, labels)
    positives, negatives = int(hits[-1]), int(others[-1])
    if not positives or not negatives:
        return None, None
    gained, passed = np.diff(hits, prepend=0), np.diff(others, prepend=0)
    auc = float((gained * (negatives - others + passed / 2)).sum()) / (positives * negatives)
    return auc, float((gained * hits / (hits + others)).sum()) / positives


def _cumulated(
    scores: Float[ndarray, " b"], labels: Bool[ndarray, " b"]
) -> tuple[Int[ndarray, " t"], Int[ndarray, " t"]]:
    """How many positives and negatives score at least as high as each distinct score, highest first."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last_of_tie = np.append(ranked[1:] != ranked[:-1], True)
    hits = np.cumsum(labels[order])[last_of_tie]
    return hits, np.flatnonzero(last_of_tie) + 1 - hits
