"""Refusing activations that are not numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from biaskit.errors import ActivationError


def require_finite(activation: Tensor, site: object) -> None:
    """Refuse an activation that holds NaN or infinity.

    Args:
        activation: One row an example.
        site: Where it was read, for the message.

    Raises:
        ActivationError: Says at which site and in how many rows.
    """
    # One pass without a mask for the common case; a sum may overflow though every value is finite.
    if torch.isfinite(activation.sum()):
        return
    bad = int((~torch.isfinite(activation).reshape(len(activation), -1).all(dim=1)).sum())
    if bad:
        raise ActivationError(
            f"Activations at {site} are NaN or infinite in {bad} of {len(activation)} rows.",
            why="Values run over in the model's number format, or the weights are damaged.",
            fix="Run the model with dtype float32 (or bfloat16 rather than float16), and check the weights.",
        )
