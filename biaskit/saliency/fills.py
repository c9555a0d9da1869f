"""What stands where a part of an image is taken away."""

from __future__ import annotations

from enum import StrEnum

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from biaskit.errors import RequestError, UnknownNameError

BLUR_SHARE = 1 / 8


class Fill(StrEnum):
    """What replaces a pixel."""

    MEAN = "mean"
    BLUR = "blur"
    ZERO = "zero"
    NOISE = "noise"


def filling(
    pixels: Float[Tensor, "n c h w"], fill: str | Fill, rng: torch.Generator | None = None
) -> Float[Tensor, "n c h w"]:
    """Return the images that lie behind the given ones.

    `mean` is one colour, the mean over all images given, so it tells nothing about any one of them. `blur`
    is the image itself under a Gaussian of 1/8 of its shorter side: no edge is added, and its coarse colours
    stay. `zero` is black, which a model may take for a cue. `noise` draws each value from a normal with the
    set's mean and spread by channel, cut to [0, 1].

    Raises:
        UnknownNameError: There is no such fill.
        RequestError: `noise` without a generator.
    """
    if fill not in set(Fill):
        raise UnknownNameError("fill", fill, Fill)
    if fill == Fill.ZERO:
        return torch.zeros_like(pixels)
    if fill == Fill.BLUR:
        return _blurred(pixels)
    colour = pixels.mean((0, 2, 3), keepdim=True).expand_as(pixels)
    return colour if fill == Fill.MEAN else _noisy(pixels, colour, rng)


def put(
    pixels: Float[Tensor, "n c h w"], behind: Float[Tensor, "n c h w"], keep: Bool[Tensor, "n h w"]
) -> Float[Tensor, "n c h w"]:
    """Return the images where `keep` is true and what is behind them elsewhere."""
    return torch.where(keep[:, None], pixels, behind)


def _noisy(pixels: Tensor, colour: Tensor, rng: torch.Generator | None) -> Tensor:
    if rng is None:
        raise RequestError("Filling with noise needs a generator.", fix="Give a torch.Generator.")
    spread = pixels.std((0, 2, 3), keepdim=True, correction=0)
    return (colour + spread * torch.randn(pixels.shape, generator=rng)).clamp(0, 1)


def _blurred(pixels: Tensor) -> Tensor:
    sigma = min(pixels.shape[-2:]) * BLUR_SHARE
    radius = max(1, min(int(2 * sigma), min(pixels.shape[-2:]) - 1))
    offsets = torch.arange(-radius, radius + 1, dtype=pixels.dtype)
    kernel = torch.softmax(-offsets.square() / (2 * max(sigma, 0.5) ** 2), 0)
    flat = functional.pad(pixels.flatten(0, 1)[:, None], [radius] * 4, mode="replicate")
    across = functional.conv2d(flat, kernel[None, None, None])
    return functional.conv2d(across, kernel[None, None, :, None]).reshape(pixels.shape)
