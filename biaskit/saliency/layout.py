"""How an activation's axes map onto the image."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jaxtyping import Float
from torch import Tensor


class Axes(StrEnum):
    """Order of an activation's axes after the batch axis."""

    NCHW = "nchw"
    NHWC = "nhwc"
    TOKENS = "tokens"
    CHANNELS_FIRST_TOKENS = "channels-first-tokens"
    MULTI_SCALE = "multi-scale"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where height, width and channels stand in an activation.

    Attributes:
        axes: The order: `[n c h w]`, `[n h w c]`, `[n prefix+h*w c]`, `[n c prefix+h*w]` or `[n h*w s c]`.
        height: Cells of the grid from top to bottom.
        width: Cells of the grid from left to right.
        prefix: Tokens before the grid's, such as a class token and registers.
    """

    axes: Axes
    height: int
    width: int
    prefix: int = 0

    def to_nchw(self, activation: Tensor) -> Float[Tensor, "n c h w"]:
        """Return the activation (or its gradient) with its axes in the order n, c, h, w.

        The scales of a multi-scale activation are laid side by side as channels. Prefix tokens are left out.
        """
        raise NotImplementedError
