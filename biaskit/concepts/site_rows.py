"""Rows of an activation of a denoiser: the whole map as one code, or every place of it."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

Layout: TypeAlias = Literal["map", "place"]
"""`map`: all channels at all places are one row; `place`: the channels at each place are a row."""


def rows_of(activation: Float[Tensor, "b ..."], layout: Layout) -> Float[Tensor, "n d"]:
    """Lay an activation (images x channels x height x width, or images x tokens x width) out as rows."""
    if layout == "map":
        return activation.flatten(1)
    if activation.ndim == 4:
        return activation.movedim(1, -1).flatten(0, 2)
    return activation.flatten(0, 1)


def as_activation(
    rows: Float[Tensor, "n d"], layout: Layout, like: Float[Tensor, "b ..."]
) -> Float[Tensor, "b ..."]:
    """Put rows back into the shape of an activation; undoes `rows_of`."""
    if layout == "map":
        return rows.reshape(like.shape)
    if like.ndim == 4:
        return rows.reshape(len(like), *like.shape[2:], like.shape[1]).movedim(-1, 1)
    return rows.reshape(like.shape)


def per_image(values: Float[Tensor, "n k"], images: int) -> Float[Tensor, "images k"]:
    """Average the rows of each image; with one row an image, return them."""
    return torch.stack([part.mean(dim=0) for part in values.reshape(images, -1, values.shape[1])])
