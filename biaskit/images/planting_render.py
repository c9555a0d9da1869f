"""Draw composites from what is known about each: a pure function of their factors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray

from biaskit.images.planting_material import (
    CROP,
    DIGIT_SIDE,
    INKS,
    PATCHES,
    SIDE,
    digits,
    scene,
    texture,
)

PATCH_AT = 4
"""First row and column of the patch: inside the image, as a corner would be seen less for its border."""

NONE = -1
"""A factor that an image does not have."""

_TEXTURE_CONTRAST = 0.18
_FLAT_GREY = 0.4


@dataclass(frozen=True, slots=True)
class Look:
    """How strongly the factors are drawn.

    Attributes:
        side: Side of the patch, in pixels.
        patch: Opacity of the patch.
        scene: Share of the scene in the background; the rest is grey.
        texture: Contrast of the texture, as a share of the usual one.
        ink: Saturation of the ink, as a share of the usual one.
    """

    side: int = 8
    patch: float = 1.0
    scene: float = 1.0
    texture: float = 1.0
    ink: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """What each image shows, one entry a row.

    Attributes:
        digit: Row of the digit in the material.
        place: First row and column of the digit.
        scene: Index of the scene.
        crop: Where in the scene the background is cut, as shares of the free height and width.
        patch: Index of the patch's colour; -1 for no patch.
        texture: Index of the pattern over the background; -1 for none.
        ink: Index of the ink's colour; -1 for the colour between the inks.
    """

    digit: Int[ndarray, " n"]
    place: Int[ndarray, "n 2"]
    scene: Int[ndarray, " n"]
    crop: Float[ndarray, "n 2"]
    patch: Int[ndarray, " n"]
    texture: Int[ndarray, " n"]
    ink: Int[ndarray, " n"]

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.digit)

    def take(self, rows: Int[ndarray, " m"]) -> Factors:
        """Return the factors of some rows."""
        return Factors(**{name: getattr(self, name)[rows] for name in self.__slots__})

    def with_factor(self, name: str, values: Int[ndarray, " n"]) -> Factors:
        """Return the factors with one of them replaced."""
        return replace(self, **{name: values})


def render(factors: Factors, look: Look) -> UInt8[ndarray, "n h w 3"]:
    """Draw background, texture, patch and digit, in this order; 8-bit RGB of 32 x 32 pixels."""
    canvas = _backgrounds(factors, look)
    canvas = np.clip(canvas + _textures(factors, look)[..., None], 0.0, 1.0)
    inside = patch_mask(look.side)
    has_patch = (factors.patch != NONE)[:, None, None, None] * np.float32(look.patch)
    colours = np.array(list(PATCHES.values()), np.float32)[factors.patch]
    opacity = has_patch * inside[None, :, :, None]
    canvas = canvas * (1 - opacity) + colours[:, None, None, :] * opacity
    drawn = ink_share(factors)[..., None]
    canvas = canvas * (1 - drawn) + ink_colours(factors.ink, look.ink)[:, None, None, :] * drawn
    found: UInt8[ndarray, "n h w 3"] = np.rint(canvas * 255.0).astype(np.uint8)
    return found


def ink_share(factors: Factors) -> Float[ndarray, "n h w"]:
    """Return the digit's share in each pixel, 0 to 1."""
    canvas = np.zeros((len(factors), SIDE, SIDE), np.float32)
    span = np.arange(DIGIT_SIDE)
    rows = factors.place[:, :1] + span
    columns = factors.place[:, 1:] + span
    which = np.arange(len(factors))[:, None, None]
    canvas[which, rows[:, :, None], columns[:, None, :]] = digits().ink[factors.digit]
    return canvas


def ink_colours(ink: Int[ndarray, " n"], strength: float) -> Float[ndarray, "n 3"]:
    """Return colours between the mean of all inks (strength 0, or no ink) and the ink itself (strength 1)."""
    colours = np.array(list(INKS.values()), np.float32)
    neutral = colours.mean(axis=0)
    found: Float[ndarray, "n 3"] = neutral + np.float32(strength) * (ink != NONE)[:, None] * (
        colours[ink] - neutral
    )
    return found


def patch_mask(side: int) -> Bool[ndarray, "h w"]:
    """Return where the patch lies."""
    mask = np.zeros((SIDE, SIDE), bool)
    mask[PATCH_AT : PATCH_AT + side, PATCH_AT : PATCH_AT + side] = True
    return mask


def _backgrounds(factors: Factors, look: Look) -> Float[ndarray, "n h w 3"]:
    canvas = np.full((len(factors), SIDE, SIDE, 3), _FLAT_GREY, np.float32)
    steps = 3 * np.arange(SIDE)
    for index in np.unique(factors.scene[factors.scene != NONE]):
        rows = np.flatnonzero(factors.scene == index)
        picture = scene(int(index))
        free = np.array(picture.shape[:2]) - (CROP - 2)
        corner = (factors.crop[rows] * (free + 1)).astype(int)
        cut = picture[
            corner[:, :1, None] + steps[None, :, None],
            corner[:, 1:, None].swapaxes(1, 2) + steps[None, None, :],
        ]
        canvas[rows] += np.float32(look.scene) * (cut - _FLAT_GREY)
    return canvas


def _textures(factors: Factors, look: Look) -> Float[ndarray, "n h w"]:
    patterns = np.stack([np.zeros((SIDE, SIDE), np.float32), *(texture(index) for index in range(4))])
    found: Float[ndarray, "n h w"] = patterns[factors.texture + 1] * np.float32(
        _TEXTURE_CONTRAST * look.texture
    )
    return found
