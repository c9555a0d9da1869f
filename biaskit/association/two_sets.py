"""Two sets of words on the associations of each word: the difference, its interval and its null.

The unit is the word. A word read in several templates or contexts is one word: its readings are averaged
before anything is tested, because the claim is about words (permuting readings as if they were words
rejects a true null in a third of runs, see `published.row_permutation_p`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy import stats

from biaskit.records.estimate import Interval, Null
from biaskit.stats.conformal import control_p
from biaskit.stats.power import minimum_detectable_effect

DRAWS = 99_999


@dataclass(frozen=True, slots=True, eq=False)
class TwoSets:
    """What sets one set of words apart from another.

    Attributes:
        first: Association of each word of the first set, averaged over its readings.
        second: The same for the second set.
        difference: Mean of the first less mean of the second, in the unit of the associations.
        interval: Of the difference; None where a set has one word.
        null: Two-sided, words permuted over both sets.
        effect: Caliskan's d: the difference over the standard deviation (ddof 1) of all words together.
        bound: The largest |d| that two sets of these sizes can have.
        pooled: The difference over the pooled standard deviation within the sets, with Hedges' correction;
            None where it is not defined.
        error: Standard error of the difference; None with the interval.
        freedom: Its degrees of freedom.
        readings_share: Share of the variance of a word's association that lies between readings of one word;
            None where each word has one reading.
    """

    first: Float[ndarray, " x"]
    second: Float[ndarray, " y"]
    difference: float
    interval: Interval | None
    null: Null
    effect: float | None
    bound: float
    pooled: float | None
    error: float | None
    freedom: float
    readings_share: float | None

    @property
    def smallest(self) -> float | None:
        """The smallest true difference seen with power 0.8 at level 0.05; None with the interval."""
        return None if self.error is None else minimum_detectable_effect(self.error, df=self.freedom)


def compare_sets(
    first: Float[ndarray, "x r"],
    second: Float[ndarray, "y r"],
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = DRAWS,
) -> TwoSets:
    """Compare the associations of two sets of words.

    Interval: Welch's t over words. Where the readings are templates that both sets share and there are two or
    more, templates count as drawn too: what the difference varies over templates beyond its cells is added to
    the variance (crossed random effects), with Satterthwaite's degrees of freedom. Null: all partitions of
    the words into sets of these sizes where they are at most `draws` + 1, else `draws` random ones with
    `p = (1 + #) / (draws + 1)`.

    Args:
        first: One row a word, one column a reading (template or context).
        second: The same columns for the other set.
        rng: Source of random partitions.
        level: Confidence level.
        draws: How many partitions are drawn where they cannot all be listed.

    Raises:
        ValueError: A set is empty or an association is not a number.
    """
    x, y = first.mean(axis=1), second.mean(axis=1)
    null = control_p(x, y, rng=rng, draws=draws)
    how = null.kind.rpartition(", ")[2]
    error, freedom = _error(first, second)
    return TwoSets(
        first=x,
        second=y,
        difference=float(x.mean() - y.mean()),
        interval=_interval(float(x.mean() - y.mean()), error, freedom, level),
        null=Null(p=null.p, kind=f"words permuted over both sets ({x.size} and {y.size}), {how}"),
        effect=caliskan_d(x, y),
        bound=largest_d(x.size, y.size),
        pooled=pooled_d(x, y),
        error=error,
        freedom=freedom,
        readings_share=_readings_share(first, second),
    )


def caliskan_d(first: Float[ndarray, " x"], second: Float[ndarray, " y"], *, ddof: int = 1) -> float | None:
    """`(mean_X s - mean_Y s) / sd_{X u Y}(s)`; None where nothing varies.

    It saturates: with sets of m words it cannot exceed `largest_d(m, m)`, so magnitudes say little. WEFE
    divides by the standard deviation with ddof 0, which is larger by sqrt(2m / (2m - 1)).
    """
    spread = float(np.std(np.concatenate([first, second]), ddof=ddof))
    return float(first.mean() - second.mean()) / spread if spread > 0 else None


def largest_d(first: int, second: int) -> float:
    """The largest |d| (ddof 1) of sets of these sizes: all of one set equal, all of the other equal.

    `sqrt(N (N - 1) / (x y))` for N = x + y words (Schröder et al. 2024, theorem 4, for equal sizes, ddof 0).
    """
    total = first + second
    return float(np.sqrt(total * (total - 1) / (first * second)))


def pooled_d(first: Float[ndarray, " x"], second: Float[ndarray, " y"]) -> float | None:
    """Hedges' g: the difference over the standard deviation within the sets; None where it is not defined.

    `J (mean_X - mean_Y) / sqrt((SS_X + SS_Y) / (x + y - 2))` with `J = 1 - 3 / (4 (x + y - 2) - 1)`.
    """
    freedom = first.size + second.size - 2
    if freedom < 1:
        return None
    within = np.sum((first - first.mean()) ** 2) + np.sum((second - second.mean()) ** 2)
    if within <= 0:
        return None
    correction = 1 - 3 / (4 * freedom - 1)
    return float(correction * (first.mean() - second.mean()) / np.sqrt(within / freedom))


def _error(first: Float[ndarray, "x r"], second: Float[ndarray, "y r"]) -> tuple[float | None, float]:
    """Standard error of the difference and its degrees of freedom (Welch and Satterthwaite)."""
    if min(len(first), len(second)) < 2:
        return None, 0.0
    parts = [(rows.mean(axis=1).var(ddof=1) / len(rows), len(rows) - 1) for rows in (first, second)]
    readings = first.shape[1]
    if readings > 1:
        by_reading = first.mean(axis=0) - second.mean(axis=0)
        own = float(by_reading.var(ddof=1)) / readings - _cell_variance(first) - _cell_variance(second)
        parts.append((max(0.0, own), readings - 1))
    variance = float(sum(part for part, _ in parts))
    if variance == 0:
        return None, 0.0
    return float(np.sqrt(variance)), variance**2 / sum(part**2 / freedom for part, freedom in parts)


def _cell_variance(rows: Float[ndarray, "n r"]) -> float:
    """Variance that cells add to the mean, independent about word and template effects."""
    rest = rows - rows.mean(axis=1, keepdims=True) - rows.mean(axis=0) + rows.mean()
    freedom = (rows.shape[0] - 1) * (rows.shape[1] - 1)
    return float((rest**2).sum() / freedom / rows.size)


def _interval(difference: float, error: float | None, freedom: float, level: float) -> Interval | None:
    if error is None:
        return None
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * error
    return Interval(
        low=difference - half,
        high=difference + half,
        level=level,
        method=f"Welch over words, with templates where there are several, t({freedom:.3g})",
    )


def _readings_share(first: Float[ndarray, "x r"], second: Float[ndarray, "y r"]) -> float | None:
    if first.shape[1] < 2:
        return None
    rows = np.concatenate([first - first.mean(), second - second.mean()])
    total = float((rows**2).sum())
    within = float(((rows - rows.mean(axis=1, keepdims=True)) ** 2).sum())
    return within / total if total > 0 else None
