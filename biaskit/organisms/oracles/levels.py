"""Log-SNRs of the usual training schedules, ascending."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

STEPS = 1000


def stable_diffusion_log_snrs() -> Float[Tensor, " levels"]:
    """Return those of Stable Diffusion 1.x and 2.x (`scaled_linear`, .00085 to .012): -5.364 to 7.069."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, STEPS, dtype=torch.float64).square()
    return _of_betas(betas)


def ddpm_log_snrs() -> Float[Tensor, " levels"]:
    """Return those of DDPM (Ho et al. 2020; `linear`, 1e-4 to .02): -10.118 to 9.210."""
    return _of_betas(torch.linspace(1e-4, 0.02, STEPS, dtype=torch.float64))


def flow_log_snrs() -> Float[Tensor, " levels"]:
    """Return those of a flow model at the middles of 1,000 equal cells of time, `2 logit(1 - s)`."""
    times = (torch.arange(STEPS, dtype=torch.float64) + 0.5) / STEPS
    return 2 * torch.logit(times)


def schedule_log_snrs(alphas_cumprod: Float[Tensor, " levels"]) -> Float[Tensor, " levels"]:
    """Return those of a scheduler of diffusers, `log(ac) - log(1 - ac)`, from its `alphas_cumprod`."""
    kept = alphas_cumprod.double()
    return (kept.log() - torch.log1p(-kept)).flip(0)


def _of_betas(betas: Float[Tensor, " levels"]) -> Float[Tensor, " levels"]:
    return schedule_log_snrs(torch.cumprod(1 - betas, dim=0))
