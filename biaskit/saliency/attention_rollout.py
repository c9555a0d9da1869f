"""Attention rollout: how much of each input token reaches the output, were attention all there is."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.errors import LayoutError
from biaskit.saliency.layout import Layout


def attention_rollout(
    attentions: Sequence[Float[Tensor, "n a t t"]], layout: Layout
) -> Float[Tensor, "n h w"]:
    """Multiply the blocks' attention, heads averaged and half of it the residual stream.

    R = B_L ... B_1 with B_l = (mean over heads of attention_l + I) / 2 (Abnar and Zuidema 2020). The map is
    the class token's row of R at the grid's tokens, or the mean row where there is no prefix token. It
    knows no class and no values, so it says what may be mixed, not what counts.

    Args:
        attentions: Weights of every block, bottom first; axes image, head, to, from; rows sum to 1.
        layout: The grid, and how many tokens come before it.

    Raises:
        LayoutError: There is no block, or its tokens are not prefix + height x width, as in windows.
    """
    tokens = layout.prefix + layout.height * layout.width
    if not attentions or any(block.shape[-2:] != (tokens, tokens) for block in attentions):
        raise LayoutError(
            f"Attention rollout needs attention over all {tokens} tokens in every block.",
            why="Attention inside windows or over pooled tokens cannot be multiplied through.",
            fix="Use occlusion, or a map at one layer.",
        )
    identity = torch.eye(tokens)
    rolled = identity.expand(len(attentions[0]), -1, -1)
    for block in attentions:
        rolled = (block.float().mean(1) + identity) / 2 @ rolled
    row = rolled[:, 0] if layout.prefix else rolled.mean(1)
    return row[:, layout.prefix :].reshape(-1, layout.height, layout.width)
