"""LayerCAM: every cell with its own positive gradient, for early layers."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def layer_cam(
    activations: Float[Tensor, "n c h w"], gradients: Float[Tensor, "n c h w"]
) -> Float[Tensor, "n h w"]:
    """Weight each cell of each channel by its own positive gradient.

    L_ij = sum_k max(dS / dA_kij, 0) A_kij (Jiang et al. 2021, equation 4, before the ReLU).
    """
    return (gradients.clamp(min=0) * activations).sum(1)
