"""What was measured, as findings: faithfulness, slices, reliance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from biaskit.analyzers.vig_bias.looking import GROUNDED, Looked
from biaskit.analyzers.vig_bias.numbers import CLUSTERS, IMAGES, Sampled, paired_difference
from biaskit.analyzers.vig_bias.written import (
    OCCLUSION,
    UNITS,
    cells_of,
    images_table,
    maps_name,
    slices_name,
)
from biaskit.records.estimate import Estimate, Null, Unit
from biaskit.records.finding import Direction, Finding, FromRows, Statistic
from biaskit.stats.measured import measured_mean
from biaskit.stats.proportions import wilson

if TYPE_CHECKING:
    from biaskit.analyzers.vig_bias.discovery import Discovered
    from biaskit.records.table import Cell
    from biaskit.saliency.choosing import Choice

LEVEL = 0.05
SOLE = "It was tested by no shuffle of errors."


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """A slice with all that is known of it.

    Attributes:
        found: The method and view it comes from.
        place: Its place among that method's slices.
        title: What it is called: `seven: blue patch`.
        words: The phrase nearest to it, for the finding's method; empty where there is none.
    """

    found: Discovered
    place: int
    title: str
    words: str = field(default="")

    @property
    def source(self) -> str:
        """Which method in which view."""
        return f"{self.found.method} on {self.found.view} images"

    @property
    def label(self) -> int:
        """The class whose images it is sought among; -1 where there is none."""
        label = self.found.facts[self.place].label
        return -1 if label is None else label

    @property
    def significant(self) -> bool:
        """Whether the model does worse on it than on what the same search finds by chance."""
        p = self.found.p(self.place)
        return p is not None and p <= LEVEL

    @property
    def caption(self) -> str:
        """What the images of the slice are, for a contact sheet."""
        p = self.found.p(self.place)
        doubt = (
            "" if self.significant else f" Not beyond chance ({'untested' if p is None else f'q = {p:.2g}'})."
        )
        return f"Held-out images that belong to the slice most.{doubt}"

    @property
    def inside(self) -> Bool[ndarray, " n"]:
        """Which held-out images are recognised in it."""
        member: ndarray = self.found.recognised[:, self.place] >= 0.5
        return member


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some of the held-out images.

    Attributes:
        name: What they are called.
        inside: Which they are.
        table: Name of the table that tells them.
        where: Cells that their rows have there.
    """

    name: str
    inside: Bool[ndarray, " n"]
    table: str
    where: dict[str, Cell] = field(default_factory=dict)


def faithfulness(name: str, choice: Choice) -> Iterator[Finding]:
    """Yield how far the maps can be trusted, over all images and for each class."""
    # Occlusion agrees with itself, so only deletion and insertion can judge it.
    own = choice.candidate.method == OCCLUSION
    for part in ("deletion", "insertion") if own else ("agreement", "deletion", "insertion"):
        yield _faith(name, part, getattr(choice.judged, part), choice)
        for group, judged in choice.by_class.items():
            yield _faith(name, part, getattr(judged, part), choice, group)


def _faith(name: str, part: str, estimate: Estimate, choice: Choice, group: str | None = None) -> Finding:
    return Finding(
        metric=f"vig_bias.map_{part}",
        concepts=(name,) if group is None else (name, group),
        site=choice.candidate.site,
        group=choice.candidate.method,
        direction=Direction.HIGHER,
        headline=group is None
        and part == ("deletion" if choice.candidate.method == OCCLUSION else "agreement"),
        estimate=estimate,
        rows=FromRows(
            table=maps_name(name),
            column=part,
            where={} if group is None else {"explained": group},
            units=UNITS,
        ),
    )


def degenerate(name: str, seen: Looked, clusters: Sequence[str]) -> Finding:
    """Say how many maps point nowhere, so that their images were left whole."""
    count, n = int(seen.degenerate.sum()), len(seen.degenerate)
    shared = measured_mean(seen.degenerate.astype(float), np.array(clusters)) if clusters else None
    return Finding(
        metric="vig_bias.maps_without_a_place",
        concepts=(name,),
        direction=Direction.LOWER,
        estimate=Estimate(
            value=count / n,
            unit=Unit.PROPORTION,
            n=n,
            resampling_unit=CLUSTERS if clusters else IMAGES,
            method="share of the held-out images whose map is constant or nowhere positive",
            interval=wilson(count, n) if shared is None else shared.interval(0.95),
            reason="Nothing is expected of it by chance.",
        ),
        rows=FromRows(table=images_table(name), column="points_nowhere", units=UNITS),
    )


