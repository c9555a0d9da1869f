"""How much a classifier leans on a shortcut, from its predictions and its representations alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy import ndarray
from scipy import stats

from biaskit.records.estimate import Interval
from biaskit.stats.bootstrap import cluster_interval
from biaskit.stats.group_metrics import Outcomes, auc
from biaskit.stats.measured import Measured, measured_mean

CLIP = 1e-3


@dataclass(frozen=True, slots=True)
class ShortcutScore:
    """Reliance on a shortcut beyond a reference's.

    Attributes:
        value: Reliance of the model less that of the reference, in [-1, 1].
        model: Share of conflicting rows in which the model says what the shortcut implies.
        reference: The same of the reference.
        n: How many rows conflict.
        interval: Interval of `value`; None where there is none.
        reason: Why value or interval is missing.
    """

    value: float | None
    model: float | None
    reference: float | None
    n: int
    interval: Interval | None = None
    reason: str | None = None


def reliance(
    predicted: Int[ndarray, " n"],
    labels: Int[ndarray, " n"],
    implied: Int[ndarray, " n"],
    clusters: Shaped[ndarray, " n"] | None = None,
) -> Measured:
    """Share of conflicting rows in which the model says what the shortcut implies, not the true class.

    `P(predicted = implied | implied != label)`. A model that ignores the shortcut has its error rate here
    (or, with many classes, a part of it), not 0: hold it against a reference or against the null twin.

    Args:
        predicted: What the model says.
        labels: The true class, which the core feature implies.
        implied: The class that the shortcut implies.
        clusters: Rows that were sampled together; None: each alone.
    """
    conflict = implied != labels
    follows = (predicted == implied)[conflict].astype(float)
    return measured_mean(follows, None if clusters is None else clusters[conflict])


def shortcut_score(
    predicted: Int[ndarray, " n"],
    reference: Int[ndarray, " n"],
    labels: Int[ndarray, " n"],
    implied: Int[ndarray, " n"],
    clusters: Shaped[ndarray, " n"] | None = None,
) -> ShortcutScore:
    """Reliance of a model less that of a reference classifier that sees the true latents.

    After Hermann et al. 2024 (On the foundations of shortcut learning): over-reliance on the more available,
    less predictive feature, compared with a classifier that is fitted on the features themselves. The
    interval is that of the paired difference over conflicting rows; where that is the same on every row it
    is the interval of the model's own reliance, moved by the reference's.

    Args:
        predicted: What the model says.
        reference: What the reference says.
        labels: The true class.
        implied: The class that the shortcut implies.
        clusters: Rows that were sampled together; None: each alone.
    """
    ours, theirs = (reliance(said, labels, implied, clusters) for said in (predicted, reference))
    if ours.value is None or theirs.value is None:
        return ShortcutScore(None, None, None, 0, reason="shortcut and label conflict in no row")
    conflict = implied != labels
    owners = np.arange(labels.size) if clusters is None else clusters
    paired = (predicted == implied)[conflict].astype(float) - (reference == implied)[conflict]
    value = ours.value - theirs.value
    if np.unique(owners[conflict]).size < 2:
        return ShortcutScore(value, ours.value, theirs.value, ours.n, reason="one cluster has no spread")
    alone = ours.interval(0.95)
    if np.ptp(paired) > 0 or alone is None:
        interval = cluster_interval(paired, owners[conflict])
    else:
        interval = _moved(alone, theirs.value)
    return ShortcutScore(value, ours.value, theirs.value, ours.n, interval)


def randomised_auc(scores: Float[ndarray, "n k"], labels: Int[ndarray, " n"]) -> float:
    """AUC of a model on rows in which some features were drawn anew, apart from the label.

    The mean over classes of the AUC of one class against the rest. With the features S drawn anew, 0.5 says
    that the model uses nothing but S; with all others drawn anew, 1 says that S is enough for it (Shah et al.
    2020). NaN where there are not two classes.

    Args:
        scores: Logits or probabilities.
        labels: The true class.
    """
    each = [auc(Outcomes(labels, scores, int(label))) for label in np.unique(labels)]
    return float(np.mean(each))


def variance_explained(
    representation: Float[ndarray, "n d"], feature: Float[ndarray, " n"] | Float[ndarray, "n f"]
) -> float:
    """Share of the variance of a representation that a linear regression on a feature explains.

    `1 - (SSE / (n - 1 - f)) / (SST / (n - 1))`, squares summed over all dimensions: adjusted for the
    f columns of the feature, so that a feature the representation does not know has 0 on average (Lampinen
    et al. 2024).

    Args:
        representation: One row an example.
        feature: One number an example, or several columns (a category: one column a value but one).

    Raises:
        ValueError: A value is not finite, the rows are too few, or the representation does not vary.
    """
    columns = np.atleast_2d(feature.T).T.astype(float)
    n = len(representation)
    if not (np.isfinite(representation).all() and np.isfinite(columns).all()):
        raise ValueError("representation and feature must be finite")
    centred, columns = representation - representation.mean(axis=0), columns - columns.mean(axis=0)
    total, rank = float((centred**2).sum()), int(np.linalg.matrix_rank(columns))
    if n - 1 <= rank or total == 0:
        raise ValueError("too few rows for this feature, or a representation that does not vary")
    weight = np.linalg.lstsq(columns, centred, rcond=None)[0]
    left = float(((centred - columns @ weight) ** 2).sum())
    return 1 - (left / (n - 1 - rank)) / (total / (n - 1))


@dataclass(frozen=True, slots=True)
class Curve:
    """Minority accuracy against majority accuracy over models or checkpoints.

    Attributes:
        linear: R^2 of a straight line.
        quadratic: R^2 of a parabola; far above `linear` where the points follow a curve.
        spearman: Rank correlation; None where one of the two does not vary.
        n: Number of points.
    """

    linear: float
    quadratic: float
    spearman: float | None
    n: int


def accuracy_curve(majority: Float[ndarray, " n"], minority: Float[ndarray, " n"]) -> Curve:
    """Fit minority on majority accuracy, both on the probit scale (Liang et al. 2023; Miller et al. 2021).

    Accuracies are kept within 0.001 of 0 and 1, where the probit is infinite.

    Raises:
        ValueError: There are fewer than four points, or the majority accuracy does not vary.
    """
    if majority.size < 4 or np.ptp(majority) == 0:
        raise ValueError("a curve needs four points whose majority accuracies differ")
    x, y = (stats.norm.ppf(np.clip(values, CLIP, 1 - CLIP)) for values in (majority, minority))
    rank = None if np.ptp(y) == 0 else float(stats.spearmanr(x, y).statistic)
    return Curve(_fit(x, y, 1), _fit(x, y, 2), rank, majority.size)


def minority_at(
    majority: Float[ndarray, " n"], minority: Float[ndarray, " n"], at: float
) -> tuple[float | None, int]:
    """Mean minority accuracy of the models whose majority accuracy is at least `at`, and how many they are.

    Models are compared at a majority accuracy that they all reach, since both accuracies rise with training.
    None where no model reaches it.
    """
    reached: Bool[ndarray, " n"] = majority >= at
    count = int(reached.sum())
    return (float(minority[reached].mean()), count) if count else (None, 0)


def _fit(x: Float[ndarray, " n"], y: Float[ndarray, " n"], degree: int) -> float:
    total = float(((y - y.mean()) ** 2).sum())
    left = float(((y - np.polynomial.Polynomial.fit(x, y, degree)(x)) ** 2).sum())
    return 1 - left / total if total > 0 else 0.0


def _moved(interval: Interval, by: float) -> Interval:
    low, high = interval.low - by, interval.high - by
    return Interval(low=low, high=high, level=interval.level, method=interval.method)
