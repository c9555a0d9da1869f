"""Features at one scale, and a head fitted there brought back to raw features."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


class Scaled:
    """Features at mean 0 and standard deviation 1; a constant one is only centred.

    Attributes:
        rows: The scaled features, in float64.
    """

    def __init__(self, features: Float[Tensor, "n d"]) -> None:
        """Measure mean and spread of each column."""
        raw = features.double()
        self._mean, spread = raw.mean(dim=0), raw.std(dim=0, correction=0)
        self._spread = torch.where(spread > 0, spread, 1.0)
        self.rows: Tensor = (raw - self._mean) / self._spread

    def unfold(
        self, weight: Float[Tensor, "k d"], bias: Float[Tensor, " k"]
    ) -> tuple[Float[Tensor, "k d"], Float[Tensor, " k"]]:
        """Return weight and bias that give the same logits from raw features, in float64."""
        raw = weight.double() / self._spread
        return raw, bias.double() - raw @ self._mean
