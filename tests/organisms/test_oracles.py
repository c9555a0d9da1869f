"""Oracles: the published digits, and the same predictions whatever a network predicts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from scipy.integrate import quad

from biaskit import testing
from biaskit.errors import RequestError, UnknownNameError
from biaskit.organisms.oracles import (
    CorrelatedGaussians,
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
    schedule_log_snrs,
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


TRAINED = (-5.364, 7.069)


@pytest.mark.parametrize("added", [ADDED, (-0.4, 1.3), (0.5, 1.3 + 1e-10), (0.1, 4.0)])
def test_closed_forms_between_ends_are_the_integrals(added):
    """Also where both variances are alike, or almost."""

    def inside(integrand):
        return quad(lambda alpha: float(integrand(alpha)), *TRAINED, epsabs=1e-12, limit=400)[0] / 2

    def error(alpha, condition):
        return gaussian_group_loss(alpha, condition, (X, 0.0))

    orthogonal = inside(lambda alpha: gaussian_integrand(alpha, X, GIVEN, added))
    assert gaussian_orthogonal(X, GIVEN, added, TRAINED) == pytest.approx(orthogonal, abs=1e-9)
    standard = inside(lambda alpha: error(alpha, GIVEN) - error(alpha, added))
    assert gaussian_standard(X, GIVEN, added, TRAINED) == pytest.approx(standard, abs=1e-9)


def test_the_closed_form_on_the_trained_range_has_the_published_value():
    ends = stable_diffusion_log_snrs()[[0, -1]].tolist()
    assert gaussian_orthogonal(X, GIVEN, ADDED, (ends[0], ends[1])) == pytest.approx(1.091296, abs=5e-7)


def test_a_group_is_denoised_as_badly_as_said():
    """Against a simulation of the channel; and with the group that the model learnt, at best."""
    rng, model, data, alpha = np.random.default_rng(0), (0.2, 0.7), (-0.5, 1.6), 0.3
    x, eps = data[0] + np.sqrt(data[1]) * rng.normal(size=400_000), rng.normal(size=400_000)
    signal = 1 / (1 + np.exp(-alpha))
    noisy = np.sqrt(signal) * x + np.sqrt(1 - signal) * eps
    shrunk = np.sqrt(1 - signal) * (noisy - np.sqrt(signal) * model[0]) / (signal * model[1] + 1 - signal)
    exact = gaussian_group_loss(alpha, model, data)
    assert exact == pytest.approx(np.square(eps - shrunk).mean(), rel=0.01)
    own = gaussian_group_loss(alpha, model, model)
    assert own == pytest.approx(1 / (1 + np.exp(-alpha - np.log(model[1]))), abs=1e-12)
    assert own < exact


def test_schedules_are_those_of_diffusers():
    stable = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    for scheduler, own in ((stable, stable_diffusion_log_snrs()), (DDPMScheduler(), ddpm_log_snrs())):
        assert torch.allclose(schedule_log_snrs(scheduler.alphas_cumprod), own, atol=1e-3)


WEIGHTS = (0.3, 0.2, 0.15, 0.35)
LABELLED = Mixture(
    {"": range(4), "0": (0, 1), "1": (2, 3), "00": (0,), "01": (1,), "10": (2,), "11": (3,)},
    float64(*WEIGHTS),
    FOUR.means,
    FOUR.variances,
)
"""A component is named by two binary words."""


def orthogonal_of(mixture, x, added, given):
    """i^o of one-dimensional points by quadrature over noise and log-SNR."""
    places, weights = map(torch.from_numpy, np.polynomial.hermite_e.hermegauss(80))
    grid = torch.linspace(-20, 20, 300, dtype=torch.float64)
    alphas = grid.repeat_interleave(len(places))
    found = []
    for each in x.tolist():
        noisy = alphas.sigmoid().sqrt() * each + (-alphas).sigmoid().sqrt() * places.repeat(len(grid))
        eps = [
            mixture.noise(noisy[:, None], alphas, torch.full((len(alphas),), mixture.names.index(name)))
            for name in (added, given)
        ]
        squares = (eps[0] - eps[1]).square()[:, 0].reshape(len(grid), -1) @ (weights / weights.sum())
        found.append(float(squares.sum() * (grid[1] - grid[0])) / 2)
    return np.array(found)


def test_squared_differences_break_the_chain_at_a_point():
    x = float64(0.3)
    steps = orthogonal_of(LABELLED, x, "0", "") + orthogonal_of(LABELLED, x, "01", "0")
    assert steps == pytest.approx(2.3416, abs=5e-5)
    assert orthogonal_of(LABELLED, x, "01", "") == pytest.approx(1.6933, abs=5e-5)


@pytest.mark.parametrize(
    ("letters", "given", "published"), [(1, 0, 0.57652), (2, 1, 0.48585), (2, 0, 1.06237)]
)
def test_squared_differences_keep_the_chain_on_average(letters, given, published):
    """Over the joint distribution of x and both words, I(x;y1) + I(x;y2|y1) = I(x;y1,y2)."""
    places, weights = np.polynomial.hermite_e.hermegauss(32)
    whole = 0.0
    for number, (label, weight) in enumerate(zip(("00", "01", "10", "11"), WEIGHTS, strict=True)):
        x = FOUR.means[number, 0] + FOUR.variances[number, 0].sqrt() * torch.from_numpy(places)
        found = orthogonal_of(LABELLED, x, label[:letters], label[:given])
        whole += weight * (weights @ found) / weights.sum()
    assert whole == pytest.approx(published, abs=3e-5)


def test_what_a_subset_says_is_bounded_by_its_share():
    """Sixteen corners far apart in 1,024 dimensions: a quarter of them says log 4 and no more."""
    rng = torch.Generator().manual_seed(0)
    means = torch.randn(16, 1024, generator=rng, dtype=torch.float64)
    sixteen = Mixture(
        {"": range(16), "a quarter": range(4)},
        torch.full((16,), 1 / 16, dtype=torch.float64),
        0.4 * means,
        torch.full((16, 1024), 0.05, dtype=torch.float64),
    )
    points = sixteen.means[:4] + 0.05**0.5 * torch.randn(4, 1024, generator=rng, dtype=torch.float64)
    assert sixteen.standard(points, "a quarter", "").numpy() == pytest.approx(np.log(4), abs=1e-9)


def test_correlated_gaussians_are_those_of_the_pixels_formula():
    """Averaged over the noise by antithetic pairs along the axes: the answer is quadratic in eps."""
    rng = np.random.default_rng(3)
    roots, alpha = rng.normal(size=(2, 4, 4)), -0.7
    covariances = np.stack([root @ root.T + np.eye(4) for root in roots])
    means, x = rng.normal(size=(2, 4)), rng.normal(size=4)
    oracle = CorrelatedGaussians.of(("", "said"), torch.from_numpy(means), torch.from_numpy(covariances))
    axes = np.sqrt(4) * np.concatenate([np.eye(4), -np.eye(4)])
    signal = 1 / (1 + np.exp(-alpha))
    noisy = torch.from_numpy(np.sqrt(signal) * x + np.sqrt(1 - signal) * axes)
    alphas = torch.full((8,), alpha, dtype=torch.float64)
    none, said = (oracle.noise(noisy, alphas, torch.full((8,), which)).numpy() for which in (0, 1))
    exact = gaussian_pixels(alpha, x, (means[0], covariances[0]), (means[1], covariances[1]))
    assert ((none - said) ** 2).mean(axis=0) == pytest.approx(exact, abs=1e-12)
    with pytest.raises(RequestError, match="eigenvalue"):
        CorrelatedGaussians.of(("",), torch.zeros(1, 2), -torch.eye(2)[None])


def test_pixels_that_a_condition_does_not_touch_are_exactly_unchanged():
    means = torch.zeros(2, 9, dtype=torch.float64)
    means[1, 4] = 1.0
    oracle = Gaussians(("", "said"), means, torch.full((2, 9), 0.6, dtype=torch.float64))
    noisy = torch.randn(1, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    none, said = (oracle.noise(noisy, float64(0.5), torch.tensor([which])) for which in (0, 1))
    assert ((none - said)[0] != 0).nonzero().flatten().tolist() == [4]


def test_a_network_takes_what_diffusers_gives():
    network = OracleNetwork(FOUR, "epsilon", stable_diffusion_log_snrs())
    noisy = torch.ones(2, 1, 1, 1)
    unconditional = network(noisy, 10, return_dict=False, added_cond_kwargs=None)[0]
    assert torch.equal(unconditional, network(noisy, torch.tensor(10), network.encode(["", ""])).sample)
    assert unconditional.dtype == torch.float32
    with pytest.raises(RequestError, match="log-SNR"):
        OracleNetwork(FOUR, "v_prediction")
