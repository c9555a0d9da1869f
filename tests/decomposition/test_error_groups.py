"""Groups found without labels on a known denoiser: the hidden ones, at the exact gap."""

import pytest
import torch

from biaskit.decomposition.error_groups import error_groups
from biaskit.decomposition.measure import Asked
from biaskit.decomposition.plan import Plan
from biaskit.errors import RequestError
from biaskit.organisms.oracles import Gaussians, OracleDenoiser, stable_diffusion_log_snrs

LEVELS = stable_diffusion_log_snrs()
SIDE = 4


@pytest.fixture(scope="module")
def known():
    zeros = torch.zeros(1, SIDE * SIDE, dtype=torch.float64)
    return OracleDenoiser(Gaussians(("",), zeros, zeros + 1), (1, SIDE, SIDE), LEVELS)


def images(mean, count, seed):
    rng = torch.Generator().manual_seed(seed)
    return mean + torch.randn(count, 1, SIDE, SIDE, generator=rng)


def test_images_that_the_model_does_not_expect_are_a_group(known):
    latents = torch.cat([images(0.0, 24, 0), images(3.0, 12, 1)])
    found = error_groups(known, latents, asked=Asked(plan=Plan(nodes=12, replicates=4)))
    assert found.members.tolist() == [0] * 24 + [1] * 12
    # Cross-entropies differ by d m^2 / 2 = 72 nats but for what lies outside the trained levels.
    assert found.gap == pytest.approx(SIDE**2 * 9 / 2, rel=0.12)
    assert found.null.p < 0.01


def test_images_alike_to_the_model_have_no_gap(known):
    """On one sphere around the mean every image has the same likelihood, and shared noise cancels."""
    raw = images(0.0, 30, 2).flatten(1)
    latents = (raw / raw.norm(dim=1, keepdim=True) * SIDE).reshape(-1, 1, SIDE, SIDE)
    found = error_groups(known, latents, asked=Asked(plan=Plan(nodes=12, replicates=4)))
    assert abs(found.gap) < 1e-4


def test_too_few_images_are_refused(known):
    with pytest.raises(RequestError, match="Give more images"):
        error_groups(known, images(0.0, 3, 3))
