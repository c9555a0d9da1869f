"""Reading some latents of an autoencoder without computing all of them, where its activation allows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from biaskit.errors import RequestError

if TYPE_CHECKING:
    from biaskit.concepts.sparse_autoencoder import SparseAutoencoder


@dataclass(frozen=True, slots=True, eq=False)
class FeatureReader:
    """An encoder cut down to what some latents need.

    `z_f = relu(p_f)` where `p_f = x . e_f + b_f` is above the latent's threshold, else 0. A latent of a TopK
    autoencoder fires where `p_f` is among the k largest, which needs every latent's encoder.

    Attributes:
        encoder: One column a latent that is computed.
        bias: Its bias.
        threshold: What it must exceed.
        chosen: Which of the computed latents are read.
        most: k of a TopK autoencoder; 0 for one with thresholds.
    """

    encoder: Float[Tensor, "d m"]
    bias: Float[Tensor, " m"]
    threshold: Float[Tensor, " m"]
    chosen: Int[Tensor, " f"]
    most: int = 0

    @classmethod
    def of(cls, sae: SparseAutoencoder, features: Sequence[int]) -> FeatureReader:
        """Cut an autoencoder down to `features`.

        Raises:
            RequestError: It has no such latent, or normalises or centres its rows.
        """
        if not features or not 0 <= min(features) <= max(features) < sae.d_sae:
            raise RequestError(f"The autoencoder has latents 0 to {sae.d_sae - 1}; others were asked for.")
        if sae.processing.centre or sae.normalisation in {"layer_norm", "constant_norm_rescale"}:
            raise RequestError(
                f"Latents of {sae.name} cannot be edited: it rescales or centres each row.",
                fix="Train an autoencoder that reads rows as they are.",
            )
        encoder, bias = _encoder(sae)
        most = int(getattr(sae.module.cfg, "k", 0))
        kept = torch.arange(sae.d_sae) if most else torch.tensor(features)
        chosen = torch.tensor(features) if most else torch.arange(len(features))
        threshold = getattr(sae.module, "threshold", None)
        lowest = torch.zeros(sae.d_sae) if threshold is None else threshold.detach().float().cpu()
        return cls(encoder[:, kept].contiguous(), bias[kept], lowest[kept], chosen, most)

    def __call__(self, rows: Float[Tensor, "n d"]) -> Float[Tensor, "n f"]:
        """Return the chosen latents of raw rows."""
        before = rows @ self.encoder + self.bias
        read: Tensor = before[:, self.chosen]
        if self.most:
            lowest = before.topk(self.most, dim=1).values[:, -1:]
            return torch.where(read >= lowest, read.relu(), 0.0)
        return torch.where(read > self.threshold[self.chosen], read.relu(), 0.0)


def _encoder(sae: SparseAutoencoder) -> tuple[Float[Tensor, "d s"], Float[Tensor, " s"]]:
    """Weight and bias that turn raw rows into pre-activations."""
    module = sae.module
    weight, bias = module.W_enc.detach().float().cpu(), module.b_enc.detach().float().cpu()
    if module.cfg.apply_b_dec_to_input:
        bias = bias - module.b_dec.detach().float().cpu() @ weight
    if getattr(module.cfg, "rescale_acts_by_decoder_norm", False):
        lengths = torch.linalg.vector_norm(module.W_dec.detach().float().cpu(), dim=1)
        weight, bias = weight * lengths, bias * lengths
    return (weight if sae.processing.scale is None else weight * sae.processing.scale), bias
