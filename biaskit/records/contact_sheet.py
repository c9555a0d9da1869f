"""Images for a report, small enough to travel inside it."""

from __future__ import annotations

from pydantic import Field

from biaskit.records.base import Record

PNG = r"^iVBORw0KGgo[A-Za-z0-9+/]*={0,2}$"
"""A PNG file in base64."""


class Tile(Record):
    """One image and what the model made of it."""

    name: str = Field(min_length=1)
    """Name of the image in its set."""
    image: str = Field(pattern=PNG)
    """The image as the model saw it: a PNG in base64, 160 pixels a side at most."""
    heat: str | None = Field(default=None, pattern=PNG)
    """The image under its heat map, where there is one."""
    mask: str | None = Field(default=None, pattern=PNG)
    """What is left of the image under the mask, where there is one."""
    label: str
    """Its true class."""
    prediction: str = ""
    """What the model said; empty where it only drew the image."""
    confidence: float | None = Field(default=None, ge=0, le=1)
    """Probability the model gave to what it said; None where it said nothing."""
    remark: str = ""
    """What else should be known, such as its place in the slice."""


class ColourBar(Record):
    """What the colours of heat maps mean."""

    image: str = Field(pattern=PNG)
    """The colours from least to most, left to right: a PNG in base64."""
    low: str = Field(min_length=1)
    """What the first colour stands for, with its unit."""
    high: str = Field(min_length=1)
    """What the last colour stands for, with its unit."""


class ContactSheet(Record):
    """Images side by side."""

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    """Name of the sheet, unique in its analysis."""
    title: str = Field(min_length=1)
    """What the images have in common, one phrase."""
    caption: str = ""
    """How they were chosen and what heat map and mask are, one or two sentences."""
    bar: ColourBar | None = None
    """The scale of the heat maps, where they share one."""
    tiles: tuple[Tile, ...] = Field(min_length=1)
    """The images, first things first."""
