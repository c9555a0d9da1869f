"""Images that are in memory already, as a set with labels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np
from PIL import Image

from biaskit.catalogue.images import PARTS
from biaskit.errors import ImageError, UnknownNameError
from biaskit.images import reading
from biaskit.images.image_set import ImageSet, Part

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHANNELS = (1, 3, 4)


class Columns(TypedDict, total=False):
    """What else is known about the images.

    Keys:
        name: Name of the set; default: `images`.
        names: A unique name for each image; default: its number.
        parts: `train`, `validation` or `test`.
        attributes: Attributes by name, one entry an image; an empty cell is missing.
        clusters: Rows that were sampled together.
        captions: One sentence each.
        source, licence: Where the images come from and under what licence.
    """

    name: str
    names: Sequence[str]
    parts: Sequence[str]
    attributes: Mapping[str, Sequence[str]]
    clusters: Sequence[str]
    captions: Sequence[str]
    source: str
    licence: str


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Images in memory, 8-bit RGB.

    Attributes:
        names: Name of each.
        images: The images.
    """

    names: tuple[str, ...]
    images: tuple[Image.Image, ...]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.images)

    def name(self, row: int) -> str:
        """Name of an image."""
        return self.names[row]

    def read(self, row: int) -> Image.Image:
        """Return an image; changing the copy does not change the set."""
        return self.images[row].copy()


def image_set(images: Any, labels: Sequence[str], **columns: Unpack[Columns]) -> ImageSet:
    """Make a set of images that are in memory.

    Args:
        images: Pillow images, or arrays (one `n h w c`, `n h w` or `n c h w`, or a list without the first
            axis): 8-bit numbers, or fractions in [0, 1]. Channels are 1, 3 or 4; the last axis wins where
            both could be the channels.
        labels: The true class of each.
        **columns: See `Columns`.

    Raises:
        ImageError: An image has another shape or range, or two have one name.
        RequestError: A column does not fit the images.
    """
    found = tuple(_picture(one, row) for row, one in enumerate(images))
    names = tuple(map(str, columns.get("names") or [f"{row:06d}" for row in range(len(found))]))
    if len(set(names)) != len(names) or len(names) != len(found):
        raise ImageError(
            f"{len(found)} images have {len(set(names))} different names.", fix="Give each a name of its own."
        )
    said: dict[str, Any] = {
        "labels": tuple(map(str, labels)),
        "parts": tuple(_part(one) for one in columns.get("parts", ())),
        "attributes": {key: tuple(map(str, cells)) for key, cells in columns.get("attributes", {}).items()},
        "clusters": tuple(map(str, columns.get("clusters", ()))),
        "captions": tuple(map(str, columns.get("captions", ()))),
    }
    return ImageSet(
        name=columns.get("name", "images"),
        pictures=Held(names, found),
        digest=_digest(names, found, said),
        source=columns.get("source", "in memory"),
        licence=columns.get("licence", "not stated"),
        **said,
    )


def _part(name: str) -> Part:
    if str(name).lower() not in PARTS:
        raise UnknownNameError("part", str(name), PARTS, fix="Write train, validation or test.")
    return Part(PARTS[str(name).lower()])


def _picture(one: Any, row: int) -> Image.Image:
    if isinstance(one, Image.Image):
        return reading.rgb(one, f"image {row}")
    array = np.asarray(one)
    if array.ndim == 3 and array.shape[-1] not in _CHANNELS and array.shape[0] in _CHANNELS:
        array = np.moveaxis(array, 0, -1)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if 0 in array.shape or not (array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in _CHANNELS)):
        raise ImageError(
            f"Image {row} has the shape {array.shape}.",
            fix="Give height x width, with 1, 3 or 4 channels as the first or last axis.",
        )
    return reading.rgb(Image.fromarray(_eight_bits(array, row)))


def _eight_bits(array: NDArray[Any], row: int) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if not np.issubdtype(array.dtype, np.floating) or not (array.min() >= 0 and array.max() <= 1):
        raise ImageError(
            f"Image {row} holds {array.dtype} from {array.min()} to {array.max()}.",
            fix="Give 8-bit numbers (uint8), or fractions from 0 to 1; take a normalisation back first.",
        )
    return np.ascontiguousarray(np.rint(array * 255).astype(np.uint8))


def _digest(names: Sequence[str], images: Sequence[Image.Image], said: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode())
    for name, image in zip(names, images, strict=True):
        digest.update(f"{name}\0{image.size}\n".encode())
        digest.update(image.tobytes())
    return digest.hexdigest()
