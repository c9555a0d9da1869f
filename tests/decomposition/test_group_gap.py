"""How much worse one group's images are explained than another's, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from biaskit.decomposition.group_gap import GroupErrors, group_errors
from biaskit.decomposition.measure import Asked
from biaskit.decomposition.plan import Plan
from biaskit.decomposition.rule import cell_widths
from biaskit.errors import BiaskitError, RequestError
from biaskit.organisms.oracles import (
    Gaussians,
    OracleDenoiser,
    gaussian_group_loss,
    stable_diffusion_log_snrs,
)

SIZE = 64
MODEL = np.zeros(SIZE), np.ones(SIZE)
GROUPS = {"known": MODEL, "unknown": (np.full(SIZE, 0.4), np.full(SIZE, 1.3))}


@pytest.fixture(scope="module")
def denoiser():
    both = (torch.from_numpy(each)[None] for each in MODEL)
    return OracleDenoiser(Gaussians(("",), *both), (1, 8, 8), stable_diffusion_log_snrs())


def images(group, count, seed):
    mean, variance = GROUPS[group]
    drawn = mean + np.sqrt(variance) * np.random.default_rng(seed).normal(size=(count, SIZE))
    return torch.from_numpy(drawn).float().reshape(count, 1, 8, 8)


def exact(denoiser):
    """Gap of the integrated loss on the trained log-SNRs, unknown minus known."""
    log_snrs = denoiser.log_snrs.numpy()
    known, unknown = (
        np.array([gaussian_group_loss(alpha, MODEL, data).sum() for alpha in log_snrs])
        for data in GROUPS.values()
    )
    return float(cell_widths(log_snrs) @ (unknown - known) / 2)


@pytest.fixture(scope="module")
def found(denoiser):
    groups = {name: images(name, 150, seed) for seed, name in enumerate(GROUPS)}
    return group_errors(denoiser, groups, asked=Asked(plan=Plan(nodes=8, replicates=6)))


def test_the_gap_is_the_difference_of_cross_entropies(denoiser, found):
    truth = exact(denoiser)
    over_all = 0.5 * SIZE * (0.4**2 + 1.3 - 1)
    assert truth == pytest.approx(over_all, rel=0.05), "little lies outside the trained log-SNRs"
    gap = found.gap("unknown", "known")
    assert truth in gap.interval
    assert gap.interval.low > 0
    assert gap.interval.high - gap.interval.low < over_all
    turned = found.gap("known", "unknown")
    assert turned.value == pytest.approx(-gap.value)


def test_the_curve_is_the_loss_at_each_level(found):
    """At every node, within four standard errors; levels move within a stratum by its width."""
    for name, data in GROUPS.items():
        band = found.curve(name)
        truth = [gaussian_group_loss(alpha, MODEL, data).sum() for alpha in found.log_snrs]
        assert np.abs(band.mean - truth).max() <= 0.06 * SIZE
        assert (np.abs(band.mean - truth) <= 2 * band.half_width + 0.02 * SIZE).all()


def test_the_gap_curve_is_the_difference_of_the_curves(found):
    band = found.gap_curve("unknown", "known")
    assert band.mean == pytest.approx(found.curve("unknown").mean - found.curve("known").mean)
    widths = [found.curve(name).half_width for name in GROUPS]
    assert (band.half_width <= np.hypot(*widths) * 1.01).all()
    assert (band.half_width >= np.maximum(*widths) * 0.9).all()


@pytest.mark.parametrize("truth", [0.0, 0.7])
@pytest.mark.parametrize(("together", "apart"), [(0.0, 0.0), (3.0, 0.0), (3.0, 0.5), (3.0, 2.0)])
def test_intervals_of_the_gap_cover_the_truth(truth, together, apart):
    """2,000 audits of 8 images a group and 4 replicates.

    Images differ by 1; replicates move all images by `together` and the two groups apart by `apart`.
    """
    rng = np.random.default_rng(5)
    covered, widths = 0, []
    for _ in range(2000):
        moved = together * rng.normal(size=4)
        losses = {
            name: middle + rng.normal(size=(8, 1)) + moved + apart / 2 * side * rng.normal(size=4)
            for name, middle, side in (("one", truth, 1), ("other", 0.0, -1))
        }
        gap = GroupErrors(np.zeros(1), {}, losses, 0.95).gap("one", "other")
        covered += truth in gap.interval
        widths.append(gap.interval.high - gap.interval.low)
    assert 0.93 <= covered / 2000 <= 0.98
    if apart == 0:
        expected = 2 * stats.t.ppf(0.975, 14) * (2 / 8) ** 0.5
        assert np.mean(widths) == pytest.approx(expected, rel=0.05), "what moves all images costs nothing"


def test_equal_images_have_no_gap(denoiser):
    same = images("unknown", 3, 0)
    found = group_errors(denoiser, {"one": same, "other": same.clone()})
    gap = found.gap("one", "other")
    assert gap.value == 0
    assert (found.gap_curve("one", "other").mean == 0).all()


def test_too_little_is_refused_and_groups_are_told_apart(denoiser, found):
    two = images("known", 2, 0)
    for groups, plan in (
        ({"one": two}, Plan()),
        ({"one": two, "other": two[:1]}, Plan()),
        ({"one": two, "other": two}, Plan(replicates=1)),
    ):
        with pytest.raises(RequestError, match="two groups"):
            group_errors(denoiser, groups, asked=Asked(plan=plan))
    with pytest.raises(BiaskitError, match="known"):
        found.gap("knwon", "unknown")
