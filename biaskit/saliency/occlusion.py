"""Occlusion: what the score loses when a cell of the image is taken away."""

from __future__ import annotations

import torch
from captum.attr import FeatureAblation
from jaxtyping import Float, Int
from torch import Tensor

from biaskit.saliency.classifier import Classifier, Score
from biaskit.saliency.fills import Fill, filling
from biaskit.saliency.pixel_scores import AT_ONCE, plain_score, row_numbers

GRID = (8, 8)


def occlusion(
    classifier: Classifier,
    pixels: Float[Tensor, "n c h w"],
    score: Score,
    grid: tuple[int, int] = GRID,
    behind: Float[Tensor, "n c h w"] | None = None,
) -> Float[Tensor, "n gh gw"]:
    """Replace one cell after the other and measure the drop.

    L_ij = S(x) - S(x with cell i, j replaced) (Zeiler and Fergus 2014, without overlap). It needs no
    gradient and no layer, so it works for every backbone; it costs gh x gw + 1 forward passes.

    Args:
        classifier: The model.
        pixels: The images.
        score: What is explained.
        grid: Rows and columns of cells; no more than the image has pixels.
        behind: What stands in a cell that is taken away; None for the mean colour of the images.

    Returns:
        The signed map, in units of the score.
    """
    cells, corners = _cells(pixels.shape[2], pixels.shape[3], grid)
    behind = filling(pixels, Fill.MEAN) if behind is None else behind
    lost: Tensor = FeatureAblation(plain_score(classifier, score)).attribute(
        pixels,
        baselines=behind,
        additional_forward_args=row_numbers(pixels),
        feature_mask=cells,
        perturbations_per_eval=max(1, AT_ONCE // max(len(pixels), 1)),
    )
    return lost[:, 0].flatten(1)[:, corners].reshape(len(pixels), *grid)


def cell_numbers(height: int, width: int, grid: tuple[int, int]) -> Int[Tensor, "h w"]:
    """Return the cell that each pixel lies in, row by row; cells differ by a pixel where they must."""
    down = torch.arange(height) * grid[0] // height
    across = torch.arange(width) * grid[1] // width
    return down[:, None] * grid[1] + across


def _cells(height: int, width: int, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    cells = cell_numbers(height, width, grid)
    first = torch.full((grid[0] * grid[1],), height * width)
    first = first.scatter_reduce(0, cells.flatten(), torch.arange(height * width), "amin")
    return cells[None, None], first
