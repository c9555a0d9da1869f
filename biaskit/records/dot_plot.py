"""A picture as data: one row a group, one dot with its interval for each series."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from biaskit.records.base import Record
from biaskit.records.estimate import Unit


class Dot(Record):
    """One number of one row."""

    series: str = Field(min_length=1)
    """Which series it belongs to, such as `before`."""
    value: float | None
    """The number, in the plot's unit; None where it was not measured."""
    low: float | None = None
    """Lower end of its interval."""
    high: float | None = None
    """Upper end of its interval."""


class DotRow(Record):
    """One group and its numbers."""

    name: str = Field(min_length=1)
    """The group."""
    n: int = Field(ge=0)
    """How many images, texts or other units the group has."""
    dots: tuple[Dot, ...]
    """Its numbers, at most one a series."""


class DotPlot(Record):
    """Groups side by side on one axis."""

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    """Name of the plot, unique in its analysis."""
    title: str = Field(min_length=1)
    """What it shows, one phrase."""
    unit: Unit = Unit.PROPORTION
    """Unit of the axis."""
    series: tuple[str, ...] = Field(min_length=1)
    """The series, in the order of the legend."""
    chance: float | None = None
    """Where chance alone lies, drawn as a line."""
    band: str = "95 % interval"
    """What the whiskers are."""
    of: str = "group"
    """What each row is, one word."""
    rows: tuple[DotRow, ...] = Field(min_length=1)
    """The rows, in order."""

    @model_validator(mode="after")
    def _known_series(self) -> Self:
        unknown = {dot.series for row in self.rows for dot in row.dots} - set(self.series)
        if unknown:
            raise ValueError(f"the plot '{self.name}' has dots of unnamed series: {sorted(unknown)}")
        return self
