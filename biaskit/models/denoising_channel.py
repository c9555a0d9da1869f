"""From what a network predicts at its timesteps to noise predictions at exact log-SNRs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from biaskit.errors import ModelLoadError

FLOW_CELLS = 1000
PREDICTIONS = ("epsilon", "v_prediction", "sample")
_FLOW = "flow"


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """The levels of a model, noisiest first, and what its predictions mean there.

    Attributes:
        log_snrs: Log-SNR of each level, float64.
        timesteps: What the network is told at each level.
        prediction: `epsilon`, `v_prediction`, `sample` (x0) or `flow` (eps - x).
    """

    log_snrs: Float[Tensor, " levels"]
    timesteps: Float[Tensor, " levels"]
    prediction: str

    def to_network(
        self, noisy: Float[Tensor, "n c h w"], levels: Int[Tensor, " n"]
    ) -> Float[Tensor, "n c h w"]:
        """Return the noisy image as the network takes it; a flow's is `(1 - s) x + s eps`."""
        return noisy * self._flow_scale(levels, noisy) if self.prediction == _FLOW else noisy

    def to_noise(
        self, raw: Float[Tensor, "n c h w"], noisy: Float[Tensor, "n c h w"], levels: Int[Tensor, " n"]
    ) -> Float[Tensor, "n c h w"]:
        """Turn predictions into predictions of eps.

        v: `sqrt(sp) v + sqrt(sm) z`; x0: `(z - sqrt(sp) x0) / sqrt(sm)`; flow: `z' + (1 - s) v` with z'
        as the network took it.
        """
        alphas = self.log_snrs[levels].to(noisy.device)[:, None, None, None]
        signal, noise = (part.sigmoid().sqrt().to(noisy.dtype) for part in (alphas, -alphas))
        if self.prediction == "epsilon":
            return raw
        if self.prediction == "v_prediction":
            return signal * raw + noise * noisy
        if self.prediction == "sample":
            return (noisy - signal * raw) / noise
        clean = signal / (signal + noise)
        return self.to_network(noisy, levels) + clean * raw

    def _flow_scale(self, levels: Int[Tensor, " n"], like: Tensor) -> Float[Tensor, "n 1 1 1"]:
        alphas = self.log_snrs[levels].to(like.device)[:, None, None, None]
        signal, noise = alphas.sigmoid().sqrt(), (-alphas).sigmoid().sqrt()
        return (1 / (signal + noise)).to(like.dtype)


def channel_of(scheduler: Any) -> Channel:
    """Read the levels and the kind of prediction off a scheduler of diffusers.

    Flow matching trains at any time: the middles of 1,000 equal cells of it stand for them.

    Raises:
        ModelLoadError: The scheduler says neither of a noise schedule that is known here.
    """
    name = type(scheduler).__name__
    if "FlowMatch" in name:
        times = 1 - (torch.arange(FLOW_CELLS, dtype=torch.float64) + 0.5) / FLOW_CELLS
        scale = float(scheduler.config.num_train_timesteps)
        return Channel(2 * torch.logit(1 - times), times * scale, _FLOW)
    kept = getattr(scheduler, "alphas_cumprod", None)
    if not isinstance(kept, Tensor):
        raise ModelLoadError(
            f"The noise levels of a {name} are not known.",
            why="It has no alphas_cumprod and is no flow matching.",
            fix="Models with a scheduler of the DDPM family or of flow matching can be audited.",
        )
    prediction = scheduler.config.get("prediction_type", "epsilon")
    if prediction not in PREDICTIONS:
        raise ModelLoadError(
            f"The scheduler's prediction_type is '{prediction}'.",
            why=f"Known are {', '.join(PREDICTIONS)} and flow matching.",
            fix="Correct scheduler_config.json if it is wrong there.",
        )
    exact = kept.double()
    log_snrs = (exact.log() - torch.log1p(-exact)).flip(0)
    steps = torch.arange(len(exact), dtype=torch.float64).flip(0)
    trained = torch.isfinite(log_snrs)
    return Channel(log_snrs[trained], steps[trained], prediction)
