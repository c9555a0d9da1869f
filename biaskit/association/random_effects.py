"""Effects of several studies put together where the true effect differs from study to study.

A study is something that was sampled, such as a template or a corpus. Random draws from one pool of vectors
are no studies: more of them make an estimate of the same words more precise, not more general.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy import stats

from biaskit.records.estimate import Interval


@dataclass(frozen=True, slots=True)
class RandomEffects:
    """A mean effect over studies.

    Attributes:
        mean: The mean true effect.
        interval: Of the mean.
        prediction: Where the effect of one more study would lie.
        tau: Standard deviation of the true effects between studies.
        i_squared: Share of the spread of effects that is no sampling error, in [0, 1].
    """

    mean: float
    interval: Interval
    prediction: Interval
    tau: float
    i_squared: float


def random_effects(
    effects: Float[ndarray, " k"], variances: Float[ndarray, " k"], *, level: float = 0.95
) -> RandomEffects:
    """Put studies together: DerSimonian and Laird's tau, Hartung and Knapp's interval.

    `tau^2 = max(0, (Q - (k - 1)) / (sum w - sum w^2 / sum w))` with `w = 1 / v`; then weights
    `1 / (v + tau^2)` and `SE^2 = sum w (e - mean)^2 / ((k - 1) sum w)`, t with k - 1 degrees of freedom. The
    prediction interval is `mean +- t_{k-2} sqrt(tau^2 + SE^2)` (Higgins, Thompson and Spiegelhalter 2009).

    Args:
        effects: The effect that each study found.
        variances: The sampling variance of each effect.
        level: Confidence level.

    Raises:
        ValueError: Fewer than three studies, or a variance that is not above 0.
    """
    if effects.size < 3 or not (variances > 0).all() or not np.isfinite(effects).all():
        raise ValueError("random effects need three studies with finite effects and variances above 0")
    k = effects.size
    tau2, q = _dersimonian_laird(effects, variances)
    weights = 1 / (variances + tau2)
    mean = float(weights @ effects / weights.sum())
    error2 = float(weights @ (effects - mean) ** 2 / ((k - 1) * weights.sum()))
    half = float(stats.t.ppf((1 + level) / 2, k - 1) * np.sqrt(error2))
    ahead = float(stats.t.ppf((1 + level) / 2, k - 2) * np.sqrt(tau2 + error2))
    return RandomEffects(
        mean=mean,
        interval=_around(mean, half, level, f"Hartung-Knapp over {k} studies, t({k - 1})"),
        prediction=_around(mean, ahead, level, f"prediction for one more study, t({k - 2})"),
        tau=float(np.sqrt(tau2)),
        i_squared=max(0.0, (q - (k - 1)) / q) if q > 0 else 0.0,
    )


def _dersimonian_laird(effects: Float[ndarray, " k"], variances: Float[ndarray, " k"]) -> tuple[float, float]:
    weights = 1 / variances
    total = weights.sum()
    q = float(weights @ (effects - weights @ effects / total) ** 2)
    scale = float(total - weights @ weights / total)
    return max(0.0, (q - (effects.size - 1)) / scale), q


def _around(mean: float, half: float, level: float, method: str) -> Interval:
    return Interval(low=mean - half, high=mean + half, level=level, method=method)
