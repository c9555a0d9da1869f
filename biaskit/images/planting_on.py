"""Plant a shortcut of known strength on one's own images: would this audit have found it?"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray
from PIL import Image

from biaskit.errors import RequestError, UnknownNameError
from biaskit.images.image_set import ImageSet, Part
from biaskit.images.planting_material import PATCHES

if TYPE_CHECKING:
    from biaskit.images.image_set import Pictures


class Mark(StrEnum):
    """What is added to an image so that it agrees with the label."""

    PATCH = "patch"
    BORDER = "border"
    TINT = "tint"


MARKED = "planted"
"""Name of the attribute that says which mark an image carries."""

_DENSEST_TINT = 0.5
_PERIODS = (4, 8, 12, 16)


def plant_on(
    images: ImageSet, shortcut: str = "patch", rho: float = 0.95, *, strength: float = 0.25, seed: int = 0
) -> MarkedSet:
    """Add a mark to each image that agrees with its label at the rate `rho`.

    Each class has a mark of its own; with more than four classes some share one. Within each part and
    class a share `rho` of the images carries the class's mark, exact up to rounding, and the rest carries
    the others evenly. rho = 1/marks is the null twin.

    Args:
        images: The images; they are read and marked on demand.
        shortcut: `patch` (a coloured square inside the image), `border` (a striped frame whose stripes
            differ in width) or `tint` (a colour over everything).
        rho: Rate of agreement, 0 to 1.
        strength: How available the mark is, above 0 to 1: side of the patch, thickness of the border over
            a quarter of that, and opacity of the tint over a half, each as a share of the shorter side.
        seed: Seed of which image carries which mark.

    Returns:
        The marked images. `.image_set` is what an audit is given.

    Raises:
        UnknownNameError: There is no such shortcut.
        RequestError: A number is out of its range, or there is a single class.
    """
    if shortcut not in tuple(Mark):
        raise UnknownNameError("shortcut", shortcut, list(Mark))
    for name, value, low in (("rho", rho, 0.0), ("strength", strength, 0.01)):
        if not low <= value <= 1:
            raise RequestError(f"{name} is {value}; it must lie between {low} and 1.")
    classes = sorted(set(images.labels))
    if len(classes) < 2:
        raise RequestError("A shortcut needs at least two classes.", fix="Give images of several classes.")
    marks = _assigned(images, classes, rho, np.random.default_rng([seed, 5]))
    return MarkedSet(images, marks, _Brush(Mark(shortcut), strength))


@dataclass(frozen=True, slots=True, eq=False)
class MarkedSet:
    """Images of one's own with a planted mark.

    Attributes:
        original: The images as they were.
        marks: Index of the mark that each image carries.
        brush: What is drawn, and how strongly.
    """

    original: ImageSet
    marks: Int[ndarray, " n"]
    brush: _Brush

    @property
    def image_set(self) -> ImageSet:
        """The marked images, with the mark as the attribute `planted`."""
        return self.swapped(self.marks)

    def swapped(self, marks: Int[ndarray, " n"]) -> ImageSet:
        """Return the same images with other marks."""
        names = tuple(PATCHES)
        content = f"{self.original.digest}/{self.brush}/{marks.tolist()}"
        return replace(
            self.original,
            name=f"{self.original.name}+{self.brush.mark}",
            pictures=_Marked(self.original.pictures, marks, self.brush),
            attributes={**self.original.attributes, MARKED: tuple(names[mark] for mark in marks)},
            digest=hashlib.sha256(content.encode()).hexdigest(),
        )

    def mask(self, height: int, width: int) -> Bool[ndarray, "h w"]:
        """Return where the mark lies in an image of this size."""
        return self.brush.mask(height, width)


@dataclass(frozen=True, slots=True)
class _Brush:
    """Draws a mark."""

    mark: Mark
    strength: float

    def mask(self, height: int, width: int) -> Bool[ndarray, "h w"]:
        """Return where the mark lies."""
        shorter = min(height, width)
        mask = np.full((height, width), self.mark is not Mark.PATCH)
        if self.mark is Mark.PATCH:
            side, start = max(1, round(self.strength * shorter)), shorter // 8
            mask[start : start + side, start : start + side] = True
        elif self.mark is Mark.BORDER:
            thick = max(1, round(self.strength * shorter / 4))
            mask[thick : height - thick, thick : width - thick] = False
        return mask

    def paint(self, image: Image.Image, mark: int) -> Image.Image:
        """Return the image with a mark."""
        pixels = np.asarray(image.convert("RGB"), np.float32) / 255.0
        layer, opacity = self._layer(pixels.shape[:2], mark)
        shown = opacity * self.mask(*pixels.shape[:2])[..., None]
        mixed = pixels * (1 - shown) + layer * shown
        return Image.fromarray(np.rint(mixed * 255.0).astype(np.uint8))

    def _layer(self, size: tuple[int, int], mark: int) -> tuple[ndarray, float]:
        if self.mark is Mark.BORDER:
            stripes = np.add(*np.indices(size)) // (_PERIODS[mark] // 2) % 2
            return stripes[..., None].astype(np.float32), 1.0
        colour = np.array(tuple(PATCHES.values())[mark], np.float32)
        return colour, self.strength * _DENSEST_TINT if self.mark is Mark.TINT else 1.0


@dataclass(frozen=True, slots=True, eq=False)
class _Marked:
    """Pictures that are marked when they are read."""

    pictures: Pictures
    marks: Int[ndarray, " n"]
    brush: _Brush

    def __len__(self) -> int:
        return len(self.pictures)

    def name(self, row: int) -> str:
        """Name of an image."""
        return self.pictures.name(row)

    def read(self, row: int) -> Image.Image:
        """Return a marked image."""
        return self.brush.paint(self.pictures.read(row), int(self.marks[row]))


def _assigned(
    images: ImageSet, classes: list[str], rho: float, rng: np.random.Generator
) -> Int[ndarray, " n"]:
    count = min(len(classes), len(PATCHES))
    labels = np.array([classes.index(label) for label in images.labels])
    parts = np.array([list(Part).index(part) for part in images.parts] or [0] * len(images))
    marks = np.empty(len(images), int)
    for part, label in sorted(set(zip(parts.tolist(), labels.tolist(), strict=True))):
        rows = np.flatnonzero((parts == part) & (labels == label))
        own = round(rho * len(rows))
        others = np.delete(np.arange(count), label % count)
        drawn = np.concatenate(
            [np.full(own, label % count), np.resize(rng.permutation(others), len(rows) - own)]
        )
        marks[rows] = rng.permutation(drawn)
    return marks
