"""One number an image, and what their mean is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy import ndarray
from scipy import stats

from biaskit.records.estimate import Estimate, Interval, Null, Unit
from biaskit.stats.bootstrap import cluster_interval
from biaskit.stats.proportions import wilson

FLIPS = 999


@dataclass(frozen=True, slots=True, eq=False)
class PerImage:
    """A measurement of every image.

    Attributes:
        values: One number an image; NaN where it is undefined.
        unit: What it counts in.
        method: How it was computed, one phrase.
        chance: What a map that knows nothing gives on average.
        placed: What each image gives with its map laid at random places, one column a draw; empty where
            chance is tested by flipping signs about `chance`.
        hits: Whether the values are only 0 or 1.
    """

    values: Float[ndarray, " n"]
    unit: Unit
    method: str
    chance: float = 0.0
    placed: Float[ndarray, "n draws"] | None = None
    hits: bool = False

    def rows(self, rows: Int[ndarray, " m"] | Bool[ndarray, " n"]) -> PerImage:
        """Return the measurement of these images alone."""
        placed = None if self.placed is None else self.placed[rows]
        return PerImage(self.values[rows], self.unit, self.method, self.chance, placed, self.hits)

    def estimate(
        self,
        rng: np.random.Generator,
        clusters: Shaped[ndarray, " n"] | None = None,
    ) -> Estimate:
        """Return the mean with its interval and a two-sided test against chance.

        The interval is t over images, or over clusters of them; Wilson's where images are hits or misses and
        stand alone. The test flips the sign of whole clusters' deviations from chance (exact where a map
        that knows nothing deviates either way alike), or lays each map at random places.

        Args:
            rng: Source of the flips.
            clusters: What was sampled together, such as photographs of one person; None: each image alone.
        """
        measured = np.isfinite(self.values)
        values, lost = self.values[measured].astype(float), int((~measured).sum())
        groups = (np.arange(len(self.values)) if clusters is None else clusters)[measured]
        units = np.unique(groups).size
        method = self.method + (f"; {lost} images undefined" if lost else "")
        what = {"unit": self.unit, "n": units, "method": method}
        what["resampling_unit"] = "images" if clusters is None else "clusters of images"
        if units < 2:
            return Estimate(
                value=None,
                reason=f"{units} measured {'image says' if units == 1 else 'images say'} nothing of others",
                **what,
            )
        interval = self._interval(values, groups, alone=clusters is None)
        null = self._null(values, groups, measured, rng)
        return Estimate(value=float(values.mean()), interval=interval, null=null, **what)

    def _interval(
        self, values: Float[ndarray, " m"], groups: Shaped[ndarray, " m"], *, alone: bool
    ) -> Interval:
        if self.hits and alone:
            return wilson(round(values.sum()), values.size)
        return cluster_interval(values, groups)

    def _null(
        self,
        values: Float[ndarray, " m"],
        groups: Shaped[ndarray, " m"],
        measured: Bool[ndarray, " n"],
        rng: np.random.Generator,
    ) -> Null:
        if self.placed is None:
            _, member = np.unique(groups, return_inverse=True)
            return _flipped(np.bincount(member, weights=values - self.chance), rng)
        means = self.placed[measured].mean(0)
        off = np.abs(means - self.chance) >= abs(values.mean() - self.chance) - 1e-12
        return Null(
            p=(1 + int(off.sum())) / (1 + means.size), kind=f"maps at random places, {means.size} draws"
        )


def rank_agreement(one: Float[ndarray, "n c"], other: Float[ndarray, "n c"]) -> Float[ndarray, " n"]:
    """Spearman correlation of two maps over their cells, image by image.

    A constant first map says nothing and agrees by 0; where the second is constant there is nothing to agree
    with, and the value is NaN. Cells that differ by rounding alone are not told apart.
    """
    return _correlation(*(stats.rankdata(_rounded(cells), axis=1) for cells in (one, other)))


def agreement(one: Float[ndarray, "n c"], other: Float[ndarray, "n c"]) -> Float[ndarray, " n"]:
    """Pearson correlation of two maps over their cells, image by image; constants as in `rank_agreement`."""
    return _correlation(_rounded(one), _rounded(other))


def averaged(parts: Sequence[PerImage]) -> PerImage:
    """Return the mean of several measurements of the same images, tested by flipping signs."""
    first = parts[0]
    values = np.mean([part.values for part in parts], axis=0)
    return PerImage(values, first.unit, first.method, first.chance)


def _correlation(one: Float[ndarray, "n c"], other: Float[ndarray, "n c"]) -> Float[ndarray, " n"]:
    centred = [part - part.mean(1, keepdims=True) for part in (one, other)]
    lengths = [np.sqrt((part**2).sum(1)) for part in centred]
    product = lengths[0] * lengths[1]
    rho = (centred[0] * centred[1]).sum(1) / np.where(product > 0, product, 1.0)
    return np.where(np.ptp(other, axis=1) > 0, np.where(np.ptp(one, axis=1) > 0, rho, 0.0), np.nan)


def _rounded(cells: Float[ndarray, "n c"]) -> Float[ndarray, "n c"]:
    scale = np.abs(cells).max(axis=1, keepdims=True, initial=0.0)
    return np.round(cells / np.where(scale > 0, scale, 1.0), 5)


def _flipped(deviations: Float[ndarray, " k"], rng: np.random.Generator) -> Null:
    signs = rng.choice([-1.0, 1.0], size=(FLIPS, deviations.size))
    off = np.abs(signs @ deviations) >= abs(deviations.sum()) - 1e-12
    kind = f"signs of {deviations.size} deviations from chance flipped, {FLIPS} draws"
    return Null(p=(1 + int(off.sum())) / (FLIPS + 1), kind=kind)