def slice_gap(name: str, one: Named, clusters: Sequence[str], *, headline: bool) -> Finding:
    """Return how much worse the model does on a slice than on the rest of its class."""
    facts = one.found.facts[one.place]
    said = ""
    if facts.gap is not None:
        said = (
            f"accuracy {facts.accuracy:.2f} of {facts.of_label} in the slice, {facts.rest_accuracy:.2f} of "
            f"{facts.rest} others of the class; the slice is {facts.base_rate:.0%} of the class"
        )
    return Finding(
        metric="vig_bias.slice_gap",
        concepts=(name, one.title),
        group=one.source,
        direction=Direction.LOWER,
        headline=headline,
        estimate=Estimate(
            value=facts.gap,
            unit=Unit.PROPORTION,
            n=facts.of_label,
            resampling_unit=CLUSTERS if clusters else IMAGES,
            method=(said or "accuracy of the rest of the class less that of the slice") + one.words,
            interval=facts.interval,
            null=_null(one),
            reason=_reason(one),
        ),
        rows=FromRows(
            table=slices_name(name),
            column="right",
            where=cells_of(one) | {"of_class": True},
            units=UNITS,
            statistic=Statistic.STEP,
            beside="inside",
        ),
    )


def _null(one: Named) -> Null | None:
    p = one.found.p(one.place)
    if p is None or one.found.null is None:
        return None
    return Null(
        p=p, kind=one.found.null.kind, adjusted=p, correction="max-T over the slices of the discovery"
    )


def _reason(one: Named) -> str | None:
    facts = one.found.facts[one.place]
    if facts.gap is None:
        return "No held-out image is recognised in the slice, or its class has no others."
    if facts.interval is None:
        return "The clusters are too few for an interval."
    return None if one.found.p(one.place) is not None else SOLE


def reliance(name: str, seen: Looked, sampled: Sampled, groups: Sequence[Part]) -> Iterator[Finding]:
    """Yield for each group how often the prediction turns on the region the map points at.

    Args:
        name: Name of the image set.
        seen: The held-out images.
        sampled: Their clusters.
        groups: Groups of images.
    """
    for part in groups:
        rows = np.flatnonzero(part.inside & ~seen.degenerate)
        found = seen.flips.take(rows)
        erased = paired_difference(found.erased, found.erased_elsewhere, sampled.take(rows), _ERASED)
        yield _turned(name, part, "vig_bias.reliance", erased)
        there = np.flatnonzero(found.has_donor)
        swapped = found.take(there)
        followed = paired_difference(
            swapped.followed, swapped.followed_elsewhere, sampled.take(rows[there]), _SWAPPED
        )
        yield _turned(name, part, "vig_bias.follows_region", followed)


_ERASED = "flips when the region is erased, less flips when as much is erased elsewhere"
_SWAPPED = "taking another class's region makes the prediction that class, less a region elsewhere"


def _turned(name: str, part: Part, metric: str, estimate: Estimate) -> Finding:
    column = "flips_erased" if metric == "vig_bias.reliance" else "follows_swapped"
    rows = FromRows(
        table=part.table,
        column=column,
        where=part.where | {"points_nowhere": False},
        units=UNITS,
        less=f"{column}_elsewhere",
    )
    return Finding(
        metric=metric,
        concepts=(name,),
        group=part.name,
        direction=Direction.NONE,
        headline=part.name == EVERYTHING,
        estimate=estimate,
        rows=rows,
    )


EVERYTHING = "all images"
TAKEN_FOR = "taken for "


def best_view(found: Sequence[Discovered], method: str) -> Discovered | None:
    """Return a method's slices on grounded images, else on whole ones."""
    own = {one.view: one for one in found if one.method == method}
    return own.get(GROUNDED) or next(iter(own.values()), None)
