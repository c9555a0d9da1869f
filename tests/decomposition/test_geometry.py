"""The Jacobian of a denoiser against exact posteriors: Tweedie, symmetry, dimension, modes."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from biaskit import models
from biaskit.decomposition.geometry import Geometry, Look, _Jacobian, geometry
from biaskit.errors import RequestError
from biaskit.organisms import portraits
from biaskit.organisms.oracles import Gaussians, Mixture, OracleDenoiser, stable_diffusion_log_snrs

LEVELS = stable_diffusion_log_snrs()
ALPHA = float(LEVELS[520])


def oracle(distribution, d):
    return OracleDenoiser(distribution, (1, 1, d), LEVELS, batch_size=16)


def gaussian(variances):
    table = torch.tensor(variances, dtype=torch.float64)[None]
    return oracle(Gaussians(("",), torch.zeros_like(table), table), table.shape[1])


def mixture(d=6):
    rng = np.random.default_rng(0)
    means = torch.from_numpy(rng.normal(size=(3, d)))
    variances = torch.from_numpy(rng.uniform(0.1, 0.6, size=(3, d)))
    return Mixture({"": [0, 1, 2]}, torch.full((3,), 1 / 3, dtype=torch.float64), means, variances)


def posterior(known, y, variance):
    """Mean and covariance of x given y = x + s eps, component by component."""
    spread = known.variances + variance
    logs = -0.5 * ((y - known.means).square() / spread + spread.log()).sum(dim=1)
    weights = logs.softmax(dim=0)
    means = known.means + known.variances / spread * (y - known.means)
    centre = weights @ means
    own = torch.diag(weights @ (known.variances * variance / spread))
    between = torch.einsum("k,ki,kj->ij", weights, means - centre, means - centre)
    return centre, own + between


def test_a_mixtures_jacobian_is_its_posterior_covariance_over_the_noise():
    known, x = mixture(), torch.from_numpy(np.random.default_rng(1).normal(size=6))
    found = geometry(oracle(known, 6), x.reshape(1, 1, 6), ALPHA, look=Look(modes=6, probes=400))
    variance = math.exp(-found.log_snr)
    eps = torch.randn(1, 1, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64).flatten()
    _, covariance = posterior(known, x + variance**0.5 * eps, variance)
    exact = torch.linalg.eigvalsh(covariance / variance).flip(0)
    assert torch.allclose(found.eigenvalues, exact, atol=1e-9)
    assert torch.allclose(found.singular_values, exact, atol=1e-9)
    assert found.asymmetry < 1e-9
    assert float(exact.sum()) in found.interval
    along = torch.einsum("kd,de,ke->k", found.modes.flatten(1), covariance / variance, found.modes.flatten(1))
    assert torch.allclose(along, exact, atol=1e-9)


def test_a_gaussian_keeps_directions_by_their_signal_to_noise():
    variances = np.array([9.0, 4.0, 1.0, 0.3, 0.1, 0.05, 0.01, 0.01])
    found = geometry(gaussian(variances), torch.zeros(1, 1, 8, dtype=torch.float64), 0.0, look=Look(modes=3))
    noise = math.exp(-found.log_snr)
    kept = variances / (variances + noise)
    assert found.singular_values.tolist() == pytest.approx(kept[:3].tolist(), abs=1e-8)
    assert found.effective_dimension == pytest.approx(kept.sum(), abs=1e-9), "signs are exact on a diagonal"
    assert found.expected_error == pytest.approx(noise * kept.sum())
    assert found.modes.flatten(1).abs().argmax(dim=1).tolist() == [0, 1, 2]
    assert found.inhomogeneity == pytest.approx(0.0, abs=1e-9), "linear, and so without bias"


def test_the_expected_error_is_the_error_on_average():
    """MMSE = s^2 E tr J."""
    variances = [2.0, 0.5, 0.1]
    denoiser, rng = gaussian(variances), torch.Generator().manual_seed(4)
    x = torch.randn(4000, 3, generator=rng, dtype=torch.float64) * torch.tensor(variances).sqrt().double()
    expected = geometry(denoiser, x[0].reshape(1, 1, 3), 0.0, look=Look(modes=2)).expected_error
    noise = (
        expected / sum(v / (v + 1) for v in variances)
        if False
        else math.exp(-float(LEVELS[(LEVELS - 0.0).abs().argmin()]))
    )
    y = x + noise**0.5 * torch.randn(x.shape, generator=rng, dtype=torch.float64)
    shrunk = y * torch.tensor([v / (v + noise) for v in variances]).double()
    errors = (x - shrunk).square().sum(dim=1)
    assert abs(float(errors.mean()) - expected) < 4 * float(errors.std()) / 4000**0.5


@dataclass(frozen=True, eq=False)
class Twisted:
    """Noise predictions that rotate: no posterior mean does."""

    plain: OracleDenoiser

    def __getattr__(self, name):
        return getattr(self.plain, name)

    def forward(self, noisy, levels, conditioning):
        return self.plain.forward(noisy, levels, conditioning) + 0.3 * noisy.roll(1, dims=3)


def test_a_network_that_is_no_posterior_mean_shows_it():
    zeros = torch.zeros(1, 1, 6, dtype=torch.float64)
    found = geometry(Twisted(gaussian([1.0] * 6)), zeros, 0.0, look=Look(modes=2))
    assert found.asymmetry > 0.2
    shifted = geometry(
        oracle(mixture(), 6), torch.ones(1, 1, 6, dtype=torch.float64), 0.0, look=Look(modes=2)
    )
    assert shifted.inhomogeneity > 0.01, "a mixture away from 0 is not homogeneous"


def test_a_pipeline_is_differentiated_both_ways(tmp_path):
    portraits.untrained(tmp_path / "p", 0)
    model = models.load(str(tmp_path / "p"))
    latent = torch.randn(model.shape, generator=torch.Generator().manual_seed(0))
    found = geometry(model, latent, 0.0, "a photo of the nurse", Look(modes=2, probes=4, rounds=2))
    assert isinstance(found, Geometry)
    assert found.modes.shape == (2, *model.shape)
    assert found.singular_values[0] >= found.singular_values[1] > 0
    again = geometry(model, latent, 0.0, "a photo of the nurse", Look(modes=2, probes=4, rounds=2))
    assert again.effective_dimension == found.effective_dimension
    # Forward and reverse products agree: w . J v = v . J^T w.
    jacobian = _Jacobian.at(model, latent, 0.0, "", 0)
    v, w = torch.randn(2, latent.numel(), generator=torch.Generator().manual_seed(1))
    one = float(jacobian.forward(v[None])[0] @ w)
    assert one == pytest.approx(float(jacobian.reverse(w[None])[0] @ v), rel=1e-3, abs=1e-3)


def test_what_cannot_be_looked_at_is_refused():
    with pytest.raises(RequestError, match="cannot be differentiated"):
        geometry(object(), torch.zeros(1, 1, 2), 0.0)
    with pytest.raises(RequestError, match="modes of 8 pixels"):
        geometry(gaussian([1.0] * 8), torch.zeros(1, 1, 8), 0.0, look=Look(modes=9))
    with pytest.raises(RequestError, match="needs 1 mode"):
        Look(modes=0)
