"""Every method of slice discovery on every view of the images, judged on images it did not see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from biaskit.analyzers.vig_bias.looking import RAW
from biaskit.errors import RequestError
from biaskit.slices.baselines import ConfidenceRanking, KMeans, PredictionsOnly, RandomSlices
from biaskit.slices.discovery_null import DiscoveryNull, discovery_null, standardised_gaps
from biaskit.slices.domino import Domino
from biaskit.slices.facts import Facts
from biaskit.slices.held_out import HeldOut
from biaskit.slices.in_whole_images import InWholeImages
from biaskit.slices.slice_report import SliceFacts, slice_report

if TYPE_CHECKING:
    from collections.abc import Callable

    from biaskit.analyzers.vig_bias.amplified import Amplified
    from biaskit.analyzers.vig_bias.looking import Looked
    from biaskit.session import VisionSession
    from biaskit.slices.observations import Observations
    from biaskit.slices.slicer import Slicer, Slices

SLICERS: Mapping[str, Callable[[], Slicer]] = {"domino": Domino, "facts": Facts}
BASELINES: Mapping[str, Callable[[], Slicer]] = {
    "confidence-ranking": ConfidenceRanking,
    "k-means": KMeans,
    "predictions-only": PredictionsOnly,
    "random": RandomSlices,
}
"""What needs no method: it stands beside every figure."""
WITHOUT_EMBEDDINGS = frozenset({"confidence-ranking", "predictions-only", "random"})
"""Baselines that are the same in every view."""
_AMPLIFIED = "facts"


@dataclass(frozen=True, slots=True, eq=False)
class Discovered:
    """What one method found in one view.

    Attributes:
        method: The method.
        view: What the encoder was shown.
        slices: The slices, to be recognised in other images.
        facts: How much worse the model does on each, on held-out images.
        gaps: The same in standard errors of equal accuracy; None where a side is empty.
        membership: How strongly each held-out image belongs to each slice, predictions included.
        recognised: The same from whole images and labels alone, as a mask shows what was predicted.
        found_in: How strongly each image that slices were found on is recognised in each.
        null: What the same discovery finds where errors fall anywhere; None where it was not asked for.
    """

    method: str
    view: str
    slices: Slices
    facts: tuple[SliceFacts, ...]
    gaps: tuple[float | None, ...]
    membership: Float[ndarray, "n s"]
    recognised: Float[ndarray, "n s"]
    found_in: Float[ndarray, "m s"]
    null: DiscoveryNull | None

    @property
    def baseline(self) -> bool:
        """Whether it is a baseline."""
        return self.method in BASELINES

    def p(self, place: int) -> float | None:
        """Return how often the worst slice of a shuffled discovery is as bad as this one, search included."""
        return None if self.null is None or self.gaps[place] is None else self.null.adjusted[place]

    @property
    def worst_first(self) -> list[int]:
        """The slices that could be compared, the surest gap first."""
        known = [(gap, -place) for place, gap in enumerate(self.gaps) if gap is not None]
        return [-place for _, place in sorted(known, reverse=True)]


@dataclass(frozen=True, slots=True, eq=False)
class Discovery:
    """How slices are sought.

    Attributes:
        session: The run's generators and progress.
        found: Images that slices are found on.
        held: Images that they are tested on.
        amplified: The head that FACTS asks for; None where there are no training images.
        clusters: Clusters of the held-out images; empty: each alone.
        shuffles: How often errors are shuffled.
    """

    session: VisionSession
    found: Looked
    held: Looked
    amplified: Amplified | None
    clusters: Sequence[str]
    shuffles: int
    caveats: list[str] = field(default_factory=list)

    def run(self, methods: Sequence[str], views: Sequence[str]) -> Iterator[Discovered]:
        """Yield what each method finds in each view; what cannot be done is said in `caveats`."""
        asked = [(method, view) for method in methods for view in _views_of(method, views)]
        for method, view in self.session.progress.track(asked, "finding slices", len(asked)):
            try:
                yield self._one(method, view)
            except RequestError as error:
                self.caveats.append(f"{method} on {view} images was left out: {error}")

    def _one(self, method: str, view: str) -> Discovered:
        slicer = {**SLICERS, **BASELINES}[method]()
        if view != RAW:
            slicer = InWholeImages(slicer, self.found.embeddings[view].shape[1])
        seen, shown = (self._given(method, rows, view) for rows in (self.found, self.held))
        clusters = np.array(self.clusters) if self.clusters else None
        held = HeldOut(shown, audited=self.held.observed(view), clusters=clusters)
        null = self._null(slicer, seen, held, view) if method in SLICERS else None
        # The null belongs to the slices that it found itself: another fit may order them otherwise.
        own = slicer.fit(seen, self.session.rng(f"vig-bias/{method}/{view}")) if null is None else null.slices
        return self._described(method, view, own, (seen, held), null)

    def _described(
        self,
        method: str,
        view: str,
        slices: Slices,
        given: tuple[Observations, HeldOut],
        null: DiscoveryNull | None,
    ) -> Discovered:
        seen, held = given
        shown = held.seen
        return Discovered(
            method=method,
            view=view,
            slices=slices,
            facts=slice_report(slices, held),
            gaps=standardised_gaps(slices, held),
            membership=slices.membership(shown),
            recognised=slices.recognised(shown),
            found_in=slices.recognised(seen),
            null=null,
        )

    def _given(self, method: str, rows: Looked, view: str) -> Observations:
        amplified = self.amplified if method == _AMPLIFIED else None
        seen = rows.observed(view) if amplified is None else amplified.observed(rows, view)
        if view == RAW:
            return seen
        return replace(seen, embeddings=np.concatenate([seen.embeddings, rows.embeddings[RAW]], axis=1))

    def _null(self, slicer: Slicer, seen: Observations, held: HeldOut, view: str) -> DiscoveryNull | None:
        if not self.shuffles:
            return None
        rng = self.session.rng(f"vig-bias/{slicer.name}/{view}/null")
        return discovery_null(slicer, seen, held, rng, self.shuffles)


def _views_of(method: str, views: Sequence[str]) -> Sequence[str]:
    return (RAW,) if method in WITHOUT_EMBEDDINGS else views


def pseudo_groups(labels: Int[ndarray, " n"], inside: Sequence[ndarray]) -> Int[ndarray, " n"]:
    """Number the groups class x in a slice that fails or not, without gaps.

    Args:
        labels: Index of each image's class.
        inside: For each failing slice, whether an image is in it.
    """
    flagged = np.any(inside, axis=0) if len(inside) else np.zeros(len(labels), dtype=bool)
    _, codes = np.unique(labels * 2 + flagged, return_inverse=True)
    return codes.astype(np.int64)
