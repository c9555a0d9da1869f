"""Gradient-weighted class activation maps: Grad-CAM and its elementwise form, HiResCAM."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def grad_cam(
    activations: Float[Tensor, "n c h w"], gradients: Float[Tensor, "n c h w"]
) -> Float[Tensor, "n h w"]:
    """Weight each channel by its mean gradient.

    L_ij = sum_k a_k A_kij with a_k = mean over i, j of dS / dA_kij (Selvaraju et al. 2017, equations 1
    and 2, before the ReLU; their map is the positive part). Negative cells speak against the score.

    Args:
        activations: A, with axes image, channel, row, column.
        gradients: dS / dA, likewise.

    Returns:
        The signed map, in units of the score.
    """
    return (gradients.mean((2, 3), keepdim=True) * activations).sum(1)


def hires_cam(
    activations: Float[Tensor, "n c h w"], gradients: Float[Tensor, "n c h w"]
) -> Float[Tensor, "n h w"]:
    """Weight each cell of each channel by its own gradient.

    L_ij = sum_k dS / dA_kij A_kij (Draelos and Carin 2020): faithful by construction where one linear layer
    follows. With mean pooling and a linear head it is Grad-CAM, cell by cell.
    """
    return (gradients * activations).sum(1)
