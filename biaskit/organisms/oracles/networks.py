"""Known distributions as models: in the form that biaskit measures on, and in the one diffusers calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from biaskit.decomposition.denoiser import Conditioning
from biaskit.errors import RequestError, UnknownNameError
from biaskit.organisms.oracles.distributions import Distribution
from biaskit.organisms.oracles.levels import STEPS, flow_log_snrs

Prediction: TypeAlias = Literal["epsilon", "v_prediction", "sample", "flow"]


@dataclass(frozen=True, slots=True, eq=False)
class OracleDenoiser:
    """A known distribution as a `Denoiser`.

    Attributes:
        distribution: What is denoised.
        shape: Channels, height and width that its coordinates are laid out in.
        log_snrs: Levels it counts as trained at.
        batch_size: Rows of a batch.
        dtype: What predictions are rounded to; inside, everything is float64.
    """

    distribution: Distribution
    shape: tuple[int, int, int]
    log_snrs: Float[Tensor, " levels"]
    batch_size: int = 64
    dtype: torch.dtype = torch.float32

    def encode_prompts(self, prompts: Sequence[str]) -> Conditioning:
        """Look up conditions by their names.

        Raises:
            UnknownNameError: There is no such condition.
        """
        names = self.distribution.names
        for prompt in prompts:
            if prompt not in names:
                raise UnknownNameError("condition", prompt, names)
        which = torch.tensor([names.index(prompt) for prompt in prompts])
        return Conditioning(tuple(prompts), {"which": which})

    def predict_noise(
        self, noisy: Float[Tensor, "n c h w"], levels: Int[Tensor, " n"], conditioning: Conditioning
    ) -> Float[Tensor, "n c h w"]:
        """Return E[eps | z], rounded to `dtype`."""
        return self.forward(noisy.double(), levels, conditioning).to(self.dtype).float()

    def forward(
        self, noisy: Float[Tensor, "n c h w"], levels: Int[Tensor, " n"], conditioning: Conditioning
    ) -> Float[Tensor, "n c h w"]:
        """Return E[eps | z] in the dtype of `noisy`, differentiable."""
        flat, alphas = noisy.flatten(1).cpu().double(), self.log_snrs[levels.cpu()]
        found = self.distribution.noise(flat, alphas, conditioning.tensors["which"].cpu())
        return found.reshape(noisy.shape).to(noisy)


@dataclass(frozen=True, slots=True)
class Output:
    """What a network of diffusers returns.

    Attributes:
        sample: Its prediction.
    """

    sample: Tensor


class OracleNetwork(nn.Module):
    """A known distribution in the call signature of diffusers.

    `network(sample, timestep, encoder_hidden_states).sample` is the best epsilon, v = sqrt(sp) eps -
    sqrt(sm) x, x0 (`sample`) or flow (eps - x, for z = (1 - s) x + s eps at timestep 1000 s)
    prediction. Text is coded by the number of a condition: `encoder_hidden_states` holds it in its
    first place; without it the first condition holds.

    Args:
        distribution: What is denoised.
        prediction: What is predicted.
        log_snrs: Log-SNR of each timestep, ascending as in `Denoiser`; flow models need none.

    Raises:
        RequestError: A network that is no flow model is given no log-SNRs.
    """

    def __init__(
        self,
        distribution: Distribution,
        prediction: Prediction = "epsilon",
        log_snrs: Float[Tensor, " levels"] | None = None,
    ) -> None:
        super().__init__()
        if log_snrs is None and prediction != "flow":
            raise RequestError(
                f"A network that predicts {prediction} needs the log-SNR of each timestep.",
                fix="Give log_snrs, such as stable_diffusion_log_snrs().",
            )
        self.distribution, self.prediction = distribution, prediction
        self._alphas = flow_log_snrs() if log_snrs is None else log_snrs.double()

    def encode(self, names: Sequence[str]) -> Float[Tensor, "n 1 1"]:
        """Return conditions by name in the form of `encoder_hidden_states`."""
        which = [self.distribution.names.index(name) for name in names]
        return torch.tensor(which, dtype=torch.float32)[:, None, None]

    def forward(
        self,
        sample: Float[Tensor, "n c h w"],
        timestep: Tensor | float,
        encoder_hidden_states: Float[Tensor, "n t d"] | None = None,
        return_dict: bool = True,  # noqa: FBT001, FBT002  the signature of diffusers
        **further: object,
    ) -> Output | tuple[Tensor]:
        """Predict for each row at its timestep (0 is the cleanest); what else diffusers passes is ignored."""
        del further
        flat = sample.flatten(1).cpu().double()
        which = torch.zeros(len(flat), dtype=torch.long)
        if encoder_hidden_states is not None:
            which = encoder_hidden_states[:, 0, 0].long().cpu()
        times = torch.as_tensor(timestep, dtype=torch.float64).cpu().expand(len(flat))
        found = self._flow(flat, times, which) if self.prediction == "flow" else self._vp(flat, times, which)
        shaped = found.reshape(sample.shape).to(sample)
        return Output(shaped) if return_dict else (shaped,)

    def _vp(self, flat: Tensor, times: Tensor, which: Tensor) -> Tensor:
        alphas = self._alphas[len(self._alphas) - 1 - times.long()]
        signal, noise = alphas.sigmoid().sqrt()[:, None], (-alphas).sigmoid().sqrt()[:, None]
        eps = self.distribution.noise(flat, alphas, which)
        x0 = (flat - noise * eps) / signal
        return {"epsilon": eps, "sample": x0, "v_prediction": signal * eps - noise * x0}[self.prediction]

    def _flow(self, flat: Tensor, times: Tensor, which: Tensor) -> Tensor:
        s = (times / STEPS)[:, None]
        alphas = 2 * torch.logit(1 - times / STEPS)
        eps = self.distribution.noise(flat / ((1 - s).square() + s.square()).sqrt(), alphas, which)
        return eps - (flat - s * eps) / (1 - s)
