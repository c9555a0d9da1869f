"""Groups found without labels on a known denoiser: the hidden ones, at the exact gap."""

import pytest
import torch

from biaskit.decomposition.error_groups import Told, error_groups
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


def test_a_baseline_prompt_takes_off_how_hard_images_are_in_themselves():
    """Images far from both prompts' means are hard under either; what one prompt adds is found alone."""
    means = torch.zeros(2, SIDE * SIDE, dtype=torch.float64)
    means[1, 0] = 6.0
    known = OracleDenoiser(Gaussians(("", "a"), means, torch.ones_like(means)), (1, SIDE, SIDE), LEVELS)
    hard = torch.cat([images(0.0, 16, 5), images(0.0, 16, 6)])
    hard[::2, 0, 1:] += 3.0  # hard in itself, whatever the prompt
    hard[:16, 0, 0, 0] = 6.0  # what the prompt 'a' expects
    hard[16:, 0, 0, 0] = 0.0
    asked = Asked(plan=Plan(nodes=12, replicates=4))
    plain = error_groups(known, hard, told=Told("a"), asked=asked)
    beyond = error_groups(known, hard, told=Told("a", baseline=""), asked=asked)
    assert plain.members.tolist() == [1, 0] * 16
    assert beyond.members.tolist() == [0] * 16 + [1] * 16
    assert beyond.gap == pytest.approx(36, rel=0.1), "log-ratios of +18 and -18 nats"
    same = error_groups(known, hard, told=Told("a", baseline="a"), asked=asked)
    assert same.gap == 0.0


def test_too_few_images_are_refused(known):
    with pytest.raises(RequestError, match="Give more images"):
        error_groups(known, images(0.0, 3, 3))
