"""How close few passes come to the exact informations, and how honest the intervals are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import optimize, stats

from biaskit.decomposition.contrast import Contrast
from biaskit.decomposition.density import Pool, calibrate
from biaskit.decomposition.measure import Asked, measure
from biaskit.decomposition.measured import half_widths
from biaskit.decomposition.plan import Enough, Plan
from biaskit.decomposition.rule import cell_widths
from biaskit.organisms.oracles import gaussian_integrand

ONE = [Contrast(1, 0)]


def exact(spectrum, x=None):
    """Both informations on the trained log-SNRs, the average over the noise done in closed form."""
    x = spectrum.x if x is None else x
    log_snrs = spectrum.denoiser.log_snrs.numpy()
    widths = cell_widths(log_snrs)
    orthogonal = sum(
        width * gaussian_integrand(alpha, x, spectrum.given, spectrum.added).sum()
        for alpha, width in zip(log_snrs, widths, strict=True)
    )

    def error(alpha, mean, variance):
        signal = 1 / (1 + np.exp(-alpha))
        spread = signal * variance + 1 - signal
        away = (x - mean) ** 2
        return ((signal * variance / spread) ** 2 + signal * (1 - signal) * away / spread**2).sum()

    standard = sum(
        width * (error(alpha, *spectrum.given) - error(alpha, *spectrum.added))
        for alpha, width in zip(log_snrs, widths, strict=True)
    )
    return standard / 2, orthogonal / 2


def published(spectrum, rng, draws=100):
    """The published scheme: independent log-SNRs from a logistic (1, 2) cut at 3, one noise each."""
    cut = 1 / (1 + np.exp(-3.0))
    share = 1 - cut + (2 * cut - 1) * rng.random(draws)
    alphas = 1 + 2 * np.log(share / (1 - share))
    density = stats.logistic.pdf(alphas, 1, 2) / (2 * cut - 1)
    found = np.zeros(2)
    for alpha, each in zip(alphas, density, strict=True):
        signal = 1 / (1 + np.exp(-alpha))
        eps = rng.normal(size=spectrum.x.size)
        noisy = np.sqrt(signal) * spectrum.x + np.sqrt(1 - signal) * eps
        predicted = [
            np.sqrt(1 - signal) * (noisy - np.sqrt(signal) * mean) / (signal * variance + 1 - signal)
            for mean, variance in (spectrum.given, spectrum.added)
        ]
        errors = [((eps - one) ** 2).sum() for one in predicted]
        found += np.array([errors[0] - errors[1], ((predicted[0] - predicted[1]) ** 2).sum()]) / each
    return found / 2 / draws


def error(values, truth):
    return float(np.sqrt(np.mean((np.asarray(values) - truth) ** 2)) / abs(truth))


def test_thirty_two_passes_a_prompt_come_within_half_a_percent(spectrum):
    """Each replicate is a run of its own: 16 log-SNRs with a pair of noises each."""
    standard, orthogonal = exact(spectrum)
    plan = Plan(nodes=16, replicates=150)
    found = measure(spectrum.denoiser, spectrum.latents, ["", "said"], ONE, Asked(plan=plan))
    assert error(found.orthogonal.values, orthogonal) <= 0.005
    assert error(found.standard.values, standard) <= 0.06
    assert found.passes == 150 * 32 * 2
    rng = np.random.default_rng(0)
    old = np.array([published(spectrum, rng) for _ in range(40)])
    assert error(old[:, 1], np.mean(old[:, 1])) >= 0.05


def test_the_length_of_the_noise_says_nothing(spectrum):
    """Taking it out keeps the average and cuts the variance of the standard information."""
    standard, _ = exact(spectrum)
    spread = {}
    for normalised in (True, False):
        plan = Plan(nodes=16, replicates=150, normalised=normalised)
        found = measure(spectrum.denoiser, spectrum.latents, ["", "said"], ONE, Asked(plan=plan))
        values = found.standard.values[0, 0]
        assert abs(values.mean() - standard) <= 4 * values.std() / np.sqrt(len(values))
        spread[normalised] = values.var()
    assert spread[False] >= 3 * spread[True]


@pytest.mark.slow
def test_a_mixture_is_measured_right_as_well(hard):
    """Where the denoiser is not linear: a quarter of the corners is log 4 nats, and no more."""
    denoiser, points = hard
    plan = Plan(nodes=16, replicates=120)
    found = measure(denoiser, points[:1], ["", "a quarter"], ONE, Asked(plan=plan))
    values = found.standard.values[0, 0]
    truth = denoiser.distribution.standard(points[:1].flatten(1).double(), "a quarter", "").item()
    assert truth == pytest.approx(np.log(4), abs=1e-6)
    outside = float(found.tails.low[0, 0] + found.tails.high[0, 0])
    assert abs(values.mean() - truth) <= 4 * values.std() / np.sqrt(len(values)) + 2 * outside


@pytest.mark.slow
def test_a_calibrated_density_cuts_the_variance(hard):
    denoiser, points = hard
    prompts = ["", "a quarter"]
    density = calibrate(denoiser, Pool(latents=points[1:], prompts=prompts, contrasts=ONE))
    variance, means = {}, {}
    for name, chosen in (("even", None), ("calibrated", density)):
        plan = Plan(nodes=16, replicates=120, density=chosen, seed=1)
        found = measure(denoiser, points[:1], prompts, ONE, Asked(plan=plan))
        variance[name] = found.orthogonal.values[0, 0].var(), found.standard.values[0, 0].var()
        means[name] = found.orthogonal.mean[0, 0]
    sure = sum(each[0] for each in variance.values()) / 120
    assert abs(means["even"] - means["calibrated"]) <= 4 * sure**0.5, "it moves visits, not values"
    assert variance["even"][0] >= 2.5 * variance["calibrated"][0]
    assert variance["even"][1] >= 2.5 * variance["calibrated"][1]


@pytest.fixture(scope="module")
def indifferent(spectrum):
    """An image of which the two prompts say the same all in all, though not at each log-SNR."""
    far = optimize.brentq(lambda share: exact(spectrum, share * spectrum.x)[0], 0.5, 1.0)
    return far * spectrum.x


@pytest.fixture(scope="module")
def runs(spectrum, indifferent):
    """1,600 replicates on each of two images."""
    latents = torch.cat([spectrum.latents, torch.from_numpy(indifferent).float().reshape(1, 1, 64, 64)])
    plan = Plan(nodes=10, replicates=1600)
    return measure(spectrum.denoiser, latents, ["", "said"], ONE, Asked(plan=plan))


@pytest.mark.parametrize("which", ["standard", "orthogonal", "nothing"])
@pytest.mark.slow
def test_intervals_cover_what_they_should(spectrum, indifferent, runs, which):
    """400 runs of four replicates each; `nothing` is a standard information of 0."""
    truths = (*exact(spectrum), exact(spectrum, indifferent)[0])
    truth = dict(zip(("standard", "orthogonal", "nothing"), truths, strict=True))[which]
    kind = runs.orthogonal if which == "orthogonal" else runs.standard
    four = kind.values[int(which == "nothing"), 0].reshape(400, 4)
    half = stats.t.ppf(0.975, 3) * four.std(axis=1, ddof=1) / 2
    covered = (np.abs(four.mean(axis=1) - truth) <= half).mean()
    assert 0.93 <= covered <= 0.97


@pytest.mark.slow
def test_nothing_is_0_and_the_power_is_there(spectrum, indifferent, runs):
    assert exact(spectrum, indifferent)[0] == pytest.approx(0, abs=1e-6)
    said = runs.standard.values[0, 0].reshape(400, 4)
    half = stats.t.ppf(0.975, 3) * said.std(axis=1, ddof=1) / 2
    assert (said.mean(axis=1) > half).mean() >= 0.99
    assert runs.orthogonal.values[1].min() > 0, "the orthogonal one sees that they differ"


def test_more_is_drawn_until_it_is_enough(spectrum):
    enough = Enough(half_width=0.5, most_replicates=64)
    plan = Plan(nodes=8, replicates=3, enough=enough)
    found = measure(spectrum.denoiser, spectrum.latents, ["", "said"], ONE, Asked(plan=plan))
    assert 8 <= found.standard.replicates[0] < 64
    assert found.standard.half_width[0, 0] <= 0.5
    few = Plan(nodes=8, replicates=3, enough=Enough(half_width=1e-6, most_replicates=5))
    found = measure(spectrum.denoiser, spectrum.latents, ["", "said"], ONE, Asked(plan=few))
    assert found.standard.replicates[0] == 5


@pytest.mark.parametrize("width", [0.5, 0.8, 1.2])
def test_stopping_when_it_looks_enough_costs_little_coverage(width):
    """5,000 runs of normal replicates, each stopped by its own width at the looks of a plan."""
    looks = list(Plan(enough=Enough(half_width=width, most_replicates=64)).looks())
    runs = np.random.default_rng(0).normal(size=(5000, 64))
    covered = np.zeros(5000, dtype=bool)
    going = np.ones(5000, dtype=bool)
    for count in looks:
        half = half_widths(runs[:, None, :count], 0.95)[:, 0]
        ends = going & ((half <= width) | (count == looks[-1]))
        covered[ends] = (np.abs(runs[:, :count].mean(axis=1)) <= half)[ends]
        going &= ~ends
    assert not going.any()
    assert 0.925 <= covered.mean() <= 0.96
