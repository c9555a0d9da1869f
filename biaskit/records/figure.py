"""A picture as data: curves with bands over one axis, drawn by whoever renders the report."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from biaskit.records.base import Record
from biaskit.records.estimate import Unit


class AxisScale(StrEnum):
    """How the horizontal axis is spaced."""

    LINEAR = "linear"
    LOG = "log"


class Role(StrEnum):
    """What a curve is, which decides how strongly it is drawn."""

    SUBJECT = "subject"
    BASELINE = "baseline"
    CONTROL = "control"


class Point(Record):
    """One place of a curve."""

    x: float
    """Where it stands."""
    y: float
    """The value there, in the figure's unit."""
    low: float | None = None
    """Lower end of its interval."""
    high: float | None = None
    """Upper end of its interval."""


class Curve(Record):
    """One line of a figure."""

    name: str = Field(min_length=1)
    """What it shows, as it stands in the legend."""
    role: Role = Role.SUBJECT
    """What it is: the subject, a baseline it is compared with, or a control that should stay at chance."""
    points: tuple[Point, ...] = Field(min_length=1)
    """Its points, in increasing x."""


class Figure(Record):
    """Curves over one axis."""

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    """Name of the figure, unique in its analysis."""
    title: str = Field(min_length=1)
    """What it shows, one phrase."""
    x_label: str = Field(min_length=1)
    """What the horizontal axis counts."""
    y_label: str = Field(min_length=1)
    """What the vertical axis measures."""
    unit: Unit = Unit.ONE
    """Unit of the vertical axis."""
    x_scale: AxisScale = AxisScale.LINEAR
    """How the horizontal axis is spaced."""
    chance: float | None = None
    """Where chance alone lies on the vertical axis, drawn as a line."""
    band: str = ""
    """What the bands around the curves are, such as `95 % interval over concepts`; empty without bands."""
    curves: tuple[Curve, ...] = Field(min_length=1)
    """The curves, most important first."""

    @model_validator(mode="after")
    def _positive_on_a_log_axis(self) -> Self:
        if self.x_scale is AxisScale.LOG and any(p.x <= 0 for c in self.curves for p in c.points):
            raise ValueError(f"the figure '{self.name}' has a logarithmic axis and a point at or below 0")
        return self
