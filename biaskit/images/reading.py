"""Reads one image file, whatever it holds, as 8-bit RGB; what cannot be read is said by name.

Transparent parts are laid on white, grey and palette images become RGB, 16-bit images lose their lower
byte, and an image is turned upright as its EXIF orientation says. Of an animation the first frame is
read. Colour profiles are not applied.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from biaskit.errors import ImageError

if TYPE_CHECKING:
    from pathlib import Path

MOST_PIXELS = 80_000_000
"""Largest image that is read: 80 megapixels, 240 MB once it is decoded."""

# No PostScript, which would be run, and no format that photographs do not come in.
_FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
_DEEP = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
_BACKGROUND = (255, 255, 255)
_SIXTEEN_BITS = 65535


def read(path: Path) -> Image.Image:
    """Read an image file as 8-bit RGB, decoded whole and upright.

    Raises:
        ImageError: It is missing, no image, truncated, larger than `MOST_PIXELS`, or holds numbers without
            an agreed range.
    """
    with _faults(path), path.open("rb") as stream:
        return rgb(_opened(stream), str(path))


def check(stream: BinaryIO, path: Path) -> tuple[int, int]:
    """Read the header of an image file that is open and return its width and height; nothing is decoded.

    Raises:
        ImageError: It is no image, or larger than `MOST_PIXELS`.
    """
    with _faults(path):
        return _opened(stream).size


def rgb(image: Image.Image, name: str = "An image") -> Image.Image:
    """Return an image of any mode as 8-bit RGB, upright, with transparent parts laid on white.

    Args:
        image: The image; a lazily opened one is decoded here.
        name: What it is called where it cannot be converted.

    Raises:
        ImageError: Its pixels are numbers without an agreed range.
    """
    upright = ImageOps.exif_transpose(image)
    if upright.mode in _DEEP or upright.mode in {"I", "F"}:
        return _eight_bits(upright, name)
    if upright.has_transparency_data:
        layer = upright.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (*_BACKGROUND, 255))
        return Image.alpha_composite(ground, layer).convert("RGB")
    return upright.convert("RGB")


def _eight_bits(image: Image.Image, name: str) -> Image.Image:
    numbers = np.asarray(image)
    if image.mode == "F" or numbers.min() < 0 or numbers.max() > _SIXTEEN_BITS:
        raise ImageError(
            f"The pixels of '{name}' are numbers without an agreed range.",
            why=f"It holds {'fractions' if image.mode == 'F' else '32-bit numbers'}.",
            fix="Save it with 8 or 16 bits a channel.",
        )
    return Image.fromarray((numbers // 256).astype(np.uint8)).convert("RGB")


def _opened(stream: BinaryIO) -> Image.Image:
    image = Image.open(stream, formats=_formats())
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise Image.DecompressionBombError
    return image


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    """Turn whatever Pillow raises or warns of into an error that names the file."""
    try:
        with warnings.catch_warnings():
            # Remarks about metadata say nothing about the pixels.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(
            f"'{path}' is too large to be read.",
            why=f"At most {MOST_PIXELS // 10**6} megapixels are read: a small file can hold an image that "
            "fills the memory.",
            fix="Scale it down, or leave it out.",
        ) from error
    except UnidentifiedImageError as error:
        raise ImageError(
            f"'{path}' is no image that can be read.",
            why=f"Known formats: {', '.join(_formats())}.",
            fix="Save it as PNG or JPEG, or leave it out.",
        ) from error
    except Exception as error:
        first = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ImageError(
            f"'{path}' cannot be read whole.", why=f"{first}.", fix="Restore the file, or leave it out."
        ) from error
