"""The choice of settings inside the training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from biaskit.probing.metrics import Metrics, mean_metrics, measure
from biaskit.probing.probe import Setting


@dataclass(frozen=True, slots=True, eq=False)
class Inside:
    """What every setting gave on one inner fold.

    Attributes:
        log_odds: Log-odds of the validation rows by setting, in single precision.
        labels: The labels that the validation rows were given.
    """

    log_odds: Float[ndarray, "s b"]
    labels: Bool[ndarray, " b"]


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The settings that were tried on each cell (one split of one task), and what they reached inside.

    Attributes:
        settings: The settings, in the order of the columns of `scores`.
        scores: Mean validation AUC on each cell; NaN where there is none.
        inside: The inner folds of each cell; none where nothing was validated.
    """

    settings: Sequence[Setting]
    scores: Float[ndarray, "c s"]
    inside: Sequence[Sequence[Inside]]

    def best(self, cell: int) -> list[int]:
        """Return the best setting of each variant, in order; of equals the first."""
        variants: dict[str, list[int]] = {}
        for index, setting in enumerate(self.settings):
            variants.setdefault(setting.variant, []).append(index)
        scores = np.nan_to_num(self.scores[cell], nan=-1.0)
        return [max(members, key=lambda index: scores[index]) for members in variants.values()]

    def validation(self, cell: int, index: int) -> Metrics | None:
        """Return a setting's mean measures over the inner folds; None where there are none."""
        found = [measure(fold.log_odds[index], fold.labels) for fold in self.inside[cell]]
        return mean_metrics(found) if found else None

    def auc(self, cell: int, index: int) -> float | None:
        """Return a setting's mean validation AUC, by which it was chosen; None where there is none."""
        value = float(self.scores[cell, index])
        return None if np.isnan(value) else value
