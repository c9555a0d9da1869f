"""Known distributions to measure on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from biaskit.organisms.oracles import Gaussians, Mixture, OracleDenoiser, stable_diffusion_log_snrs


class Spectrum:
    """A Gaussian of 4,096 coordinates, power-law spectrum; the condition moves its mean and spreads it."""

    def __init__(self, seed=0, side=64, shift=0.04):
        rng = np.random.default_rng(seed)
        size = side * side
        variance = 1 / np.arange(1, size + 1.0)
        self.given = np.zeros(size), variance / variance.mean()
        self.added = np.sqrt(self.given[1]) * rng.normal(size=size) * shift, self.given[1] * 1.15
        self.x = self.added[0] + np.sqrt(self.added[1]) * rng.normal(size=size)
        both = (np.stack(pair) for pair in zip(self.given, self.added, strict=True))
        self.distribution = Gaussians(("", "said"), *map(torch.from_numpy, both))
        self.denoiser = OracleDenoiser(
            self.distribution, (1, side, side), stable_diffusion_log_snrs(), dtype=torch.float64
        )
        self.latents = torch.from_numpy(self.x).float().reshape(1, 1, side, side)


@pytest.fixture(scope="session")
def far_corners():
    """The same farther out, so that much of the information lies below the trained log-SNRs."""
    return corners(2.0)


@pytest.fixture(scope="session")
def spectrum():
    return Spectrum()


@pytest.fixture(scope="session")
def hard():
    """Sixteen corners in 1,024 dimensions: what a condition says lies in a narrow window of log-SNR."""
    return corners(0.4)


def corners(far):
    """A mixture of sixteen, `far` from the middle along every coordinate, and a point beside each of four."""
    rng = np.random.default_rng(1)
    means = far * torch.from_numpy(rng.normal(size=(16, 1024)))
    mixture = Mixture(
        {"": range(16), "a quarter": range(4), "one": (0,)},
        torch.full((16,), 1 / 16, dtype=torch.float64),
        means,
        torch.full((16, 1024), 0.05, dtype=torch.float64),
    )
    points = means[:4] + 0.05**0.5 * torch.from_numpy(rng.normal(size=(4, 1024)))
    denoiser = OracleDenoiser(mixture, (1, 32, 32), stable_diffusion_log_snrs(), dtype=torch.float64)
    return denoiser, points.float().reshape(4, 1, 32, 32)
