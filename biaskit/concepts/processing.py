"""What must be done to raw activations before a sparse autoencoder may read them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Processing:
    """A change of raw activations into what the autoencoder was trained on.

    Attributes:
        centre: Subtract each row's mean over its d coordinates. TransformerLens's
            `center_writing_weights` makes every writing weight of a LayerNorm model mean-free, so its
            residual stream is x - mean_d(x) exactly; LayerNorm removes that mean in any case, so the
            model computes the same. Folding LayerNorm weights or value biases leaves the stream alone.
        scale: Factor after centring, sqrt(d) / E||x||, for `expected_average_only_in` normalisation
            that is not folded into the weights; None where there is nothing to scale.
    """

    centre: bool = False
    scale: float | None = None

    def __call__(self, activations: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Return the processed rows in float32."""
        rows = activations.float()
        if self.centre:
            rows = rows - rows.mean(dim=1, keepdim=True)
        return rows if self.scale is None else rows * self.scale


def expected_norm_scale(activations: Float[Tensor, "n d"]) -> float:
    """Factor that brings the rows' mean length to sqrt(d) (Conerly et al. 2024, April update)."""
    length = torch.linalg.vector_norm(activations.double(), dim=1).mean()
    return math.sqrt(activations.shape[1]) / float(length)
