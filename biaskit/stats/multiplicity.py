"""p-values over a family: Holm for gates, Benjamini-Hochberg for discovery, the maximum for selection."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy import stats


def holm(p: Float[ndarray, " k"]) -> Float[ndarray, " k"]:
    """Adjusted p-values that keep the chance of any false alarm in the family (Holm 1979).

    The i-th smallest becomes `max over j <= i of (k - j + 1) p_(j)`, at most 1; no assumption on
    dependence.

    Raises:
        ValueError: A p-value is not in [0, 1].
    """
    _check(p)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(p.size)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)))
    return adjusted


def benjamini_hochberg(p: Float[ndarray, " k"]) -> Float[ndarray, " k"]:
    """q-values: the false discovery rate at which each would just be called (Benjamini and Hochberg 1995).

    Holds under independence and positive dependence.

    Raises:
        ValueError: A p-value is not in [0, 1].
    """
    _check(p)
    return np.asarray(stats.false_discovery_control(p, method="bh"), dtype=float) if p.size else np.empty(0)


def max_statistic_p(observed: Float[ndarray, " k"], null: Float[ndarray, "b k"]) -> Float[ndarray, " k"]:
    """Two-sided p of each of k statistics when the largest of all k may be the one shown.

    `p_j = (1 + #{b : max_i |null_bi| >= |observed_j|}) / (B + 1)` (Westfall and Young 1993, single step).
    It corrects for picking a layer whatever the dependence between layers, provided that a row of `null`
    holds all layers under one and the same shuffle. Statistics should share a scale (t values, not raw
    differences): a layer with a larger spread otherwise rules the maximum.

    Raises:
        ValueError: A statistic is not a number.
    """
    if not (np.isfinite(observed).all() and np.isfinite(null).all()):
        raise ValueError("the maximum over layers needs finite statistics")
    if observed.size == 0:
        return np.empty(0)
    largest = abs(null).max(axis=1)
    reached = abs(observed) - 1e-12 * abs(observed).max()
    hits = np.count_nonzero(largest[:, None] >= reached[None, :], axis=0)
    return np.asarray((1 + hits) / (null.shape[0] + 1), dtype=float)


def _check(p: Float[ndarray, " k"]) -> None:
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("p-values must lie in [0, 1]; leave out what was not tested")
