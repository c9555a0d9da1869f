"""Shares side by side, the images themselves, and what was found in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from biaskit.analyzers.representation.numbers import Counted
from biaskit.images.tiles import png
from biaskit.records.contact_sheet import ContactSheet, Tile
from biaskit.records.dot_plot import Dot, DotPlot, DotRow
from biaskit.records.table import slug

if TYPE_CHECKING:
    from biaskit.analyzers.representation.analyzer import Representation
    from biaskit.analyzers.representation.seeing import Seen
    from biaskit.records.prompt_set import GroupSet

ALPHA = 0.05


def dot_plot(about: str, counted: Sequence[Counted], reference: str) -> DotPlot:
    """Show the shares of every target, the largest first; of two groups the first alone."""
    names = counted[0].groups[:1] if len(counted[0].groups) == 2 else counted[0].groups
    ordered = sorted(counted, key=lambda one: -float(one.shares[0]))
    rows = tuple(
        DotRow(
            name=one.target,
            n=one.n,
            dots=tuple(
                Dot(series=name, value=float(one.shares[k]), low=one.box[k].low, high=one.box[k].high)
                for k, name in enumerate(names)
            ),
        )
        for one in ordered
    )
    uniform = reference == "uniform"
    return DotPlot(
        name=slug(f"shares {about}"),
        title=f"Share of images that show each group: {about}",
        series=names,
        chance=float(counted[0].reference[0]) if uniform or len(names) == 1 else None,
        band=f"95 % interval, {counted[0].box[0].method}",
        of="target",
        rows=rows,
    )


def sheet(groups: GroupSet, seen: Seen) -> ContactSheet:
    """Show the first images of a target with the group that each is taken for."""
    names = tuple(groups.groups)
    return ContactSheet(
        name=slug(f"drawn {seen.target} {groups.name}"),
        title=f"Images of '{seen.target}' and the group of {groups.name} that each is taken for",
        caption="The first images in order of their seeds; none was picked.",
        tiles=tuple(
            Tile(
                name=seen.names[row],
                image=png(pixels),
                label=seen.prompts[row],
                prediction=names[seen.said[groups.name][row]],
                remark=f"{min(1.0, max(seen.sure[groups.name][row])):.0%}",
            )
            for row, pixels in enumerate(seen.kept)
        ),
    )


def summary(about: str, counted: Sequence[Counted], settings: Representation) -> list[str]:
    """Say which targets lean away from the reference, and where chance is not ruled out."""
    against = "equal shares" if settings.reference == "uniform" else "neutral nouns"
    leaning = [one for one in counted if one.null and (one.null.adjusted or 0.0) <= ALPHA]
    if not leaning:
        return [
            f"{about}: no target of {len(counted)} is drawn otherwise than {against} beyond chance "
            f"(adjusted p {ALPHA:g}; {min(one.n for one in counted):,} images a target or more)."
        ]
    widest = max(leaning, key=lambda one: float(abs(one.shares - one.reference).max()))
    place = int(abs(widest.shares - widest.reference).argmax())
    interval = widest.box[place]
    return [
        f"{about}: {len(leaning)} of {len(counted)} targets are drawn otherwise than {against} beyond chance "
        f"(adjusted p {ALPHA:g}); the farthest is '{widest.target}', {widest.shares[place]:.0%} of whose "
        f"{widest.n:,} images show {widest.groups[place]} (95 % interval {interval.low:.0%} to "
        f"{interval.high:.0%})."
    ]
