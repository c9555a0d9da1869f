"""Densities: normalised, kept with their model, refused for another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from biaskit.decomposition.contrast import Contrast
from biaskit.decomposition.density import Density, Pool, calibrate, described
from biaskit.decomposition.measure import Asked, measure
from biaskit.decomposition.plan import Plan
from biaskit.errors import RequestError
from biaskit.organisms.oracles import ddpm_log_snrs

ONE = [Contrast(1, 0)]
PROMPTS = ["", "a quarter"]


@pytest.fixture(scope="module")
def density(hard):
    denoiser, points = hard
    pool = Pool(latents=points[:2], prompts=PROMPTS, contrasts=ONE, fingerprint="model")
    return calibrate(denoiser, pool, Plan(nodes=24, replicates=4))


def test_it_goes_where_the_information_is(density):
    """What a quarter of the corners says lies at the noisy end."""
    middles = (density.edges[1:] + density.edges[:-1]) / 2
    assert density.heights.mean() == pytest.approx(1)
    assert density.heights.min() >= 0.05, "nothing is never visited"
    assert middles[density.heights.argmax()] < -1
    assert "half_of_the_visits_between" in described(density)


def test_calibrating_again_gives_the_same(hard, density):
    denoiser, points = hard
    pool = Pool(latents=points[:2], prompts=PROMPTS, contrasts=ONE)
    again = calibrate(denoiser, pool, Plan(nodes=24, replicates=4))
    assert (again.heights == density.heights).all()


def test_it_is_read_as_it_was_saved(density, tmp_path):
    path = tmp_path / "density.safetensors"
    density.save(path)
    for found in (Density.read(path), Density.read(path, "model")):
        assert (found.heights == density.heights).all()
        assert (found.edges == density.edges).all()
        assert found.fingerprint == "model"
    with pytest.raises(RequestError, match="another model"):
        Density.read(path, "other")


def test_what_is_no_density_is_refused(tmp_path):
    path = tmp_path / "density.safetensors"
    with pytest.raises(RequestError, match="no density"):
        Density.read(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(RequestError, match="no density"):
        Density.read(path)


def test_other_noise_levels_are_refused_before_any_pass(hard, density):
    denoiser, points = hard
    other = replace(denoiser, log_snrs=ddpm_log_snrs())
    with pytest.raises(RequestError, match="other noise levels"):
        measure(other, points, PROMPTS, ONE, Asked(plan=Plan(density=density)))


def test_a_step_that_a_small_pool_showed_as_empty_is_still_visited(hard, density):
    denoiser, _ = hard
    visits = density.on(denoiser.log_snrs.numpy())
    assert visits.shape == denoiser.log_snrs.shape
    assert np.isfinite(visits).all()
    assert visits.min() > 0
