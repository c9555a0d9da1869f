"""How close few passes come to the exact informations, and how honest the intervals are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from biaskit.decomposition.contrast import Contrast
from biaskit.decomposition.density import Pool, calibrate
from biaskit.decomposition.measure import Asked, measure
from biaskit.decomposition.plan import Enough, Plan
from biaskit.decomposition.rule import cell_widths
from biaskit.organisms.oracles import gaussian_integrand

ONE = [Contrast(1, 0)]


def exact(spectrum):
    """Both informations on the trained log-SNRs, the average over the noise done in closed form."""
    log_snrs = spectrum.denoiser.log_snrs.numpy()
    widths = cell_widths(log_snrs)
    orthogonal = sum(
        width * gaussian_integrand(alpha, spectrum.x, spectrum.given, spectrum.added).sum()
        for alpha, width in zip(log_snrs, widths, strict=True)
    )

    def error(alpha, mean, variance):
        signal = 1 / (1 + np.exp(-alpha))
        spread = signal * variance + 1 - signal
        away = (spectrum.x - mean) ** 2
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


@pytest.mark.parametrize("which", ["standard", "orthogonal"])
def test_intervals_cover_what_they_should(spectrum, which):
    """400 runs of four replicates each."""
    truth = dict(zip(("standard", "orthogonal"), exact(spectrum), strict=True))[which]
    found = measure(
        spectrum.denoiser, spectrum.latents, ["", "said"], ONE, Asked(plan=Plan(nodes=12, replicates=1600))
    )
    runs = getattr(found, which).values[0, 0].reshape(400, 4)
    half = stats.t.ppf(0.975, 3) * runs.std(axis=1, ddof=1) / 2
    covered = (np.abs(runs.mean(axis=1) - truth) <= half).mean()
    assert 0.93 <= covered <= 0.97


def test_more_is_drawn_until_it_is_enough(spectrum):
    enough = Enough(half_width=0.5, most_replicates=64)
    plan = Plan(nodes=8, replicates=3, enough=enough)
    found = measure(spectrum.denoiser, spectrum.latents, ["", "said"], ONE, Asked(plan=plan))
    assert 3 < found.standard.replicates[0] < 64
    assert found.standard.half_width[0, 0] <= 0.5
    few = Plan(nodes=8, replicates=3, enough=Enough(half_width=1e-6, most_replicates=5))
    found = measure(spectrum.denoiser, spectrum.latents, ["", "said"], ONE, Asked(plan=few))
    assert found.standard.replicates[0] == 5


@pytest.mark.slow
def test_stopping_when_it_looks_enough_costs_little_coverage(spectrum):
    """Looking after 4, 6, 9, ... replicates: 300 runs, each stopped by its own width."""
    truth, _ = exact(spectrum)
    found = measure(
        spectrum.denoiser, spectrum.latents, ["", "said"], ONE, Asked(plan=Plan(nodes=8, replicates=6000))
    )
    runs = found.standard.values[0, 0].reshape(300, 20)
    typical = runs.std(axis=1, ddof=1).mean()
    covered = 0
    for run in runs:
        for count in (4, 6, 9, 13, 19, 20):
            half = stats.t.ppf(0.975, count - 1) * run[:count].std(ddof=1) / np.sqrt(count)
            if half <= typical:
                break
        covered += abs(run[:count].mean() - truth) <= half
    assert covered / 300 >= 0.90
