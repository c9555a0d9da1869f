"""The published procedures to the letter, with what is known to be wrong with them.

They are here to reproduce published numbers and to be compared with; no analyzer decides on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy import stats

from biaskit.association.two_sets import caliskan_d


def row_permutation_p(
    first: Float[ndarray, "x r"], second: Float[ndarray, "y r"], *, draws: int, rng: np.random.Generator
) -> float:
    """SEAT's one-sided p (May et al. 2019): every sentence is permuted as if it were a word of its own.

    Defect: the eight sentences of a name are no eight names. Where words differ from each other, a true null
    is rejected in a third of runs at level 0.05.
    """
    pool = np.concatenate([first.ravel(), second.ravel()])
    observed = first.sum()
    order = rng.permuted(np.broadcast_to(pool, (draws - 1, pool.size)), axis=1)
    hits = np.count_nonzero(order[:, : first.size].sum(axis=1) >= observed - 1e-12 * abs(pool).sum())
    return (1 + int(hits)) / draws


@dataclass(frozen=True, slots=True)
class Combined:
    """What CEAT reports.

    Attributes:
        effect: Combined effect size.
        p_two_sided: As the paper states.
        p_one_sided: As the released code computes.
    """

    effect: float
    p_two_sided: float
    p_one_sided: float


def ceat(first: Float[ndarray, "n x"], second: Float[ndarray, "n y"]) -> Combined:
    """CEAT (Guo and Caliskan 2021): each random draw of contexts counts as a study of its own.

    Effects are Caliskan's d of each draw, their "variances" the variance of the associations in that draw,
    combined by DerSimonian and Laird with a normal p.

    Defects: draws from one pool of the same words are no studies, so p measures how many were drawn; the
    variance is that of the associations, not of d. A true null is rejected in over four of five runs.

    Args:
        first: One row a draw, one column a word of the first set: its association in the context drawn.
        second: The same for the second set.
    """
    effects = np.array([caliskan_d(x, y) or 0.0 for x, y in zip(first, second, strict=True)])
    variances = np.concatenate([first, second], axis=1).var(axis=1, ddof=1)
    weights = 1 / variances
    q = float(weights @ effects**2 - (weights @ effects) ** 2 / weights.sum())
    scale = float(weights.sum() - weights @ weights / weights.sum())
    tau2 = max(0.0, (q - (effects.size - 1)) / scale)
    total = 1 / (variances + tau2)
    effect = float(total @ effects / total.sum())
    z = effect * float(np.sqrt(total.sum()))
    return Combined(effect, float(2 * stats.norm.sf(abs(z))), float(stats.norm.sf(z)))
