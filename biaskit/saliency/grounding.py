"""Images cut down to what a model looks at: an exact share of the pixels, never all of them.

The maps of Marani et al. 2024 (ViG-Bias, arXiv 2407.01996), masked in pixel space before any encoder's own
preprocessing. A quantile threshold keeps everything where a map has many equal cells; ranks do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import ceil

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from biaskit.errors import RequestError, UnknownNameError
from biaskit.saliency.fills import Fill, filling, put
from biaskit.saliency.maps import Maps


class Control(StrEnum):
    """A mask that does not follow the map, to compare grounding with; all keep as many pixels.

    `random` lays the map elsewhere (rolled around the borders), so blobs stay blobs; `pixels` keeps single
    pixels at random; `inverse` keeps the lowest pixels of the map.
    """

    RANDOM = "random"
    PIXELS = "pixels"
    INVERSE = "inverse"


@dataclass(frozen=True, slots=True)
class Masking:
    """How images are cut down.

    Attributes:
        keep: Share of the pixels that stay, in (0, 1); ceil(keep x pixels) stay.
        fill: What stands elsewhere, see `fills.filling`.
        control: A mask to compare with, in place of the map's own; None for the map's own.
    """

    keep: float = 0.3
    fill: str = Fill.MEAN
    control: str | None = None

    def __post_init__(self) -> None:
        """Refuse a share that is none, and names nobody knows."""
        if not 0 < self.keep < 1:
            raise RequestError(
                f"A mask cannot keep {self.keep:g} of an image.", fix="Give a share between 0 and 1."
            )
        if self.fill not in set(Fill):
            raise UnknownNameError("fill", self.fill, Fill)
        if self.control is not None and self.control not in set(Control):
            raise UnknownNameError("control mask", self.control, Control)


@dataclass(frozen=True, slots=True, eq=False)
class Grounded:
    """Images after masking.

    Attributes:
        pixels: The masked images; a degenerate one is as it was.
        mask: True where a pixel was kept.
        kept: Share of the pixels kept: exact, and 1 only for degenerate images.
        degenerate: Whether the map pointed nowhere, so that the image was left as it is.
    """

    pixels: Float[Tensor, "n c h w"]
    mask: Bool[Tensor, "n h w"]
    kept: Float[Tensor, " n"]
    degenerate: Bool[Tensor, " n"]


def ground(
    pixels: Float[Tensor, "n c h w"],
    maps: Maps,
    masking: Masking = Masking(),
    *,
    rng: torch.Generator,
) -> Grounded:
    """Keep the pixels that the map ranks highest and fill the others.

    Args:
        pixels: The images, in [0, 1].
        maps: One map an image, on any grid.
        masking: How much stays and what replaces the rest.
        rng: Source of the order among equal pixels, of control masks and of noise.

    Raises:
        RequestError: There are other maps than images, or so few pixels that all would be kept.
    """
    if len(pixels) != len(maps):
        raise RequestError(f"There are {len(pixels)} images and {len(maps)} maps.", fix="Give one map each.")
    size = pixels.shape[2], pixels.shape[3]
    mask = _mask(maps.at(size), masking, rng)
    degenerate = maps.dead
    mask = mask | degenerate[:, None, None]
    masked = put(pixels, filling(pixels, masking.fill, rng), mask)
    return Grounded(masked, mask, mask.flatten(1).float().mean(1), degenerate)


def kept_pixels(keep: float, pixels: int) -> int:
    """Return ceil(keep x pixels), with 0.1 x 30 being 3.

    Raises:
        RequestError: That is all of them.
    """
    # A product such as 0.1 x 3 lies a rounding error above the whole number it stands for.
    count = ceil(keep * pixels - 1e-9 * pixels)
    if count >= pixels:
        raise RequestError(f"Keeping {keep:g} of {pixels} pixels keeps them all.", fix="Keep less.")
    return max(count, 1)


def map_mask(maps: Float[Tensor, "n h w"], keep: float, rng: torch.Generator) -> Bool[Tensor, "n h w"]:
    """Keep exactly `kept_pixels` of each map, the highest first; equal pixels in random order."""
    shuffle = torch.rand(len(maps), maps[0].numel() if len(maps) else 0, generator=rng).argsort(1)
    order = maps.flatten(1).gather(1, shuffle).argsort(stable=True, dim=1, descending=True)
    return _first(shuffle.gather(1, order), keep).reshape(maps.shape)


def inverse_mask(maps: Float[Tensor, "n h w"], keep: float, rng: torch.Generator) -> Bool[Tensor, "n h w"]:
    """Keep as many pixels as `map_mask`, the lowest first."""
    return map_mask(-maps, keep, rng)


def random_mask(maps: Float[Tensor, "n h w"], keep: float, rng: torch.Generator) -> Bool[Tensor, "n h w"]:
    """Keep the same shape elsewhere: `map_mask`, rolled by a random number of rows and columns.

    It has the map mask's area and, up to a cut at the border, its connectedness. Any roll is as likely as
    any other, none included.
    """
    mask = map_mask(maps, keep, rng)
    n, height, width = maps.shape
    down = torch.randint(height, (n, 1, 1), generator=rng) + torch.arange(height)[:, None]
    across = torch.randint(width, (n, 1, 1), generator=rng) + torch.arange(width)
    return mask[torch.arange(n)[:, None, None], down % height, across % width]


def pixel_mask(maps: Float[Tensor, "n h w"], keep: float, rng: torch.Generator) -> Bool[Tensor, "n h w"]:
    """Keep as many single pixels as `map_mask`, wherever they lie."""
    return map_mask(torch.zeros_like(maps), keep, rng)


def _first(order: Int[Tensor, "n p"], keep: float) -> Bool[Tensor, "n p"]:
    kept = order[:, : kept_pixels(keep, order.shape[1])]
    return torch.zeros(order.shape, dtype=torch.bool).scatter_(1, kept, value=True)


def _mask(maps: Tensor, masking: Masking, rng: torch.Generator) -> Tensor:
    draw = {None: map_mask, Control.RANDOM: random_mask, Control.PIXELS: pixel_mask}
    control = None if masking.control is None else Control(masking.control)
    return draw.get(control, inverse_mask)(maps, masking.keep, rng)
