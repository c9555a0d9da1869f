"""How wrong images differ from right ones, image by image or over clusters of images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy import ndarray
from scipy import stats

from biaskit.records.estimate import Interval
from biaskit.slices.slice_report import hybrid
from biaskit.stats.measured import measured_mean
from biaskit.stats.unequal_clusters import clustered_step

LEVEL = 0.95
SIGNS = (-1.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class WrongAndRight:
    """Images of one class, and which of them are classified wrong.

    Attributes:
        wrong: Whether each is.
        clusters: What each was sampled with; None: each image alone.
    """

    wrong: Bool[ndarray, " n"]
    clusters: Shaped[ndarray, " n"] | None = None

    @property
    def together(self) -> Shaped[ndarray, " n"] | None:
        """The clusters; None where each image is one of its own."""
        if self.clusters is None or len(np.unique(self.clusters)) == len(self.clusters):
            return None
        return self.clusters

    def differences(self, values: Float[ndarray, "n t"]) -> Float[ndarray, " t"]:
        """Means over wrong images less those over right ones."""
        return _differences(values, self.wrong)

    @property
    def null(self) -> str:
        """What `largest` draws, in words."""
        together = self.together
        if together is None:
            return "wrong and right images shuffled"
        return f"signs of {len(np.unique(together))} clusters of wrong and right images flipped"

    def largest(
        self, values: Float[ndarray, "n t"], draws: int, rng: np.random.Generator
    ) -> Float[ndarray, " draws"]:
        """Return the largest difference of each draw in which wrong and right images are alike.

        Wrong and right are shuffled over images. Over clusters the signs of what each adds to the differences
        are flipped, `sum (wrong - w) (value - mean) / (n w (1 - w))` over its images, w the share of wrong
        ones, as in a wild bootstrap with the null imposed. Whole clusters that change places would keep their
        level where all are of one size alone. False alarms at 0.05 with three columns, all of the variance of
        values and errors between clusters (200 tables): 20 of 6 .06, 50 lognormal .05, 8 from 40 down to 5
        .06, 2 of 100 and 38 of 3 .12; shuffled over images .38 to .72, over places .05 to .25. With keywords
        of 20 objects, from 12 images down to 1 (400 sets): .08, over images .32.
        """
        if self.together is None:
            shuffled = (rng.permutation(self.wrong) for _ in range(draws))
            return np.array([_differences(values, wrong).max() for wrong in shuffled])
        _, owner = np.unique(self.together, return_inverse=True)
        share = self.wrong.mean()
        parts = (self.wrong - share)[:, None] * (values - values.mean(axis=0))
        added = np.zeros((int(owner.max()) + 1, values.shape[1]))
        np.add.at(added, owner, parts / (len(owner) * share * (1 - share)))
        return np.array([(rng.choice(SIGNS, len(added)) @ added).max() for _ in range(draws)])

    def interval(self, values: Float[ndarray, " n"]) -> Interval | None:
        """Interval of the difference of one column; None with too few images or clusters, or no spread."""
        if self.together is None:
            return welch(values[self.wrong], values[~self.wrong])
        found = clustered_step(values, self.wrong, self.together)
        return found.interval(LEVEL) if found is not None and found.error else None

    def share_right(self, inside: Bool[ndarray, " n"]) -> Interval | None:
        """Wilson's interval of the share of right images among some; None without one."""
        clusters = None if self.together is None else self.together[inside]
        return measured_mean((~self.wrong[inside]).astype(float), clusters).interval(LEVEL)

    def gap(self, inside: Bool[ndarray, " n"]) -> Interval | None:
        """Interval of the share of right images among the others less that among some; None without either.

        Newcombe's, over clusters from Wilson's intervals at effective rows: where a word's few images are all
        wrong, a jackknife would take their share for certain. Clusters on both sides make it wider than it
        need be.
        """
        sides = [(float((~self.wrong[rows]).mean()), rows) for rows in (inside, ~inside) if rows.any()]
        told = [(share, self.share_right(rows)) for share, rows in sides]
        known = [(share, interval) for share, interval in told if interval is not None]
        if len(known) < 2:
            return None
        together = self.together
        over = "" if together is None else f" over {len(np.unique(together))} clusters"
        return hybrid(known[0], known[1], f"Newcombe{over}")


def welch(first: Float[ndarray, " n"], second: Float[ndarray, " m"], level: float = LEVEL) -> Interval | None:
    """Interval of the difference of two means, first less second; None with fewer than two of either."""
    if min(len(first), len(second)) < 2 or not (first.std() or second.std()):
        return None
    found = stats.ttest_ind(first, second, equal_var=False).confidence_interval(level)
    return Interval(low=float(found.low), high=float(found.high), level=level, method="Welch's t")


def _differences(values: Float[ndarray, "n t"], wrong: Bool[ndarray, " n"]) -> Float[ndarray, " t"]:
    return np.asarray(values[wrong].mean(axis=0) - values[~wrong].mean(axis=0))
