"""What a steered generator draws, as dots and curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jaxtyping import Bool
from numpy import ndarray

from biaskit.records.dot_plot import Dot, DotRow
from biaskit.records.estimate import Unit
from biaskit.records.figure import Curve, Figure, Point
from biaskit.stats.proportions import wilson

if TYPE_CHECKING:
    from biaskit.mitigations.steered import SteeredTarget
    from biaskit.steering.doses import Response


def before_after(target: str, shown: Mapping[str, Bool[ndarray, " n"]]) -> DotRow:
    """Return one target's shares, one dot for each way of drawing."""
    dots = []
    for way, hits in shown.items():
        ends = wilson(int(hits.sum()), len(hits))
        dots.append(Dot(series=way, value=float(hits.mean()), low=ends.low, high=ends.high))
    return DotRow(name=target, n=len(next(iter(shown.values()))), dots=tuple(dots))


def dose_figure(one: SteeredTarget, strength: float, found: Response) -> Figure:
    """Show the share over the strength, with the one that was chosen and the test of a rise."""
    points = []
    for place, (dose, share) in enumerate(zip(found.strengths, found.shares, strict=True)):
        ends = found.interval(place)
        points.append(Point(x=dose, y=float(share), low=ends.low, high=ends.high))
    marks = (mark if mark.isascii() and mark.isalnum() else " " for mark in one.name.casefold())
    name = "-".join("".join(marks).split())
    return Figure(
        name=f"doses-{name}",
        title=f"Share of '{one.group}' in images of '{one.name}' over the strength; {strength:.2f} is chosen "
        f"(rise: p {found.trend().p:.2g}, largest fall {found.falls:.2f})",
        x_label="strength of the edit",
        y_label=f"share of '{one.group}'",
        unit=Unit.PROPORTION,
        chance=one.wanted,
        band="95 % interval over images (Wilson)",
        curves=(Curve(name="latents", points=tuple(points)),),
    )
