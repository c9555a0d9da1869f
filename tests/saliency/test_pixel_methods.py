import pytest
import torch

from biaskit.errors import RequestError, UnknownNameError
from biaskit.saliency.fills import filling
from biaskit.saliency.gradient_x_input import gradient_x_input
from biaskit.saliency.integrated_gradients import integrated_gradients
from biaskit.saliency.methods import Candidate, maps_of
from biaskit.saliency.occlusion import cell_numbers, occlusion
from biaskit.saliency.scores import contrastive
from tests.saliency.conftest import patch_classifier, site


@pytest.fixture
def score():
    return contrastive(torch.zeros(48, dtype=torch.long))


def test_occlusion_of_a_linear_score_is_what_the_cell_holds(region, patches, score):
    model, black = patch_classifier(region), torch.zeros(1, 3, 16, 16)
    found = occlusion(model, patches, score, (4, 4), black.expand_as(patches))
    evidence = 8 * ((patches[:, 0] - patches[:, 1]) * region) / region.sum()
    cells = evidence.unfold(1, 4, 4).unfold(2, 4, 4).sum((3, 4))
    torch.testing.assert_close(found, cells, rtol=1e-4, atol=1e-5)
    assert int((found[0] != 0).sum()) == 1


def test_cells_cover_the_image_where_sides_do_not_divide():
    cells = cell_numbers(10, 7, (4, 3))
    assert cells.unique().tolist() == list(range(12))
    assert sorted(set(cells[:, 0].bincount(minlength=1).tolist()) - {0}) == [2, 3]


def test_integrated_gradients_sum_to_the_change_of_the_score(cnn):
    pixels, targets = torch.rand(3, 3, 16, 16), torch.tensor([0, 1, 2])
    black = torch.zeros_like(pixels)
    found = integrated_gradients(cnn, pixels, contrastive(targets), black, steps=64)
    change = contrastive(targets)(cnn.logits(pixels)) - contrastive(targets)(cnn.logits(black))
    torch.testing.assert_close(found.sum((1, 2)), change, rtol=0.02, atol=2e-3)


def test_gradient_x_input_of_a_linear_score_sums_to_it(region, patches, score):
    model = patch_classifier(region)
    found = gradient_x_input(model, patches, score)
    torch.testing.assert_close(found.sum((1, 2)), score(model.logits(patches)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", ["occlusion", "integrated-gradients", "gradient-x-input"])
def test_pixel_methods_leave_pixels_and_gradient_mode_alone(region, patches, score, method):
    kept = patches.clone()
    with torch.no_grad():
        maps = maps_of(patch_classifier(region), patches, score, [Candidate(method)])[Candidate(method)]
        assert not torch.is_grad_enabled()
    assert not maps.signed.requires_grad
    assert torch.equal(patches, kept)
    assert maps.site is None


def test_unknown_method_and_missing_layer(region, patches, score):
    model = patch_classifier(region)
    with pytest.raises(UnknownNameError, match="grad-cam"):
        maps_of(model, patches, score, [Candidate("gradcam", site(0))])
    with pytest.raises(RequestError, match="reads a layer"):
        maps_of(model, patches, score, [Candidate("grad-cam")])
    with pytest.raises(RequestError, match="no image"):
        maps_of(model, patches[:0], score.rows(torch.arange(0)), [Candidate("grad-cam", site(0))])


def test_fills():
    pixels = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    colour = filling(pixels, "mean")
    assert colour.flatten(2).std(2).max() < 1e-6
    torch.testing.assert_close(colour[0, :, 0, 0], pixels.mean((0, 2, 3)))
    flat = torch.full((1, 3, 16, 16), 0.3)
    torch.testing.assert_close(filling(flat, "blur"), flat)
    assert filling(pixels, "blur").var() < 0.2 * pixels.var()
    noise = [filling(pixels, "noise", torch.Generator().manual_seed(1)) for _ in range(2)]
    assert torch.equal(*noise)
    assert filling(pixels, "zero").abs().max() == 0
    with pytest.raises(RequestError, match="generator"):
        filling(pixels, "noise")
    with pytest.raises(UnknownNameError, match="blur"):
        filling(pixels, "blurr")
