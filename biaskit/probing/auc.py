"""The area under the ROC curve of many score rows at once."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.stats import rankdata


def auc(log_odds: Float[ndarray, "s b"], labels: Bool[ndarray, " b"]) -> Float[ndarray, " s"]:
    """Share of pairs (positive, negative) in which the positive scores higher, ties one half.

    From the rank sum of the positives (Mann and Whitney): U / (n1 n0), U = R1 - n1 (n1 + 1) / 2.

    Args:
        log_odds: Any score of each row, higher for the property; infinities are allowed.
        labels: True where a row shows the property.

    Returns:
        One value in [0, 1] for each row of scores; NaN where a class is missing or a score is NaN.
    """
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return np.full(len(log_odds), np.nan)
    ranks = rankdata(log_odds, axis=1)[:, labels].sum(axis=1)
    share: Float[ndarray, " s"] = (ranks - positives * (positives + 1) / 2) / (positives * negatives)
    return share
