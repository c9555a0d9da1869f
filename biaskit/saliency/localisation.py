"""Does a map lie where it should, when the right place is known?

Every measure is the overlap of what the map claims with the region. Chance is the same claim laid at every
other place of the image (rolled around its borders), so it keeps the map's size, shape and smoothness.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from torch import Tensor
from torch.nn import functional

from biaskit.errors import RequestError
from biaskit.records.estimate import Unit
from biaskit.saliency.maps import Maps
from biaskit.saliency.per_image import PerImage

DRAWS = 999


def pointing_game(
    maps: Maps, regions: Bool[Tensor, "n h w"], rng: np.random.Generator, tolerance: int = 0
) -> PerImage:
    """Share of images whose map peaks inside the region grown by `tolerance` pixels on every side.

    A dead map misses (Zhang et al. 2018). A fair tolerance is one cell of the map's grid; chance is the share
    of the image that the grown region covers.
    """
    grown = functional.max_pool2d(regions[:, None].float(), 2 * tolerance + 1, stride=1, padding=tolerance)[
        :, 0
    ]
    claims = _top(_at_pixels(maps, regions), torch.ones(len(maps), dtype=torch.long))
    overlaps = _overlaps(_silenced(claims, maps), grown)
    method = f"pointing game, tolerance {tolerance} pixels"
    return _measured(overlaps, rng, Unit.PROPORTION, method, hits=True)


def relevance_mass(maps: Maps, regions: Bool[Tensor, "n h w"], rng: np.random.Generator) -> PerImage:
    """Share of the map's positive mass inside the region, over the share of the image it covers.

    lift = (sum over R of L+ / sum of L+) / (|R| / |image|); 1 is chance, and regions of all sizes compare
    (Arras et al. 2022 for the mass). A dead map has lift 0.
    """
    positive = _at_pixels(maps, regions).clamp(min=0)
    total = positive.sum((1, 2), keepdim=True)
    claims = positive / torch.where(total > 0, total, 1.0)
    lift = _overlaps(_silenced(claims, maps), regions.float()) / _share(regions)[:, None, None]
    return _measured(lift, rng, Unit.ONE, "relevance mass, lift over the region's share")


def relevance_rank(maps: Maps, regions: Bool[Tensor, "n h w"], rng: np.random.Generator) -> PerImage:
    """Share of the |R| highest pixels that lie in the region (Arras et al. 2022); a dead map has 0."""
    sizes = regions.flatten(1).sum(1)
    claims = _top(_at_pixels(maps, regions), sizes) / sizes[:, None, None]
    overlaps = _overlaps(_silenced(claims, maps), regions.float())
    return _measured(overlaps, rng, Unit.PROPORTION, "relevance rank")


def intersection_over_union(maps: Maps, regions: Bool[Tensor, "n h w"], rng: np.random.Generator) -> PerImage:
    """Intersection over union of the region and the map's |R| highest pixels; a dead map has 0."""
    share = relevance_rank(maps, regions, rng)
    placed = None if share.placed is None else share.placed / (2 - share.placed)
    chance = 0.0 if placed is None else float(placed.mean())
    return PerImage(share.values / (2 - share.values), Unit.ONE, "IoU at the region's size", chance, placed)


def _at_pixels(maps: Maps, regions: Tensor) -> Tensor:
    if len(maps) != len(regions):
        raise RequestError(f"There are {len(maps)} maps and {len(regions)} regions.", fix="Give one a map.")
    covered = regions.flatten(1)
    if bool((covered.all(1) | ~covered.any(1)).any()):
        raise RequestError(
            "A region covers nothing, or the whole image.", fix="Leave out images without a region."
        )
    return maps.at((regions.shape[1], regions.shape[2]))


def _share(regions: Tensor) -> Tensor:
    return regions.flatten(1).float().mean(1)


def _silenced(claims: Tensor, maps: Maps) -> Tensor:
    return claims * ~maps.dead[:, None, None]


def _top(maps: Tensor, sizes: Tensor) -> Tensor:
    """One at the highest pixels of each map, ties to the first."""
    order = maps.flatten(1).argsort(stable=True, dim=1, descending=True)
    ranks = torch.empty_like(order).scatter_(1, order, torch.arange(order.shape[1]).expand_as(order))
    return (ranks < sizes[:, None]).float().reshape(maps.shape)


def _overlaps(claims: Tensor, regions: Tensor) -> Float[Tensor, "n h w"]:
    """Overlap with the claim rolled by every number of rows and columns; first the claim in its place."""
    spectrum = torch.fft.rfft2(claims.double()).conj() * torch.fft.rfft2(regions.double())
    rolled: Tensor = torch.fft.irfft2(spectrum, s=claims.shape[1:])
    return rolled


def _measured(
    overlaps: Tensor, rng: np.random.Generator, unit: Unit, method: str, *, hits: bool = False
) -> PerImage:
    cells = overlaps.flatten(1).numpy()
    cells = np.round(cells) if hits else cells
    places = rng.integers(cells.shape[1], size=(len(cells), DRAWS))
    placed: Float[ndarray, "n draws"] = np.take_along_axis(cells, places, axis=1)
    return PerImage(cells[:, 0], unit, method, float(cells.mean()), placed, hits)
