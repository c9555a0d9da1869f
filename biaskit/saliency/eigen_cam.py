"""Eigen-CAM: what the activations themselves agree on, whatever the class."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def eigen_cam(activations: Float[Tensor, "n c h w"]) -> Float[Tensor, "n h w"]:
    """Project every cell on the first right singular vector of the cells x channels matrix.

    L = A v_1 with A = U S V^T, not centred (Muhammad and Yeasin 2020). A singular vector has no sign of its
    own; the one whose map sums to at least 0 is taken. It knows no class: the map is the same for all.
    """
    cells = activations.flatten(2).transpose(1, 2)
    wide = cells.shape[1] < cells.shape[2]
    gram = cells @ cells.mT if wide else cells.mT @ cells
    values, vectors = torch.linalg.eigh(gram)
    first = vectors[..., -1:]
    projected = first * values[:, -1:, None].clamp(min=0).sqrt() if wide else cells @ first
    sign = torch.where(projected.sum(1, keepdim=True) < 0, -1.0, 1.0)
    signed: Tensor = sign * projected
    return signed.reshape(len(activations), *activations.shape[2:])
