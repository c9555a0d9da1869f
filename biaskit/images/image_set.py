"""A set of images with what is known about each of them; pixels are read on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from biaskit.errors import RequestError

if TYPE_CHECKING:
    from PIL import Image


class Part(StrEnum):
    """What an image may be used for."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class Pictures(Protocol):
    """Images by row, wherever they lie."""

    def __len__(self) -> int:
        """How many there are."""

    def name(self, row: int) -> str:
        """Name of an image, unique in the set, such as its path inside the folder."""

    def read(self, row: int) -> Image.Image:
        """Return an image as 8-bit RGB, decoded whole.

        Raises:
            ImageError: It cannot be read, is truncated or far too large.
        """


@dataclass(frozen=True, slots=True, eq=False)
class ImageSet:
    """Images, their labels and what else is known, one entry a row.

    Attributes:
        name: Name of the set, such as its folder's name.
        pictures: The images themselves.
        labels: The true class of each, by the name the model gives it.
        parts: What each may be used for; empty where nothing is fixed.
        attributes: Sensitive or contextual attributes by name; an empty cell is missing.
        clusters: Rows that were sampled together, such as photographs of one person; empty: each alone.
        captions: One sentence each; empty where there are none.
        digest: SHA-256 of names, labels and contents, in hex.
        source: Where the images come from.
        licence: Licence of the images.
    """

    name: str
    pictures: Pictures
    labels: tuple[str, ...]
    parts: tuple[Part, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    clusters: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    digest: str = ""
    source: str = "in memory"
    licence: str = "not stated"

    def __post_init__(self) -> None:
        """Refuse columns that do not fit the images."""
        columns = {"parts": self.parts, "clusters": self.clusters, "captions": self.captions}
        given = {name: cells for name, cells in columns.items() if cells}
        for name, cells in {"labels": self.labels, **given, **self.attributes}.items():
            if len(cells) != len(self.pictures):
                raise RequestError(
                    f"'{name}' has {len(cells)} entries, and '{self.name}' has {len(self.pictures)} images.",
                    fix="Give one entry for each image.",
                )

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.pictures)
