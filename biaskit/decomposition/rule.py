"""Which log-SNRs are visited, and what each counts: a randomised stratified rule on the trained levels.

Integrals over log-SNR become sums over the levels the model was trained at, each with the width of its
cell. A rule visits few of them: the cumulated mass is cut into strata of equal mass and one level is drawn in
each, so that the weighted sum over the visited levels has the sum over all levels as its expectation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from biaskit.errors import RequestError


def cell_widths(log_snrs: Float[ndarray, " levels"]) -> Float[ndarray, " levels"]:
    """Width of each level's cell, in nats: half-way to its neighbours; the end cells stop at their level.

    They add up to the length of the trained range, so that a sum over levels is the trapezoidal rule.

    Raises:
        RequestError: There are fewer than two levels, or they do not ascend.
    """
    if len(log_snrs) < 2 or (np.diff(log_snrs) <= 0).any():
        raise RequestError("Log-SNRs must ascend strictly, and there must be two of them at least.")
    middles = (log_snrs[1:] + log_snrs[:-1]) / 2
    return np.diff(np.concatenate([log_snrs[:1], middles, log_snrs[-1:]]))


@dataclass(frozen=True, slots=True, eq=False)
class Nodes:
    """The levels of one replicate, noisiest first.

    Attributes:
        levels: Numbers of the levels.
        weights: What each counts in a sum over log-SNR, in nats.
    """

    levels: Int[ndarray, " k"]
    weights: Float[ndarray, " k"]


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A randomised stratified rule.

    With cell widths `w_l` and masses `m_l` that add up to 1, stratum k of K draws the level at
    `(k + u) / K` of the cumulated mass and weighs it `w_l / (K m_l)`. One uniform number u serves all strata
    (systematic sampling): the rule is unbiased as with a number for each, and neighbouring strata, whose
    integrands are alike, keep their distance. On a Gaussian of 4,096 coordinates the choice of levels alone
    errs by 0.28 % of the orthogonal information at 16 nodes and 0.48 % at 8, with a number for each stratum
    by 3.5 % and 9.6 %. Mirrored numbers (u, 1 - u) in pairs of replicates gain nothing on that (0.20 % a
    pair, as any two offsets have), and replicates would no longer be independent.

    Attributes:
        widths: Width of each level's cell.
        masses: Share of the visits that each level gets.
    """

    widths: Float[ndarray, " levels"]
    masses: Float[ndarray, " levels"]

    def nodes(self, count: int, rng: np.random.Generator) -> Nodes:
        """Draw the levels of one replicate.

        Args:
            count: How many strata.
            rng: Source of the offset.
        """
        places = (np.arange(count) + rng.random()) / count
        ends = np.cumsum(self.masses)
        levels = np.searchsorted(ends / ends[-1], places, side="right").clip(max=len(ends) - 1)
        return Nodes(levels, self.widths[levels] / (count * self.masses[levels]))


def rule(log_snrs: Float[ndarray, " levels"], density: Float[ndarray, " _"] | None = None) -> Rule:
    """Return the rule on some levels.

    Args:
        log_snrs: Log-SNR of every trained level, ascending.
        density: Visits per nat of log-SNR, up to a factor; None visits all log-SNRs alike.

    Raises:
        RequestError: The density has another length, or is not above 0 everywhere.
    """
    widths = cell_widths(log_snrs)
    if density is None:
        density = np.ones_like(widths)
    if density.shape != widths.shape or not (np.isfinite(density).all() and (density > 0).all()):
        raise RequestError("A density needs one number above 0 for each level.")
    masses = widths * density
    return Rule(widths, masses / masses.sum())
