"""Is a target further from the neutral nouns than neutral nouns are from each other?"""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from biaskit.records.estimate import Null

DRAWS = 9999
# Scores that are equal in theory differ by rounding: one part in 1e9 of the spread counts as a tie.
_TIE = 1e-9
_CHUNK = 2_000_000


def control_p(
    target: Float[ndarray, " f"],
    controls: Float[ndarray, " c"],
    *,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> Null:
    """Two-sided p that the target's fillers are one more handful of neutral nouns.

    Pool the F fillers and the C controls and draw F of them; the statistic is `|mean(drawn) -
    mean(rest)|`, and p is the share of draws at least as far apart as the target. All `comb(C + F, F)`
    draws are listed where they are at most `draws` + 1 (the target itself is one of them); otherwise `p =
    (1 + #{>=}) / (draws + 1)`. With one filler this is the conformal rank test `p = (1 + #{c : |s_c - m|
    >= |s_t - m|}) / (C + 1)`, m the mean of the pool.

    It is exact where the fillers are exchangeable with the controls. Fillers that share an accident
    (synonyms, one word in two forms) are fewer nouns than they seem: p is then too small.

    Args:
        target: One score for each filler of the target.
        controls: One score for each neutral noun, read in the same templates.
        rng: Source of the draws; not touched where all are listed.
        draws: How many are drawn where they are too many to list.

    Raises:
        ValueError: There is no filler, no control, or a score that is not a number.
    """
    pool = np.concatenate([target, controls]).astype(float)
    if target.size == 0 or controls.size == 0 or not np.isfinite(pool).all():
        raise ValueError("the control test needs finite scores of at least one filler and one control")
    pool -= pool.mean()
    # With the pool centred, mean(drawn) - mean(rest) is the drawn sum times a constant.
    reached = abs(pool[: target.size].sum()) - _TIE * target.size * abs(pool).max()
    arrangements = comb(pool.size, target.size)
    if arrangements <= draws + 1:
        sums = _listed_sums(pool, target.size)
        return _null(
            float(np.mean(abs(sums) >= reached)), target, controls, f"all {arrangements} arrangements"
        )
    hits = _drawn_hits(pool, target.size, reached, rng=rng, draws=draws)
    return _null((1 + hits) / (draws + 1), target, controls, f"{draws} random arrangements")


def smallest_control_p(fillers: int, controls: int, *, draws: int = DRAWS) -> float:
    """The smallest p that `control_p` can give: a gate below it can never be met.

    Raises:
        ValueError: There is no filler or no control.
    """
    if fillers < 1 or controls < 1:
        raise ValueError("the control test needs at least one filler and one control")
    return 1 / min(comb(fillers + controls, fillers), draws + 1)


def _null(p: float, target: Float[ndarray, " f"], controls: Float[ndarray, " c"], how: str) -> Null:
    kind = f"conformal: {target.size} target fillers among {controls.size} neutral controls, {how}"
    return Null(p=p, kind=kind)


def _listed_sums(pool: Float[ndarray, " n"], size: int) -> Float[ndarray, " m"]:
    if size == 1:
        return pool
    return np.asarray(pool[np.array(list(combinations(range(pool.size), size)))].sum(axis=1))


def _drawn_hits(
    pool: Float[ndarray, " n"], size: int, reached: float, *, rng: np.random.Generator, draws: int
) -> int:
    hits = 0
    step = max(1, _CHUNK // pool.size)
    for start in range(0, draws, step):
        drawn = _handfuls(pool.size, size, min(step, draws - start), rng)
        hits += int(np.count_nonzero(abs(pool[drawn].sum(axis=1)) >= reached))
    return hits


def _handfuls(n: int, size: int, count: int, rng: np.random.Generator) -> Int[ndarray, "count size"]:
    """Draw `size` of n without replacement, `count` times."""
    if size * (size - 1) > 2 * n:
        return np.argpartition(rng.random((count, n)), size - 1, axis=1)[:, :size]
    # Drawing again where a number came twice is several times faster, while repeats are not the rule.
    picks = rng.integers(n, size=(count, size))
    again = np.arange(count)
    while again.size:
        ordered = np.sort(picks[again], axis=1)
        again = again[(ordered[:, 1:] == ordered[:, :-1]).any(axis=1)]
        picks[again] = rng.integers(n, size=(again.size, size))
    return picks
