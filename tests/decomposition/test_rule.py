"""The rule on levels: unbiased for the sum over all of them, whatever the density."""

from __future__ import annotations

import numpy as np
import pytest

from biaskit.decomposition.rule import cell_widths, rule
from biaskit.errors import RequestError
from biaskit.organisms.oracles import ddpm_log_snrs, flow_log_snrs, stable_diffusion_log_snrs

TRAINED = [stable_diffusion_log_snrs, ddpm_log_snrs, flow_log_snrs]


class Fixed:
    """A source of one offset."""

    def __init__(self, offset):
        self.offset = offset

    def random(self):
        return self.offset


@pytest.mark.parametrize("trained", TRAINED)
def test_cells_add_up_to_the_trained_range(trained):
    log_snrs = trained().numpy()
    widths = cell_widths(log_snrs)
    assert widths.sum() == pytest.approx(log_snrs[-1] - log_snrs[0])
    assert widths @ log_snrs == pytest.approx((log_snrs[-1] ** 2 - log_snrs[0] ** 2) / 2), "trapezoidal"


@pytest.mark.parametrize("trained", TRAINED)
@pytest.mark.parametrize("count", [2, 7, 16])
@pytest.mark.parametrize("even", [True, False])
def test_the_average_over_offsets_is_the_sum_over_all_levels(trained, count, even):
    """For any integrand; the offset goes through a fine grid instead of being drawn."""
    log_snrs = trained().numpy()
    rng = np.random.default_rng(count)
    integrand = rng.normal(size=len(log_snrs)) + 5
    chosen = rule(log_snrs, None if even else rng.uniform(0.2, 3, size=len(log_snrs)))
    offsets = (np.arange(20000) + 0.5) / 20000
    nodes = [chosen.nodes(count, Fixed(offset)) for offset in offsets]
    values = [one.weights @ integrand[one.levels] for one in nodes]
    assert np.mean(values) == pytest.approx(chosen.widths @ integrand, rel=1e-3)


def test_each_stratum_is_visited_once_and_noisiest_first():
    log_snrs = stable_diffusion_log_snrs().numpy()
    chosen = rule(log_snrs)
    strata = np.linspace(log_snrs[0], log_snrs[-1], 17)
    for seed in range(50):
        visited = log_snrs[chosen.nodes(16, np.random.default_rng(seed)).levels]
        assert (np.abs(np.searchsorted(strata, visited) - 1 - np.arange(16)) <= 1).all()
        assert (np.diff(visited) > 0).all()


def test_systematic_levels_err_less_than_independent_ones():
    """On a smooth integrand; what the docstring claims for a Gaussian of 4,096 coordinates."""
    log_snrs = stable_diffusion_log_snrs().numpy()
    integrand = 1 / np.cosh(log_snrs / 2)
    chosen = rule(log_snrs)
    rng = np.random.default_rng(0)

    def spread(places):
        ends = np.cumsum(chosen.masses)
        levels = np.searchsorted(ends, places).clip(max=len(ends) - 1)
        weights = chosen.widths[levels] / (places.shape[1] * chosen.masses[levels])
        return (weights * integrand[levels]).sum(axis=1).std()

    strata = np.arange(16)
    apart = spread((strata + rng.random((4000, 16))) / 16)
    together = spread((strata + rng.random((4000, 1))) / 16)
    assert apart >= 5 * together


@pytest.mark.parametrize("density", [np.ones(3), np.zeros(1000), np.full(1000, np.nan)])
def test_a_density_that_visits_nothing_or_other_levels_is_refused(density):
    with pytest.raises(RequestError, match="above 0"):
        rule(stable_diffusion_log_snrs().numpy(), density)


@pytest.mark.parametrize("log_snrs", [np.array([1.0]), np.array([1.0, 1.0]), np.array([2.0, 1.0])])
def test_levels_must_ascend(log_snrs):
    with pytest.raises(RequestError, match="ascend"):
        rule(log_snrs)
