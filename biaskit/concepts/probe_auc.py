"""Area under the ROC curve over folds, with an interval that resamples fillers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy import ndarray

from biaskit.records.estimate import Estimate, Interval, Unit

LEVEL = 0.95
DRAWS = 2000


@dataclass(frozen=True, slots=True, eq=False)
class FoldScores:
    """What a probe said about rows it was not fitted on.

    Attributes:
        scores: The probe's log-odds.
        target: True where the concept is shown.
        groups: The filler of each row.
    """

    scores: Float[ndarray, " n"]
    target: Bool[ndarray, " n"]
    groups: Shaped[ndarray, " n"]


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Wins of positives over negatives (ties count one half), summed by group."""

    wins: Float[ndarray, "g g"]
    positives: Float[ndarray, " g"]
    negatives: Float[ndarray, " g"]

    def auc(self, weights: Float[ndarray, "b g"]) -> Float[ndarray, " b"]:
        """AUC with each group counted `weights` times; NaN where a class is missing from the draw."""
        pairs = (weights @ self.positives) * (weights @ self.negatives)
        wins = ((weights @ self.wins) * weights).sum(axis=1)
        share: Float[ndarray, " b"] = np.divide(
            wins, pairs, out=np.full(len(weights), np.nan), where=pairs > 0
        )
        return share


def clustered_auc(folds: list[FoldScores], rng: np.random.Generator) -> Estimate:
    """Mean AUC over folds, with a percentile interval from resampling groups within each fold.

    AUC is the share of pairs (positive, negative) in which the positive scores higher, ties one half.
    Where every pair is in order the bootstrap has no spread; the lower end is then the Clopper-Pearson
    bound for all of n groups in order, (alpha/2)^(1/n), n counted in the class with fewer groups.
    """
    pairs = [_pairs(fold) for fold in folds]
    value = float(np.mean([fold.auc(np.ones((1, len(fold.positives))))[0] for fold in pairs]))
    groups = sum(len(fold.positives) for fold in pairs)
    draws = np.stack([fold.auc(_multinomial(len(fold.positives), rng)) for fold in pairs])
    return Estimate(
        value=value,
        unit=Unit.PROPORTION,
        n=groups,
        resampling_unit="fillers",
        method=f"AUC on held-out fillers, mean of {len(folds)} folds",
        interval=_perfect(pairs) if value == 1.0 else _percentile(np.ma.masked_invalid(draws).mean(axis=0)),
        reason="no null is refitted: at 0.5 the probe ranks unseen fillers at random",
    )


def _pairs(fold: FoldScores) -> _Pairs:
    names, index = np.unique(fold.groups, return_inverse=True)
    member = np.eye(len(names))[index]
    upper, lower = fold.scores[fold.target], fold.scores[~fold.target]
    order = (np.sign(upper[:, None] - lower[None, :]) + 1) / 2
    above, below = member[fold.target], member[~fold.target]
    return _Pairs(above.T @ order @ below, above.sum(axis=0), below.sum(axis=0))


def _multinomial(groups: int, rng: np.random.Generator) -> Float[ndarray, "b g"]:
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=DRAWS).astype(float)


def _percentile(draws: np.ma.MaskedArray) -> Interval:
    low, high = np.quantile(draws.compressed(), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(low=float(low), high=float(high), level=LEVEL, method="cluster bootstrap over fillers")


def _perfect(pairs: list[_Pairs]) -> Interval:
    positive = sum(int((fold.positives > 0).sum()) for fold in pairs)
    negative = sum(int((fold.negatives > 0).sum()) for fold in pairs)
    low = ((1 - LEVEL) / 2) ** (1 / min(positive, negative))
    return Interval(low=low, high=1.0, level=LEVEL, method="Clopper-Pearson over fillers, all in order")
