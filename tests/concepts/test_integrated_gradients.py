"""Closed-form integrated gradients: complete, exact for two classes, and what captum finds by autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from scipy.integrate import quad

from biaskit.concepts.integrated_gradients import LatentProbe, integrated_gradients, summed
from biaskit.errors import RequestError


def problem(classes, scale=1.0, seed=0, rows=7, latents=12):
    rng = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    probe = LatentProbe(scale * draw(classes, latents), draw(classes))
    return probe, draw(rows, latents), torch.arange(rows) % classes, draw(1, latents)


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("scale", [1e-9, 0.1, 1.0, 30.0])
def test_attributions_add_up_to_the_change_of_probability(classes, scale):
    probe, latents, named, start = problem(classes, scale)
    found = integrated_gradients(probe, latents, named, start).sum(dim=1)
    rows = torch.arange(len(named))
    change = probe.probabilities(latents)[rows, named] - probe.probabilities(start)[0, named]
    torch.testing.assert_close(found, change, atol=1e-9, rtol=0)


def test_two_classes_are_exact():
    probe, latents, named, start = problem(2)
    found = integrated_gradients(probe, latents, named, start)
    step, v = (latents - start)[0], probe.weight[0] - probe.weight[1]
    u = probe.logits(torch.cat([start, latents[:1]])) @ torch.tensor([1.0, -1.0], dtype=torch.float64)

    def slope(t):
        at = u[0] + t * (u[1] - u[0])
        return float(torch.sigmoid(at) * torch.sigmoid(-at))

    exact = step * v * quad(slope, 0, 1, epsabs=1e-14)[0]
    torch.testing.assert_close(found[0], exact, atol=1e-13, rtol=0)


@pytest.mark.parametrize("classes", [2, 4])
def test_captum_converges_to_it(classes):
    probe, latents, named, start = problem(classes, 0.4)

    def forward(codes):
        return (codes @ probe.weight.T + probe.bias).softmax(dim=1)

    theirs = IntegratedGradients(forward).attribute(
        latents, baselines=start, target=named, n_steps=200, method="gausslegendre"
    )
    torch.testing.assert_close(integrated_gradients(probe, latents, named, start), theirs, atol=1e-7, rtol=0)


def test_the_published_ten_point_sum_is_far_off():
    probe, latents, named, start = problem(3, 2.0)
    rows = torch.arange(len(named))
    total = torch.zeros_like(latents)
    for step in range(10):
        at = (start + step / 10 * (latents - start)).requires_grad_()
        likely = (at @ probe.weight.T + probe.bias).softmax(dim=1)
        total += torch.autograd.grad(likely[rows, named].sum(), at)[0]
    published = (latents - start) * total / 10
    exact = integrated_gradients(probe, latents, named, start)
    assert float((published - exact).norm() / exact.norm()) > 0.05


def test_summing_by_class_is_the_sum():
    probe, latents, named, start = problem(3)
    each = integrated_gradients(probe, latents, named, start)
    by_class = torch.stack([each[named == one].sum(dim=0) for one in range(3)])
    torch.testing.assert_close(summed(probe, latents, named, start), by_class)


def test_through_a_decoder_it_is_the_probe_of_what_is_decoded():
    probe, _, _, _ = problem(3, latents=6)
    rng = np.random.default_rng(0)
    dictionary, offset = (torch.from_numpy(rng.normal(size=size)) for size in ((4, 6), (6,)))
    codes = torch.from_numpy(rng.normal(size=(5, 4)))
    carried = LatentProbe.through(dictionary, offset, probe)
    torch.testing.assert_close(carried.logits(codes), probe.logits(codes @ dictionary + offset))


def test_a_class_that_is_not_there_is_refused():
    probe, latents, _, _ = problem(2)
    with pytest.raises(RequestError, match="2 classes"):
        integrated_gradients(probe, latents, torch.full((7,), 2))
