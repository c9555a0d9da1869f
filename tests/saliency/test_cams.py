"""Closed forms, captum as referee, and the same maps whatever the layout."""

import warnings

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from biaskit.errors import LayoutError
from biaskit.saliency.attention_rollout import attention_rollout
from biaskit.saliency.eigen_cam import eigen_cam
from biaskit.saliency.grad_cam import grad_cam, hires_cam
from biaskit.saliency.grad_cam_pp import grad_cam_pp
from biaskit.saliency.layer_cam import layer_cam
from biaskit.saliency.layout import Axes, Layout
from biaskit.saliency.methods import CAMS, Candidate, cam, maps_of
from biaskit.saliency.scores import contrastive, logit
from tests.saliency.conftest import site


@pytest.fixture
def images():
    return torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def targets():
    return torch.tensor([0, 1, 2, 0, 1])


def drawn(shape=(2, 3, 4, 5)):
    rng = torch.Generator().manual_seed(7)
    return torch.randn(shape, generator=rng), torch.randn(shape, generator=rng)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("positive", [False, True])
def test_grad_cam_equals_captum(cnn, images, targets, layer, positive):
    model = nn.Sequential(*cnn.stages)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        referee = LayerGradCam(model, model[layer]).attribute(
            images, target=targets, relu_attributions=positive
        )
    maps = cam(cnn.sensitivity(images, logit(targets), [site(layer)]), Candidate("grad-cam", site(layer)))
    ours = maps.positive if positive else maps.signed
    assert float((ours - referee[:, 0].detach()).abs().max()) <= 1e-5
    assert float(ours.abs().max()) > 0.05


def test_with_mean_pooling_and_a_linear_head_all_are_the_class_activation_map(cnn, images, targets):
    found = cnn.sensitivity(images, logit(targets), [site(1)])
    activations, gradients = found.activations[site(1)], found.gradients[site(1)]
    by_hand = torch.einsum("nk,nkij->nij", cnn.stages[2][2].weight[targets], activations) / 64
    torch.testing.assert_close(grad_cam(activations, gradients), by_hand.detach(), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(hires_cam(activations, gradients), by_hand.detach(), rtol=1e-4, atol=1e-6)


def test_hires_cam_sums_to_the_gradient_along_the_activation():
    activations, gradients = drawn()
    found = hires_cam(activations, gradients).sum((1, 2))
    torch.testing.assert_close(found, (activations * gradients).sum((1, 2, 3)))


def test_grad_cam_pp_by_loops():
    activations, gradients = drawn((1, 2, 2, 2))
    wanted = np.zeros((2, 2))
    for a, g in zip(activations[0].double().numpy(), gradients[0].double().numpy(), strict=True):
        alpha = g**2 / (2 * g**2 + g**3 * a.sum())
        wanted += (alpha * np.maximum(g, 0)).sum() * a
    np.testing.assert_allclose(grad_cam_pp(activations, gradients)[0].numpy(), wanted, rtol=1e-4)


def test_grad_cam_pp_of_no_gradient_is_zero_not_nan():
    activations, _ = drawn()
    assert float(grad_cam_pp(activations, torch.zeros_like(activations)).abs().max()) == 0


def test_layer_cam_takes_positive_gradients_alone():
    activations, gradients = drawn()
    torch.testing.assert_close(
        layer_cam(activations, gradients) + layer_cam(activations, -gradients),
        (activations * gradients.abs()).sum(1),
    )


@pytest.mark.parametrize("shape", [(3, 2, 4, 5), (3, 40, 4, 5)])
def test_eigen_cam_is_the_first_singular_component(shape):
    activations, _ = drawn(shape)
    u, s, _ = np.linalg.svd(activations.flatten(2).mT.double().numpy(), full_matrices=False)
    component = u[:, :, 0] * s[:, :1]
    component *= np.where(component.sum(1, keepdims=True) < 0, -1, 1)
    np.testing.assert_allclose(eigen_cam(activations).flatten(1).numpy(), component, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("method", CAMS)
@pytest.mark.parametrize("axes", [Axes.NHWC, Axes.TOKENS, Axes.CHANNELS_FIRST_TOKENS])
def test_every_layout_gives_the_permuted_map(method, axes):
    activations, gradients = drawn()
    laid = {
        Axes.NHWC: lambda x: x.permute(0, 2, 3, 1),
        Axes.TOKENS: lambda x: torch.cat([torch.full((2, 2, 3), 99.0), x.flatten(2).mT], 1),
        Axes.CHANNELS_FIRST_TOKENS: lambda x: torch.cat([torch.full((2, 3, 2), 99.0), x.flatten(2)], 2),
    }[axes]
    layout = Layout(axes, 4, 5, prefix=0 if axes is Axes.NHWC else 2)
    found = CAMS[method](layout.to_nchw(laid(activations)), layout.to_nchw(laid(gradients)))
    torch.testing.assert_close(found, CAMS[method](activations, gradients), rtol=1e-4, atol=1e-5)


@given(st.permutations(range(6)), st.integers(0, 10**6))
def test_the_order_of_channels_does_not_matter(order, seed):
    rng = torch.Generator().manual_seed(seed)
    activations, gradients = torch.randn(2, 1, 6, 3, 3, generator=rng)
    for compute in CAMS.values():
        same = compute(activations[:, list(order)], gradients[:, list(order)])
        torch.testing.assert_close(same, compute(activations, gradients), rtol=1e-3, atol=1e-4)


def test_batches_do_not_change_maps(cnn, monkeypatch):
    images = torch.rand(7, 3, 16, 16)
    score = contrastive(torch.tensor([0, 1, 2, 0, 1, 2, 0]))
    asked = [Candidate("grad-cam", site(1)), Candidate("occlusion"), Candidate("integrated-gradients")]
    whole = maps_of(cnn, images, score, asked)
    monkeypatch.setattr("biaskit.saliency.methods.BATCH", 3)
    parts = maps_of(cnn, images, score, asked)
    for candidate in asked:
        torch.testing.assert_close(
            parts[candidate].signed, whole[candidate].signed, rtol=1e-3, atol=1e-3, msg=str(candidate)
        )
        torch.testing.assert_close(parts[candidate].scores, whole[candidate].scores)


def test_rollout_of_uniform_attention_is_uniform_and_of_none_is_blank():
    layout = Layout(Axes.TOKENS, 2, 2, prefix=1)
    uniform = torch.full((1, 3, 5, 5), 0.2)
    torch.testing.assert_close(attention_rollout([uniform], layout), torch.full((1, 2, 2), 0.1))
    itself = torch.eye(5).expand(1, 3, 5, 5)
    assert float(attention_rollout([itself, itself], layout).abs().max()) == 0


def test_rollout_follows_the_path_of_attention():
    """The class token reads token 2 in the last block, and token 2 read token 4 in the first."""
    first, last = torch.eye(5).repeat(2, 1, 1)
    first[2], last[0] = torch.eye(5)[4], torch.eye(5)[2]
    found = attention_rollout([m.expand(1, 1, 5, 5) for m in (first, last)], Layout(Axes.TOKENS, 2, 2, 1))
    torch.testing.assert_close(found, torch.tensor([[[0.0, 0.25], [0.0, 0.25]]]))


def test_rollout_refuses_windows():
    with pytest.raises(LayoutError, match="all 17 tokens"):
        attention_rollout([torch.full((4, 2, 4, 4), 0.25)], Layout(Axes.TOKENS, 4, 4, 1))
