"""Grad-CAM++: several places of the same thing count alike."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def grad_cam_pp(
    activations: Float[Tensor, "n c h w"], gradients: Float[Tensor, "n c h w"]
) -> Float[Tensor, "n h w"]:
    """Weight each channel by its positive gradients, those of rare places more.

    With g = dS / dA: L_ij = sum_k w_k A_kij, w_k = sum over i, j of a_kij max(g_kij, 0), and
    a_kij = g_kij^2 / (2 g_kij^2 + g_kij^3 sum over i, j of A_kij) (Chattopadhay et al. 2018, equations 10 and
    19, for exp(S), whose value is left out: it scales a whole image). The closed form holds for networks
    that are linear piece by piece; where its denominator is 0 the cell gets no weight.
    """
    squares = gradients.square()
    below = 2 * squares + squares * gradients * activations.sum((2, 3), keepdim=True)
    shares = torch.where(below != 0, squares / torch.where(below != 0, below, 1.0), 0.0)
    weights = (shares * gradients.clamp(min=0)).sum((2, 3), keepdim=True)
    return (weights * activations).sum(1)
