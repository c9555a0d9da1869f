"""Denoisers of known distributions, and what the exact answers about them are.

Whoever measures information with a denoiser can validate the estimator here: every density, information and
loss of a Gaussian, and every density of a mixture of Gaussians, is known in closed form.
"""

from __future__ import annotations

from biaskit.organisms.oracles.closed_forms import (
    binary_channel,
    gaussian_group_loss,
    gaussian_integrand,
    gaussian_log_density,
    gaussian_orthogonal,
    gaussian_pixels,
    gaussian_standard,
    gaussian_tails,
    linear_gaussian_pair,
)
from biaskit.organisms.oracles.distributions import CorrelatedGaussians, Gaussians, Mixture
from biaskit.organisms.oracles.levels import (
    ddpm_log_snrs,
    flow_log_snrs,
    schedule_log_snrs,
    stable_diffusion_log_snrs,
)
from biaskit.organisms.oracles.networks import OracleDenoiser, OracleNetwork, Prediction

__all__ = [
    "CorrelatedGaussians",
    "Gaussians",
    "Mixture",
    "OracleDenoiser",
    "OracleNetwork",
    "Prediction",
    "binary_channel",
    "ddpm_log_snrs",
    "flow_log_snrs",
    "gaussian_group_loss",
    "gaussian_integrand",
    "gaussian_log_density",
    "gaussian_orthogonal",
    "gaussian_pixels",
    "gaussian_standard",
    "gaussian_tails",
    "linear_gaussian_pair",
    "schedule_log_snrs",
    "stable_diffusion_log_snrs",
]
