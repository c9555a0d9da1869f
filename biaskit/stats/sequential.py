"""Drawing until an interval is narrow enough, with intervals that hold whenever one stops.

Stopping when an interval looks narrow is a peek: each look is a new chance to miss. Here the looks are fixed
beforehand and each spends an equal part of the error rate (Bonferroni's bound on a group-sequential design),
with Clopper and Pearson's exact intervals. So the chance that the interval at any look misses the true
share is at most 1 - level, for every share and every way of stopping.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from numpy import ndarray
from scipy import stats

from biaskit.records.estimate import Interval
from biaskit.stats.shares import images_needed


@dataclass(frozen=True, slots=True)
class Looks:
    """When it is asked whether the images are enough.

    Attributes:
        sizes: Numbers of images, ascending; the last is the most there will be.
        half_width: Half-width that every class's interval must reach.
        classes: How many classes there are.
        level: Level that holds over all looks and classes.
    """

    sizes: tuple[int, ...]
    half_width: float
    classes: int = 2
    level: float = 0.95

    @property
    def each(self) -> float:
        """Level of one interval at one look; two classes share theirs."""
        intervals = len(self.sizes) * (1 if self.classes == 2 else self.classes)
        return 1 - (1 - self.level) / intervals

    def intervals(self, counts: Int[ndarray, " k"]) -> tuple[Interval, ...]:
        """Return the intervals of every class at a look."""
        n = int(counts.sum())
        return tuple(self._interval(int(count), n) for count in counts)

    def enough(self, counts: Int[ndarray, " k"]) -> bool:
        """Whether every class is known well enough."""
        return all((one.high - one.low) / 2 <= self.half_width for one in self.intervals(counts))

    def _interval(self, hits: int, n: int) -> Interval:
        tail = (1 - self.each) / 2
        low = 0.0 if hits == 0 else float(stats.beta.ppf(tail, hits, n - hits + 1))
        high = 1.0 if hits == n else float(stats.beta.ppf(1 - tail, hits + 1, n - hits))
        method = f"Clopper-Pearson, error spent over {len(self.sizes)} looks"
        if self.classes > 2:
            method += f" and {self.classes} classes"
        return Interval(low=low, high=high, level=self.level, method=method)


def looks(first: int, half_width: float, classes: int = 2, level: float = 0.95) -> Looks:
    """Return looks from `first` images on, each half as many again, up to where any share is known.

    Args:
        first: Images before the first look.
        half_width: Half-width asked for, between 0 and 1/2.
        classes: How many classes there are.
        level: Level that holds over all looks and classes.

    Raises:
        ValueError: The half-width is not between 0 and 1/2, or there is no image.
    """
    if first < 1:
        raise ValueError("a first look needs an image")
    count = 1
    while True:
        error = (1 - level) / count
        most = max(first, images_needed(half_width, 1 - error, classes))
        sizes = _sizes(first, most)
        if len(sizes) <= count:
            return Looks(sizes, half_width, classes, level)
        count = len(sizes)


def _sizes(first: int, most: int) -> tuple[int, ...]:
    found = [first]
    while found[-1] < most:
        found.append(min(most, found[-1] + max(1, found[-1] // 2)))
    return tuple(dict.fromkeys(np.array(found).tolist()))
