"""Some rows of a set of images, and all of them a batch at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from biaskit.catalogue.images import first_of_each
from biaskit.errors import RequestError
from biaskit.images.image_set import ImageSet, Pictures

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, slots=True)
class Selected:
    """Some images of others.

    Attributes:
        of: All images.
        rows: Which of them.
    """

    of: Pictures
    rows: tuple[int, ...]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.rows)

    def name(self, row: int) -> str:
        """Name of an image in the whole set."""
        return self.of.name(self.rows[row])

    def read(self, row: int) -> Image.Image:
        """Return an image as 8-bit RGB, decoded whole.

        Raises:
            ImageError: It cannot be read.
        """
        return self.of.read(self.rows[row])


def select(images: ImageSet, rows: Sequence[int]) -> ImageSet:
    """Return the set that holds `rows` alone, in that order; its digest follows from set and rows.

    Raises:
        RequestError: A row is not there or is named twice.
    """
    kept = tuple(map(int, rows))
    if len(set(kept)) != len(kept) or not set(kept) <= set(range(len(images))):
        raise RequestError(
            f"The rows do not fit the {len(images)} images '{images.name}'.",
            fix="Name rows that are there, each once.",
        )

    def some(cells: Sequence[str]) -> tuple[str, ...]:
        return tuple(cells[row] for row in kept) if cells else ()

    return replace(
        images,
        pictures=Selected(images.pictures, kept),
        labels=some(images.labels),
        parts=tuple(images.parts[row] for row in kept) if images.parts else (),
        attributes={name: some(cells) for name, cells in images.attributes.items()},
        clusters=some(images.clusters),
        captions=some(images.captions),
        digest=hashlib.sha256(f"{images.digest}{kept}".encode()).hexdigest(),
    )


def limited(images: ImageSet, most: int) -> ImageSet:
    """Return the set with the first `most` images of each label in each part."""
    return select(images, first_of_each(images.labels, images.parts, most))


def batches(
    images: ImageSet, rows: Sequence[int] | None = None, size: int = 64
) -> Iterator[tuple[list[int], list[Image.Image]]]:
    """Read `rows` (all if None) `size` at a time; no more than one batch is in memory.

    Yields:
        The rows of a batch, and their images, 8-bit RGB.

    Raises:
        ImageError: An image cannot be read; it is named.
    """
    wanted = list(range(len(images)) if rows is None else rows)
    for start in range(0, len(wanted), size):
        batch = wanted[start : start + size]
        yield batch, [images.pictures.read(row) for row in batch]
