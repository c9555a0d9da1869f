"""How evenly classes are drawn: shares whose intervals hold together, their distance from a reference.

The usual scores are read off observed shares and lean away from fairness the more the fewer images there are:
a perfectly fair model of two classes shows a fairness discrepancy of .056 on average with 100 images. Here
each score has what a model that follows the reference would show at the same number of images.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy import stats

from biaskit.records.estimate import Interval, Null
from biaskit.stats.proportions import wilson

DRAWS = 9_999
_LISTED = 20_000


def simultaneous(counts: Int[ndarray, " k"], level: float = 0.95) -> tuple[Interval, ...]:
    """Intervals of the shares of k classes that all hold at once.

    Two classes: Wilson's, of which the second mirrors the first. More: Goodman's (1965), Wilson's at
    1 - (1 - level) / k.

    Raises:
        ValueError: There is no image, or fewer than two classes.
    """
    k, n = len(counts), int(counts.sum())
    if k < 2:
        raise ValueError("shares need two classes at least")
    if k == 2:
        return tuple(wilson(int(count), n, level) for count in counts)
    each = [wilson(int(count), n, 1 - (1 - level) / k) for count in counts]
    method = f"Goodman, {k} classes at once"
    return tuple(one.model_copy(update={"level": level, "method": method}) for one in each)


def discrepancy(shares: Float[ndarray, " k"], reference: Float[ndarray, " k"]) -> float:
    """Fairness discrepancy FD = ||shares - reference||_2; two classes, a uniform one: sqrt(2)|p - 1/2|."""
    return float(np.linalg.norm(shares - reference))


def discrepancy_squared(counts: Int[ndarray, " k"], reference: Float[ndarray, " k"]) -> float:
    """Unbiased FD^2 = ||p - r||^2 - sum_k p_k (1 - p_k) / (n - 1), p the observed shares; it can be below 0.

    Raises:
        ValueError: There are fewer than two images.
    """
    n = int(counts.sum())
    if n < 2:
        raise ValueError("an unbiased discrepancy needs two images at least")
    shares = counts / n
    return float(np.square(shares - reference).sum() - (shares * (1 - shares)).sum() / (n - 1))


def inequality(shares: Float[ndarray, " k"]) -> float:
    """B = 2 / (k (k - 1)) sum_{i<j} |p_i - p_j| (InvDiff, arXiv 2412.08480).

    All on one class: 1 for two classes, 2/3 for three, 1/2 for four, so it does not compare across k.
    """
    pairs = list(combinations(shares.tolist(), 2))
    return float(sum(abs(one - other) for one, other in pairs) / len(pairs))


def discrepancy_interval(box: tuple[Interval, ...], reference: Float[ndarray, " k"]) -> Interval:
    """Every FD that simultaneous intervals of the shares allow; exact for two classes, else wide."""
    low, high = _ends(box)
    nearest = np.maximum(0.0, np.maximum(low - reference, reference - high))
    farthest = np.maximum(np.abs(low - reference), np.abs(high - reference))
    return _interval(box, float(np.linalg.norm(nearest)), float(np.linalg.norm(farthest)))


def inequality_interval(box: tuple[Interval, ...]) -> Interval:
    """Every B that simultaneous intervals of the shares allow; exact for two classes, else wide."""
    pairs = list(combinations(box, 2))
    least = [max(0.0, one.low - other.high, other.low - one.high) for one, other in pairs]
    most = [max(one.high - other.low, other.high - one.low) for one, other in pairs]
    return _interval(box, sum(least) / len(pairs), min(1.0, sum(most) / len(pairs)))


@dataclass(frozen=True, slots=True)
class ByChance:
    """What a model that follows the reference shows at some number of images.

    Attributes:
        discrepancy: Mean FD.
        high: FD that one such model in twenty exceeds.
    """

    discrepancy: float
    high: float


def by_chance(n: int, reference: Float[ndarray, " k"]) -> ByChance:
    """Return what FD is on average where the true shares are the reference's.

    Two classes: the exact sum over the binomial; more: 20,000 draws of a multinomial from a fixed seed.
    """
    return _by_chance(n, tuple(reference.tolist()))


@lru_cache(maxsize=512)
def _by_chance(n: int, reference: tuple[float, ...]) -> ByChance:
    wanted = np.array(reference)
    if len(reference) == 2:
        firsts = np.arange(n + 1)
        tables = np.stack([firsts, n - firsts], axis=1)
        weights = stats.binom.pmf(firsts, n, reference[0])
    else:
        tables = np.random.default_rng(0).multinomial(n, wanted, size=_LISTED)
        weights = np.full(_LISTED, 1 / _LISTED)
    shares = tables / n
    found = np.linalg.norm(shares - wanted, axis=1)
    order = np.argsort(found, kind="stable")
    place = int(np.searchsorted(np.cumsum(weights[order]), 0.95 - 1e-12))
    high = float(found[order][min(place, len(order) - 1)])
    return ByChance(float(weights @ found), high)


def chance_inequality(n: int, classes: int) -> float:
    """Return what B is on average over n draws from equal shares, exactly.

    Of two classes m draws are one or the other, m binomial of n and 2 / k, and their counts then differ by
    `E|S_m| = m C(m - 1, [(m - 1) / 2]) / 2^(m - 1)`, a fair walk's distance after m steps.
    """
    draws = np.arange(1, n + 1)
    apart = draws * stats.binom.pmf((draws - 1) // 2, draws - 1, 0.5)
    return float(stats.binom.pmf(draws, n, 2 / classes) @ apart / n)


def follows(counts: Int[ndarray, " k"], reference: Float[ndarray, " k"], rng: np.random.Generator) -> Null:
    """Test that images are drawn with the reference's shares.

    Two classes: the exact two-sided binomial test. More: Pearson's X^2 against multinomials drawn from the
    reference, p = (1 + #{as large}) / (draws + 1).
    """
    n = int(counts.sum())
    if len(counts) == 2:
        p = float(stats.binomtest(int(counts[0]), n, float(reference[0])).pvalue)
        return Null(p=min(p, 1.0), kind="binomial, exact: drawn with the reference's shares")
    expected = n * reference
    drawn = rng.multinomial(n, reference, size=DRAWS)
    own, others = (_pearson(one, expected) for one in (counts[None], drawn))
    hits = int((others >= own[0] - 1e-9).sum())
    return Null(
        p=(1 + hits) / (DRAWS + 1), kind=f"multinomial, {DRAWS:,} draws: drawn with the reference's shares"
    )


def exchangeable(
    one: Int[ndarray, " n"], other: Int[ndarray, " n"], classes: int, rng: np.random.Generator
) -> Null:
    """Test that two prompts draw the same shares, image by image from the same noise.

    Under the null the two images of a pair can be exchanged. The statistic is the squared distance of the two
    sets of shares; pairs are exchanged at random, p = (1 + #{as large}) / (draws + 1).
    """
    identity = np.eye(classes)
    moved = identity[one] - identity[other]
    differing = moved[one != other]
    observed = float(np.square(moved.sum(axis=0)).sum())
    signs = rng.choice((-1.0, 1.0), size=(DRAWS, len(differing)))
    hits = int((np.square(signs @ differing).sum(axis=1) >= observed - 1e-9).sum())
    kind = f"pairs exchanged, {DRAWS:,} draws: {len(differing)} of {len(one)} pairs differ"
    return Null(p=(1 + hits) / (DRAWS + 1), kind=kind)


def images_needed(half_width: float, level: float = 0.95, classes: int = 2) -> int:
    """Return how many images make every interval at most so wide, whatever the shares are.

    The smallest n at which Clopper and Pearson's interval (simultaneous over more than two classes) of a
    share of one half reaches no farther than `half_width` to either side.

    Raises:
        ValueError: The half-width is not between 0 and 1/2.
    """
    if not 0 < half_width < 0.5:
        raise ValueError("a half-width lies between 0 and 1/2")
    own = level if classes == 2 else 1 - (1 - level) / classes
    low, high = 1, 2
    while reach(high, own) > half_width:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reach(middle, own) <= half_width else (middle, high)
    return high


def reach(n: int, level: float) -> float:
    """Half the width of Clopper and Pearson's interval of a share of one half."""
    hits = n / 2
    return float(stats.beta.ppf((1 + level) / 2, hits + 1, n - hits)) - 0.5


def _ends(box: tuple[Interval, ...]) -> tuple[Float[ndarray, " k"], Float[ndarray, " k"]]:
    return np.array([one.low for one in box]), np.array([one.high for one in box])


def _interval(box: tuple[Interval, ...], low: float, high: float) -> Interval:
    return Interval(low=low, high=high, level=box[0].level, method=f"what the shares allow ({box[0].method})")


def _pearson(tables: Int[ndarray, "d k"], expected: Float[ndarray, " k"]) -> Float[ndarray, " d"]:
    return np.asarray((np.square(tables - expected) / np.maximum(expected, 1e-300)).sum(axis=1))
