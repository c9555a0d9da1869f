"""Two yes-or-no outcomes of the same units, compared pair by pair."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy import ndarray
from scipy import stats

from biaskit.records.estimate import Interval, Null

DRAWS = 1999
_ALL_WAYS = 10


def paired_interval(one: Bool[ndarray, " n"], other: Bool[ndarray, " n"], level: float = 0.95) -> Interval:
    """Interval of the difference of two paired proportions (Bonett and Price 2012).

    With f10 units of which only `one` holds, and f01 of which only `other` does,

        p10 = (f10 + 1) / (n + 2),  p01 = (f01 + 1) / (n + 2),
        d +- z sqrt((p10 + p01 - d^2) / (n + 2)),  d = p10 - p01,

    which keeps a width where all units agree. It is stretched to hold the plain difference and cut at +-1.

    Raises:
        ValueError: There is no unit.
    """
    n = len(one)
    if n < 1:
        raise ValueError("no pair has no interval; give the reason instead")
    only_one, only_other = int((one & ~other).sum()), int((other & ~one).sum())
    p10, p01 = (only_one + 1) / (n + 2), (only_other + 1) / (n + 2)
    centre = p10 - p01
    reach = float(stats.norm.ppf((1 + level) / 2)) * math.sqrt((p10 + p01 - centre**2) / (n + 2))
    plain = (only_one - only_other) / n
    low, high = max(min(centre - reach, plain), -1.0), min(max(centre + reach, plain), 1.0)
    return Interval(low=low, high=high, level=level, method="paired proportions, Bonett-Price")


def mcnemar(one: Bool[ndarray, " n"], other: Bool[ndarray, " n"]) -> Null:
    """Exact test that a unit is as likely to have only `one` as only `other` (McNemar 1947).

    Two-sided binomial test of f10 among the f10 + f01 units on which the two differ; 1 where there are none.
    """
    only_one, only_other = int((one & ~other).sum()), int((other & ~one).sum())
    differing = only_one + only_other
    p = float(stats.binomtest(only_one, differing).pvalue) if differing else 1.0
    return Null(p=min(p, 1.0), kind=f"McNemar, exact: {differing} units differ")


def sign_flip(
    differences: Float[ndarray, " n"], clusters: Shaped[ndarray, " n"], rng: np.random.Generator
) -> Null:
    """Test that within each cluster the two outcomes could be exchanged: the mean difference is 0.

    The sign of each cluster's sum is flipped at random, `DRAWS` times (all ways where they are fewer), and
    the absolute mean compared. Exact under exchange within clusters, whatever happens between their rows.

    Raises:
        ValueError: There is no row.
    """
    if not len(differences):
        raise ValueError("no pair has no test; give the reason instead")
    _, owner = np.unique(clusters, return_inverse=True)
    sums = np.bincount(owner, weights=differences)
    moving = sums[sums != 0]
    few = len(moving) <= _ALL_WAYS
    signs = (
        np.array(list(product((1.0, -1.0), repeat=len(moving)))).reshape(2 ** len(moving), len(moving))
        if few
        else rng.choice((1.0, -1.0), size=(DRAWS, len(moving)))
    )
    reached = int((np.abs(signs @ moving) >= abs(sums.sum()) - 1e-9).sum())
    p = reached / len(signs) if few else (1 + reached) / (len(signs) + 1)
    return Null(
        p=float(p), kind=f"signs of {len(sums)} clusters flipped, {'all ways' if few else f'{DRAWS} draws'}"
    )
