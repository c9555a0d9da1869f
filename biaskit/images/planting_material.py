"""What planted images are made of: real digits, regions of two photographs, colours and patterns."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from sklearn.datasets import load_digits, load_sample_images

from biaskit.images.image_set import Part

SIDE = 32
DIGIT_SIDE = 16
CROP = 96
"""Side of the region of a photograph that is averaged to one background."""

DIGITS = (3, 8, 5, 9, 2, 6, 0, 4, 7, 1)
"""Digits in the order in which classes take them: those that resemble each other first."""

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PATCHES = {
    "blue": (0.12, 0.25, 0.95),
    "red": (0.92, 0.12, 0.12),
    "green": (0.1, 0.75, 0.2),
    "purple": (0.62, 0.15, 0.8),
}
INKS = {
    "white": (1.0, 1.0, 1.0),
    "yellow": (1.0, 0.92, 0.15),
    "cyan": (0.35, 0.95, 1.0),
    "pink": (1.0, 0.6, 0.8),
}
TEXTURES = ("rows", "columns", "checks", "diagonals")
SCENES = ("temple", "flower", "trees", "leaves")
PLAIN = len(SCENES)
"""Index of the background that is no photograph: grey noise."""

SOURCE = "scikit-learn's load_digits and load_sample_images"
LICENCE = "digits: CC BY 4.0 (UCI); photographs: CC BY 2.0 (danielbuechele, vultilion)"

_DIM = 0.7
_TESTED = {Part.TRAIN: slice(0, 3), Part.VALIDATION: slice(3, 4), Part.TEST: slice(4, 5)}


class _Region(NamedTuple):
    photograph: int
    rows: slice
    columns: slice


_REGIONS = {
    "temple": _Region(0, slice(80, 330), slice(70, 350)),
    "flower": _Region(1, slice(85, 360), slice(165, 440)),
    "trees": _Region(0, slice(285, 427), slice(340, 640)),
    "leaves": _Region(1, slice(0, 427), slice(0, 165)),
}


class Digits(NamedTuple):
    """Handwritten digits.

    Attributes:
        ink: Share of ink in each pixel of the enlarged digit, 0 to 1.
        values: Which digit each is.
    """

    ink: Float[ndarray, "n 16 16"]
    values: Int[ndarray, " n"]


@cache
def digits() -> Digits:
    """Return scikit-learn's 1,797 digits of 8 x 8 pixels, enlarged to 16 x 16 by bilinear interpolation."""
    found = load_digits()
    ink = np.clip(_doubled(_doubled(found.images / 16.0, 1), 2), 0.0, 1.0)
    return Digits(ink.astype(np.float32), found.target.astype(np.int64))


@cache
def digits_of(part: Part, value: int) -> Int[ndarray, " n"]:
    """Return the rows of a digit that a part may use: three fifths for training, one each for the others.

    The split is always the same, whatever the seed of a plant, so that what was trained on one plant has
    seen no test image of another.
    """
    rows = np.flatnonzero(digits().values == value)
    order = np.random.default_rng([value, 20240]).permutation(len(rows))
    fifths = np.array_split(rows[order], 5)
    return np.sort(np.concatenate(fifths[_TESTED[part]]))


@cache
def scene(index: int) -> Float[ndarray, "h w 3"]:
    """Return a scene whose pixel (i, j) is the mean of the 3 x 3 pixels that begin there, 0 to 1, dimmed."""
    if index == PLAIN:
        grey = np.random.default_rng(7).normal(0.45, 0.3, (256, 256, 1)).astype(np.float32)
        return np.repeat(_mean_3x3(grey), 3, axis=2)
    region = _REGIONS[SCENES[index]]
    photograph = load_sample_images().images[region.photograph]
    return _mean_3x3(photograph[region.rows, region.columns].astype(np.float32) / 255.0) * np.float32(_DIM)


@cache
def texture(index: int) -> Float[ndarray, "32 32"]:
    """Return a pattern of -1 and 1 with a period of four pixels."""
    down, across = np.indices((SIDE, SIDE))
    cells = (down // 2, across // 2, down // 2 + across // 2, (down + across) // 2)
    return np.where(cells[index] % 2, 1.0, -1.0).astype(np.float32)


def _doubled(images: Float[ndarray, "n h w"], axis: int) -> Float[ndarray, "n h2 w2"]:
    """Interpolate along one axis to twice its length; pixel centres stay where they were."""
    before = np.concatenate([images.take([0], axis), images.take(range(images.shape[axis] - 1), axis)], axis)
    after = np.concatenate([images.take(range(1, images.shape[axis]), axis), images.take([-1], axis)], axis)
    pairs = np.stack([0.75 * images + 0.25 * before, 0.75 * images + 0.25 * after], axis + 1)
    shape = list(images.shape)
    shape[axis] *= 2
    return pairs.reshape(shape)


def _mean_3x3(image: Float[ndarray, "h w c"]) -> Float[ndarray, "h2 w2 c"]:
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3), axis=(0, 1))
    found: Float[ndarray, "h2 w2 c"] = windows.mean(axis=(-2, -1), dtype=np.float32)
    return found
