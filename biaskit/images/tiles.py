"""Small pictures for a report: the image, the image under its heat map, what a mask leaves of it."""

from __future__ import annotations

import base64
import io

import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

SIDE = 160
"""Longest side of a picture, in pixels."""
_SMALL = 80
_BAR = 8
# From no evidence (dark blue) over violet and orange to most (pale yellow): lightness rises evenly, so it
# reads without colour vision and in grey.
_HEAT = torch.tensor(
    [
        (0.05, 0.03, 0.25),
        (0.35, 0.07, 0.43),
        (0.65, 0.18, 0.38),
        (0.90, 0.40, 0.20),
        (0.99, 0.70, 0.15),
        (0.99, 0.99, 0.70),
    ]
)
_OPACITY = 0.6
_VEIL = 0.85


def png(pixels: Float[Tensor, "c h w"]) -> str:
    """Return pixels in [0, 1] as a PNG in base64, `SIDE` a side at most; tiny images are shown in blocks."""
    channels = pixels.expand(3, -1, -1) if len(pixels) == 1 else pixels
    values = (channels.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    image = Image.fromarray(np.ascontiguousarray(values))
    longest = max(image.size)
    if longest > SIDE:
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    elif longest <= _SMALL:
        factor = SIDE // longest
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    stream = io.BytesIO()
    image.save(stream, format="PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode("ascii")


def colour_bar() -> str:
    """Return the colours of heat maps from least, left, to most, as a PNG in base64."""
    share = torch.linspace(0, 1, SIDE).expand(_BAR, SIDE)
    return png(_coloured(share))


def heated(
    pixels: Float[Tensor, "c h w"], heat: Float[Tensor, "h w"], largest: float | None = None
) -> Float[Tensor, "3 h w"]:
    """Lay a map over an image: `o` times the map's colour plus `1 - o` times the image in grey, o = 0.6.

    Args:
        pixels: The image, in [0, 1].
        heat: Evidence at each pixel; what is below 0 is shown as none.
        largest: What is shown as most; the map's own maximum if None. One number for all images of a sheet
            keeps their maps comparable.
    """
    top = float(heat.max()) if largest is None else largest
    share = (heat / top).clamp(0, 1) if top > 0 else torch.zeros_like(heat)
    return _OPACITY * _coloured(share) + (1 - _OPACITY) * pixels.mean(dim=0, keepdim=True)


def _coloured(share: Float[Tensor, "h w"]) -> Float[Tensor, "3 h w"]:
    place = share * (len(_HEAT) - 1)
    below = place.floor().long().clamp(max=len(_HEAT) - 2)
    rest = (place - below)[..., None]
    return (_HEAT[below] * (1 - rest) + _HEAT[below + 1] * rest).permute(2, 0, 1)


def under_mask(pixels: Float[Tensor, "c h w"], mask: Bool[Tensor, "h w"]) -> Float[Tensor, "c h w"]:
    """Return the image with what the mask leaves out covered by a pale veil."""
    return torch.where(mask, pixels, _VEIL + (1 - _VEIL) * pixels)
