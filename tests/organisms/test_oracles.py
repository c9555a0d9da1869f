"""Oracles: the published digits, and the same predictions whatever a network predicts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from biaskit import testing
from biaskit.errors import UnknownNameError
from biaskit.organisms.oracles import (
    Gaussians,
    Mixture,
    OracleDenoiser,
    OracleNetwork,
    ddpm_log_snrs,
    flow_log_snrs,
    gaussian_group_loss,
    gaussian_integrand,
    gaussian_log_density,
    gaussian_orthogonal,
    gaussian_pixels,
    gaussian_standard,
    gaussian_tails,
    linear_gaussian_pair,
    stable_diffusion_log_snrs,
)

X, GIVEN, ADDED = 0.7, (0.1, 1.3), (-0.4, 0.35)
FOUR = Mixture(
    {"": (0, 1, 2, 3), "low": (0, 1), "odd": (1, 3), "third": (2,)},
    torch.full((4,), 0.25, dtype=torch.float64),
    torch.tensor([[-2.0], [-0.5], [0.6], [1.9]], dtype=torch.float64),
    torch.tensor([[0.2], [0.3], [0.25], [0.15]], dtype=torch.float64),
)


def float64(*values):
    return torch.tensor(values, dtype=torch.float64)


def integral(low=-40.0, high=40.0):
    return quad(lambda alpha: float(gaussian_integrand(alpha, X, GIVEN, ADDED)), low, high, limit=400)[0] / 2


def test_the_published_test_vector():
    assert float(gaussian_standard(X, GIVEN, ADDED)) == pytest.approx(-0.9340166956, abs=5e-11)
    assert float(gaussian_orthogonal(X, GIVEN, ADDED)) == pytest.approx(1.0949390241, abs=5e-11)
    assert -float(gaussian_log_density(X, *GIVEN)) == pytest.approx(1.1885822039, abs=5e-11)


def test_both_informations_average_to_the_divergence():
    places, weights = np.polynomial.hermite_e.hermegauss(60)
    x = ADDED[0] + np.sqrt(ADDED[1]) * places
    for information in (gaussian_standard, gaussian_orthogonal):
        mean = weights @ information(x, GIVEN, ADDED) / weights.sum()
        assert mean == pytest.approx(0.3868624253, abs=5e-11)


def test_the_integrand_integrates_to_the_closed_form():
    assert integral() == pytest.approx(1.0949390241, abs=1e-8)
    equal = float(gaussian_orthogonal(np.array(3.0), (0.0, 2.0), (1.0, 2.0)))
    assert equal == pytest.approx(1 / 4), "with equal variances it does not depend on x"


def test_what_the_trained_range_misses():
    ends = stable_diffusion_log_snrs()[[0, -1]].tolist()
    assert ends == pytest.approx([-5.364, 7.069], abs=5e-4)
    assert ddpm_log_snrs()[[0, -1]].tolist() == pytest.approx([-10.118, 9.210], abs=5e-4)
    kept = integral(*ends)
    assert kept == pytest.approx(1.091296, abs=5e-7)
    low, high = gaussian_tails(X, GIVEN, ADDED, tuple(ends))
    assert float(low + high) == pytest.approx(0.003643, abs=2e-6)
    assert 1.0949390241 - kept == pytest.approx(float(low + high), abs=2e-6)


@pytest.mark.parametrize(
    ("name", "standard", "orthogonal"),
    [("low", -1.369453, 2.210097), ("odd", -1.349233, 0.462664), ("third", 1.247354, 0.540304)],
)
def test_the_published_mixture(name, standard, orthogonal):
    x = float64(0.55)[:, None]
    assert FOUR.standard(x, name, "").item() == pytest.approx(standard, abs=5e-7)
    places, weights = map(torch.from_numpy, np.polynomial.hermite_e.hermegauss(160))
    weights = weights / weights.sum()
    which = FOUR.names.index(name)

    def integrand(alpha):
        alphas = torch.full((len(places),), alpha, dtype=torch.float64)
        noisy = alphas.sigmoid().sqrt() * 0.55 + (-alphas).sigmoid().sqrt() * places
        apart = [FOUR.noise(noisy[:, None], alphas, torch.full((len(places),), one)) for one in (0, which)]
        return float(weights @ (apart[0] - apart[1]).square()[:, 0])

    found = np.trapezoid([integrand(alpha) for alpha in np.linspace(-22, 22, 1500)], dx=44 / 1499) / 2
    assert found == pytest.approx(orthogonal, abs=2e-5)


def test_the_chain_holds_at_each_point_for_log_ratios_alone():
    x = float64(0.3, -1.0)[:, None]
    chained = FOUR.standard(x, "low", "") + FOUR.standard(x, "third", "low")
    assert torch.allclose(chained, FOUR.standard(x, "third", ""), atol=1e-12)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_networks_of_every_prediction_are_the_same_denoiser(prediction):
    log_snrs = stable_diffusion_log_snrs()
    denoiser = OracleDenoiser(FOUR, (1, 1, 1), log_snrs, dtype=torch.float64)
    network = OracleNetwork(FOUR, prediction, log_snrs)
    levels = torch.tensor([0, 400, 999])
    noisy = torch.randn(3, 1, 1, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    wanted = denoiser.predict_noise(noisy, levels, denoiser.encode_prompts(["", "low", "odd"]))
    raw = network(noisy, 999 - levels, network.encode(["", "low", "odd"])).sample
    alphas = log_snrs[levels][:, None, None, None]
    signal, noise = alphas.sigmoid().sqrt(), (-alphas).sigmoid().sqrt()
    eps = {
        "epsilon": raw,
        "v_prediction": signal * raw + noise * noisy,
        "sample": (noisy - signal * raw) / noise,
    }[prediction]
    assert torch.allclose(eps.float(), wanted, atol=1e-5)


def test_a_flow_network_is_the_same_denoiser():
    log_snrs = flow_log_snrs()
    network, level = OracleNetwork(FOUR, "flow"), 300
    s = 1 - (level + 0.5) / 1000
    noisy = torch.randn(1, 1, 1, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    denoiser = OracleDenoiser(FOUR, (1, 1, 1), log_snrs)
    wanted = denoiser.predict_noise(noisy, torch.tensor([level]), denoiser.encode_prompts(["third"]))
    mixed = noisy * ((1 - s) ** 2 + s**2) ** 0.5
    velocity = network(mixed, 1000 * s, network.encode(["third"])).sample
    assert torch.allclose((mixed + (1 - s) * velocity).float(), wanted, atol=1e-6)


def test_covariances_that_do_not_commute():
    """Against the average over noise, pixel by pixel."""
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(2, 3, 3))
    zero, one = (root @ root.T + np.eye(3) for root in roots)
    x, mean, alpha = rng.normal(size=3), rng.normal(size=3), 0.4
    signal = 1 / (1 + np.exp(-alpha))
    eps = rng.normal(size=(400_000, 3))
    noisy = np.sqrt(signal) * x + np.sqrt(1 - signal) * eps

    def predicted(center, spread):
        inverse = np.linalg.inv(signal * spread + (1 - signal) * np.eye(3))
        return np.sqrt(1 - signal) * (noisy - np.sqrt(signal) * center) @ inverse

    simulated = ((predicted(0, zero) - predicted(mean, one)) ** 2).mean(axis=0)
    exact = gaussian_pixels(alpha, x, (np.zeros(3), zero), (mean, one))
    assert exact == pytest.approx(simulated, rel=0.02)


def test_group_losses_differ_by_their_cross_entropies():
    model, data = (
        (np.array(0.0), np.array(1.0)),
        [(np.array(0.3), np.array(0.8)), (np.array(-1.0), np.array(1.4))],
    )
    losses = [
        quad(
            lambda a, one=one: float(
                gaussian_group_loss(a, model, one) - gaussian_group_loss(a, model, model)
            ),
            -40,
            40,
        )[0]
        / 2
        for one in data
    ]
    crossed = [0.5 * (one[0] ** 2 + one[1]) for one in data]
    assert losses[0] - losses[1] == pytest.approx(float(crossed[0] - crossed[1]), abs=1e-6)


def test_two_sources_of_a_gaussian():
    one, other, both = linear_gaussian_pair((1.0, 1.0), 0.0, 1.0)
    assert (one, other) == pytest.approx((0.5 * np.log(1.5),) * 2)
    assert both == pytest.approx(0.5 * np.log(3))
    assert linear_gaussian_pair((1.0, 1.0), 0.9, 1.0)[0] > one


def test_the_oracles_are_public_and_say_which_conditions_they_have():
    denoiser = testing.OracleDenoiser(FOUR, (1, 1, 1), flow_log_snrs())
    with pytest.raises(UnknownNameError, match="third"):
        denoiser.encode_prompts(["thrid"])
    gaussian = testing.Gaussians(("",), float64([0.0]), float64([1.0]))
    assert isinstance(gaussian, Gaussians)
