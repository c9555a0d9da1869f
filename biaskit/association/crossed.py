"""Two attributes of people at once: is the intersection more than the sum of its parts?

Separate tests of the four cells cannot answer that; the interaction of a two by two design does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy import stats

from biaskit.records.estimate import Interval, Null
from biaskit.stats.power import minimum_detectable_effect

DRAWS = 9999


@dataclass(frozen=True, slots=True, eq=False)
class CrossedSets:
    """The interaction of two attributes on the associations of names.

    Attributes:
        cells: Mean association of each cell: both, the first alone, the second alone, neither.
        contrast: `both - first alone - second alone + neither`.
        interval: Of the contrast.
        null: Two-sided; residuals of the additive model permuted over names.
        error: Standard error of the contrast.
        freedom: Its degrees of freedom.
    """

    cells: tuple[float, float, float, float]
    contrast: float
    interval: Interval
    null: Null
    error: float
    freedom: float

    @property
    def smallest(self) -> float:
        """The smallest true contrast seen with power 0.8 at level 0.05."""
        return minimum_detectable_effect(self.error, df=self.freedom)


def interaction(
    cells: tuple[Float[ndarray, " a"], Float[ndarray, " b"], Float[ndarray, " c"], Float[ndarray, " e"]],
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = DRAWS,
) -> CrossedSets:
    """Test whether two attributes together differ from the sum of each.

    Interval: t with the variance of each cell's own names (Welch and Satterthwaite). Null: residuals of the
    model with both main effects and no interaction are permuted over names (Freedman and Lane 1983) and the
    t value of the interaction is computed again.

    Args:
        cells: Associations of the names in each cell: both, the first alone, the second alone, neither.
        rng: Source of the permutations.
        level: Confidence level.
        draws: How many permutations.

    Raises:
        ValueError: A cell has fewer than two names.
    """
    if min(cell.size for cell in cells) < 2:
        raise ValueError("an interaction needs two names in every cell")
    sizes = [cell.size for cell in cells]
    values = np.concatenate(cells)
    owner = np.repeat(np.arange(4), sizes)
    means = tuple(float(cell.mean()) for cell in cells)
    contrast = means[0] - means[1] - means[2] + means[3]
    parts = np.array([cell.var(ddof=1) / cell.size for cell in cells])
    error = float(np.sqrt(parts.sum()))
    freedom = float(parts.sum() ** 2 / (parts**2 / (np.array(sizes) - 1)).sum()) if error else 1.0
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * error
    method = f"Welch over names in four cells, t({freedom:.3g})"
    return CrossedSets(
        cells=(means[0], means[1], means[2], means[3]),
        contrast=contrast,
        interval=Interval(low=contrast - half, high=contrast + half, level=level, method=method),
        null=_freedman_lane(values, owner, draws, rng),
        error=error,
        freedom=freedom,
    )


def _freedman_lane(
    values: Float[ndarray, " n"], owner: Int[ndarray, " n"], draws: int, rng: np.random.Generator
) -> Null:
    additive = np.stack([np.ones(owner.size), np.isin(owner, (0, 1)), np.isin(owner, (0, 2))], axis=1)
    fitted = additive @ np.linalg.lstsq(additive, values, rcond=None)[0]
    rest = values - fitted
    observed = abs(_t_values(values[None], owner)[0])
    shuffled = fitted + rng.permuted(np.broadcast_to(rest, (draws, rest.size)), axis=1)
    hits = int(np.count_nonzero(abs(_t_values(shuffled, owner)) >= observed - 1e-12))
    kind = f"residuals of the additive model permuted over {values.size} names, {draws} draws"
    return Null(p=(1 + hits) / (draws + 1), kind=kind)


def _t_values(values: Float[ndarray, "m n"], owner: Int[ndarray, " n"]) -> Float[ndarray, " m"]:
    signs, total, error = (1, -1, -1, 1), np.zeros(len(values)), np.zeros(len(values))
    for cell, sign in enumerate(signs):
        members: Bool[ndarray, " n"] = owner == cell
        total += sign * values[:, members].mean(axis=1)
        error += values[:, members].var(axis=1, ddof=1) / members.sum()
    return np.asarray(total / np.sqrt(np.maximum(error, 1e-300)))
