"""From pixels in [0, 1] to what a text-image encoder's image tower takes, on tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn.functional import interpolate, pad

from biaskit.models.vision_input import VisionInput

_SMOOTH = frozenset({"bilinear", "bicubic"})
# torch has neither of these filters with antialiasing; the next wider one of Pillow's is close.
_STAND_IN = {"lanczos": "bicubic", "hamming": "bilinear", "box": "bilinear"}
_SMALLEST_STEP = 1e-5


class Preparation(Protocol):
    """Turns pixels into the arguments of an image tower."""

    def __call__(self, pixels: Float[Tensor, "n c h w"]) -> dict[str, Tensor]:
        """Return the arguments by name."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """One size for every image: resized, its centre cut out, normalised.

    Attributes:
        input: Size, filter, mean and std.
    """

    input: VisionInput

    def __call__(self, pixels: Float[Tensor, "n c h w"]) -> dict[str, Tensor]:
        """Return `pixel_values`."""
        target = self.input.resize or self.input.size
        if isinstance(target, int):
            target = _shorter(target, pixels.shape[-2:])
        resized = _resized(_coloured(pixels, self.input.channels), target, self.input.interpolation)
        return {"pixel_values": self.input.normalise(_centre(resized, self.input.size))}


@dataclass(frozen=True, slots=True)
class Patches:
    """As many square patches as fit, the image's proportions kept (SigLIP 2, arXiv 2502.14786).

    Attributes:
        patch: Side of a patch, in pixels.
        most: Most patches an image is cut into; fewer are padded.
        mean: One number a channel.
        std: One number a channel.
    """

    patch: int
    most: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, pixels: Float[Tensor, "n c h w"]) -> dict[str, Tensor]:
        """Return `pixel_values` (n, patches, values), `pixel_attention_mask` and `spatial_shapes`."""
        height, width = self._size(pixels.shape[-2], pixels.shape[-1])
        exact = VisionInput((height, width), self.mean, self.std)
        image = exact.normalise(_resized(_coloured(pixels, len(self.mean)), (height, width), "bilinear"))
        rows, columns = height // self.patch, width // self.patch
        cells = image.reshape(len(image), -1, rows, self.patch, columns, self.patch)
        values = cells.permute(0, 2, 4, 3, 5, 1).reshape(len(image), rows * columns, -1)
        empty = self.most - rows * columns
        mask = torch.ones(len(image), rows * columns, dtype=torch.int64, device=image.device)
        return {
            "pixel_values": pad(values, (0, 0, 0, empty)),
            "pixel_attention_mask": pad(mask, (0, empty)),
            "spatial_shapes": torch.tensor([[rows, columns]] * len(image), device=image.device),
        }

    def _size(self, height: int, width: int) -> tuple[int, int]:
        """Return the largest size in whole patches, near the image's proportions, found by halving steps."""

        def scaled(scale: float) -> tuple[int, int]:
            sides = (math.ceil(side * scale / self.patch) for side in (height, width))
            rows, columns = (max(1, side) * self.patch for side in sides)
            return rows, columns

        low, high = _SMALLEST_STEP / 10, 100.0
        while high - low >= _SMALLEST_STEP:
            middle = (low + high) / 2
            rows, columns = scaled(middle)
            fits = rows * columns <= self.most * self.patch**2
            low, high = (middle, high) if fits else (low, middle)
        return scaled(low)


def _coloured(pixels: Float[Tensor, "n c h w"], channels: int) -> Float[Tensor, "n k h w"]:
    """Repeat a grey image's one channel, or average three for a grey encoder."""
    if pixels.shape[1] == channels:
        return pixels
    return pixels.expand(-1, channels, -1, -1) if pixels.shape[1] == 1 else pixels.mean(dim=1, keepdim=True)


def _shorter(side: int, size: Any) -> tuple[int, int]:
    height, width = size
    longer = int(side * max(height, width) / min(height, width))
    return (side, longer) if height <= width else (longer, side)


def _resized(
    pixels: Float[Tensor, "n c h w"], size: tuple[int, int], interpolation: str
) -> Float[Tensor, "n c p q"]:
    if tuple(pixels.shape[-2:]) == size:
        return pixels
    mode = _STAND_IN.get(interpolation, interpolation)
    if mode not in _SMOOTH:
        return interpolate(pixels, size=size, mode="nearest-exact")
    # The bicubic filter overshoots at edges; an image file would have clipped it.
    return interpolate(pixels, size=size, mode=mode, antialias=True, align_corners=False).clamp(0, 1)


def _centre(pixels: Shaped[Tensor, "n c h w"], size: tuple[int, int]) -> Shaped[Tensor, "n c p q"]:
    """Cut the centre out; what lies beyond the image is black."""
    top, left = ((have - want) // 2 for have, want in zip(pixels.shape[-2:], size, strict=True))
    bottom, right = pixels.shape[-2] - size[0] - top, pixels.shape[-1] - size[1] - left
    return pad(pixels, (-left, -right, -top, -bottom))
