"""Would the same discovery find as bad a slice where errors fall anywhere?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Shaped
from numpy import ndarray

from biaskit.errors import RequestError
from biaskit.slices.held_out import HeldOut
from biaskit.slices.observations import Observations
from biaskit.slices.slicer import Slicer, Slices


@dataclass(frozen=True, slots=True, eq=False)
class DiscoveryNull:
    """Whether slices are worse than what the same discovery finds where errors fall anywhere.

    Attributes:
        slices: What was found with the predictions as they are.
        gaps: How many standard errors the accuracy of each slice lies below the rest of its class, at
            least 0; None where there is nothing to compare.
        shuffled: The largest such gap of each shuffle; 0 where nothing could be compared.
        kind: The null in words.
    """

    slices: Slices
    gaps: tuple[float | None, ...]
    shuffled: tuple[float, ...]
    kind: str

    @property
    def p(self) -> float:
        """`(1 + shuffles that reach the largest gap) / (shuffles + 1)`: is there any such slice at all?"""
        return min(self.adjusted, default=1.0)

    @property
    def adjusted(self) -> tuple[float, ...]:
        """The p of each slice, paid for by the search over all of them (Westfall and Young's max-T)."""
        shuffled = np.array(self.shuffled)
        return tuple(
            float(1 + (shuffled >= (gap or 0.0) - 1e-12).sum()) / (len(shuffled) + 1) for gap in self.gaps
        )

    def limit(self, level: float = 0.05) -> float:
        """Gap in standard errors that is reached by chance at this rate; infinite with too few shuffles."""
        place = int(np.floor(level * (len(self.shuffled) + 1)))
        return float(np.sort(self.shuffled)[-place]) if place else float("inf")


def discovery_null(
    slicer: Slicer, seen: Observations, held_out: HeldOut, rng: np.random.Generator, shuffles: int = 99
) -> DiscoveryNull:
    """Test whether discovery finds a slice that is worse than chance would make one.

    The null: within a class, what the classifier says has nothing to do with the embedding. Predictions are
    shuffled within each class (of the images that slices are found on, and of the held-out ones), slices are
    found and tested anew each time, and the largest gap over all slices is compared; so the search is paid
    for. Gaps are measured in their standard error under equal accuracy, else the smallest slice would
    decide. Held-out images that were sampled together keep their predictions together: else a few hard
    objects in many images pass for a slice. Images that slices are found on are shuffled one by one.

    Args:
        slicer: The method.
        seen: Images that slices are found on.
        held_out: Other images.
        rng: Source of shuffles and of the method's own draws.
        shuffles: How many; p cannot be below 1 / (shuffles + 1).

    Raises:
        RequestError: There are no shuffles.
    """
    if shuffles < 1:
        raise RequestError("A null needs at least one shuffle.")
    slices = slicer.fit(seen, rng)
    drawn = []
    for _ in range(shuffles):
        found = slicer.fit(_shuffled(seen, within_classes(seen.labels, rng)), rng)
        order = within_classes(held_out.seen.labels, rng, held_out.clusters)
        mixed = HeldOut(_shuffled(held_out.seen, order), _shuffled(held_out.said, order))
        drawn.append(max((gap or 0.0 for gap in standardised_gaps(found, mixed)), default=0.0))
    together = "" if held_out.clusters is None else ", clusters together"
    kind = f"the same discovery with predictions shuffled within each class{together}, {shuffles} times"
    return DiscoveryNull(slices, standardised_gaps(slices, held_out), tuple(drawn), f"{kind}; largest gap")


def standardised_gaps(slices: Slices, held_out: HeldOut) -> tuple[float | None, ...]:
    """Return how far each slice lies below the rest of its class, in standard errors of equal accuracy.

        (rest - slice) / sqrt(a (1 - a) (1 / n_slice + 1 / n_rest)),   a the accuracy of both together

    At least 0; None where the slice or the rest of its class has no image.
    """
    right = held_out.said.errors == 0
    gaps: list[float | None] = []
    for inside in held_out.members(slices).T:
        mine, others = held_out.sides(inside)
        if not (mine.any() and others.any()):
            gaps.append(None)
            continue
        share = right[mine | others].mean()
        error = np.sqrt(share * (1 - share) * (1 / mine.sum() + 1 / others.sum()))
        gap = right[others].mean() - right[mine].mean()
        gaps.append(max(0.0, float(gap / error)) if error else 0.0)
    return tuple(gaps)


def within_classes(
    labels: Int[ndarray, " n"], rng: np.random.Generator, clusters: Shaped[ndarray, " n"] | None = None
) -> Int[ndarray, " n"]:
    """Return a random order of rows that leaves every row in its class.

    With clusters, those of a class are laid one after the other in random order, so that the rows of one
    cluster go to neighbouring rows: whole clusters change places where they are of one size.
    """
    order = np.arange(len(labels))
    for one in np.unique(labels):
        rows = np.flatnonzero(labels == one)
        if clusters is None:
            order[rows] = rng.permutation(rows)
            continue
        _, member = np.unique(clusters[rows], return_inverse=True)
        places = rng.permutation(int(member.max()) + 1)[member]
        order[rows[np.argsort(member, kind="stable")]] = rows[np.argsort(places, kind="stable")]
    return order


def _shuffled(seen: Observations, order: Int[ndarray, " n"]) -> Observations:
    return Observations(seen.embeddings, seen.labels, seen.probabilities[order])
