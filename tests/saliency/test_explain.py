"""The choice finds what is faithful, says so where nothing is, and is judged on other images."""

import numpy as np
import pytest
import torch
from torch import nn

from biaskit.errors import LayoutError, RequestError, UnknownNameError
from biaskit.records.estimate import Unit
from biaskit.saliency.choosing import Choosing, Judged, choose, doubts, live_site_below, usable_sites
from biaskit.saliency.classifier import Sensitivity
from biaskit.saliency.explain import explain
from biaskit.saliency.faithfulness import Trial
from biaskit.saliency.per_image import PerImage
from tests.saliency.conftest import Lambda, Staged, patch_classifier, site


@pytest.fixture
def scrambled(region):
    """Layer 0 shows where the evidence lies; layer 1 holds the same numbers in other places."""
    order = torch.randperm(256, generator=torch.Generator().manual_seed(0))
    back = order.argsort()
    evidence = patch_classifier(region).stages[1]
    return Staged(
        [
            nn.Identity(),
            Lambda(lambda x: x.flatten(2)[:, :, order].reshape(x.shape)),
            Lambda(lambda x: evidence(x.flatten(2)[:, :, back].reshape(x.shape))),
        ],
        [(16, 16), (16, 16)],
    )


@pytest.fixture
def zeros():
    return torch.zeros(48, dtype=torch.long)


def test_the_faithful_layer_is_chosen(scrambled, patches, zeros, rng):
    choice = choose(scrambled, patches, zeros, Choosing(method="hires-cam"), rng=rng)
    assert choice.candidate.site == site(0)
    assert not choice.low
    assert [one.candidate.site for one in choice.tried] == [site(0), site(1)]
    assert choice.judged.agreement.n == 32
    assert list(choice.by_class) == ["a"]


def test_an_unfaithful_layer_is_called_so(scrambled, patches, zeros, rng):
    explanation = explain(scrambled, patches, zeros, Choosing(method="hires-cam", site=site(1)), rng=rng)
    assert explanation.choice.low
    assert any("Low faithfulness" in remark for remark in explanation.remarks)


def test_with_the_method_open_occlusion_takes_over_where_no_layer_is_faithful(scrambled, patches, zeros, rng):
    scrambled.spatial_sites = lambda: (site(1),)
    choice = choose(scrambled, patches, zeros, rng=rng)
    assert choice.candidate.method == "occlusion"
    assert not choice.low
    assert any("No layer gives faithful maps" in remark for remark in choice.remarks)


def test_a_model_without_layers_over_the_image_gets_occlusion(region, patches, zeros, rng):
    flat = Staged([patch_classifier(region).stages[1]], [])
    explanation = explain(flat, patches, zeros, rng=rng)
    assert explanation.maps.method == "occlusion"
    assert not explanation.choice.low
    with pytest.raises(LayoutError, match="Use occlusion"):
        explain(flat, patches, zeros, Choosing(method="grad-cam"), rng=rng)


def test_a_dead_layer_is_named_with_the_one_to_use(patches, zeros, rng):
    """The head reads one token; above the mixing layer no other cell reaches it."""

    class Tokens(Staged):
        """The class token is carried beside the grid and is all that the head reads."""

        def forward(self, pixels):
            return self.sensitivity_parts(pixels)[-1]

        def sensitivity_parts(self, pixels):
            below = pixels * 1
            token = 4 * (below[:, :2] * below[:, :2]).mean((2, 3))
            above = below * 2
            return below, above, token + 0 * above[:, :2].detach().mean((2, 3))

        def sensitivity(self, pixels, score, sites):
            below, above, logits = self.sensitivity_parts(pixels.clone().requires_grad_())
            outputs, scores = {site(0): below, site(1): above}, score(logits)
            found = torch.autograd.grad(scores.sum(), [outputs[s] for s in sites], allow_unused=True)
            read = {s: outputs[s].detach() for s in sites}
            zero = {s: torch.zeros_like(read[s]) for s in sites}
            grads = {s: zero[s] if g is None else g for s, g in zip(sites, found, strict=True)}
            return Sensitivity(scores.detach(), logits.detach(), read, grads)

    tokens = Tokens([nn.Identity()], [(16, 16), (16, 16)])
    assert live_site_below(tokens, patches[:2], zeros[:2], site(1)) == site(0)
    found = explain(tokens, patches, zeros, Choosing(method="grad-cam", site=site(1)), rng=rng)
    assert found.maps.dead.all()
    assert any(
        "No cell at conv_out.1 reaches the score" in r and "Use conv_out.0." in r for r in found.remarks
    )
    chosen = choose(tokens, patches, zeros, Choosing(method="grad-cam"), rng=rng)
    assert chosen.candidate.site == site(0)


def test_a_choice_made_on_other_images_is_used_as_it_is(region, patches, zeros, rng):
    model = patch_classifier(region)
    choice = choose(model, patches[:24], zeros[:24], Choosing(method="hires-cam"), rng=rng)
    explanation = explain(model, patches[24:], zeros[24:], choice, rng=rng)
    assert explanation.choice is choice
    assert explanation.remarks == ()
    same = explain(model, patches, zeros, Choosing(method="hires-cam"), rng=rng)
    assert any("on images that are explained here" in remark for remark in same.remarks)


def test_choosing_and_judging_images_are_apart(region, patches, zeros, monkeypatch):
    model, seen = patch_classifier(region), []

    def spy(classifier, pixels, targets, settings):
        seen.append({float(image.sum()) for image in pixels})
        return Trial(classifier, pixels, targets, settings)

    monkeypatch.setattr("biaskit.saliency.choosing.Trial", spy)
    choice = choose(model, patches, zeros, Choosing(method="hires-cam"), rng=np.random.default_rng(1))
    assert [len(part) for part in seen] == [16, 32]
    assert not seen[0] & seen[1]
    assert {float(patches[image.place].sum()) for image in choice.images} == seen[1]


def test_images_that_were_sampled_together_are_judged_together(region, patches):
    model = patch_classifier(region)
    twice = torch.cat([patches, patches])
    named = tuple(str(row % len(patches)) for row in range(len(twice)))
    asked = Choosing(method="hires-cam", images=len(twice), clusters=named)
    choice = choose(model, twice, torch.zeros(len(twice)).long(), asked, rng=np.random.default_rng(0))
    together, values = choice.judged.agreement, np.array([image.agreement for image in choice.images])
    alone = PerImage(values, Unit.ONE, "m").estimate(np.random.default_rng(0))
    judged = [named[image.place] for image in choice.images]
    assert together.value == pytest.approx(alone.value)
    assert together.resampling_unit == "clusters of images"
    assert together.n == len(set(judged)) == len(judged) / 2 == 32
    assert together.interval.high - together.interval.low > alone.interval.high - alone.interval.low


def test_what_was_judged_is_the_mean_over_its_images(region, patches, zeros, rng):
    model = patch_classifier(region)
    targets = torch.arange(len(patches)) % 2
    choice = choose(model, patches, targets, Choosing(method="hires-cam"), rng=rng)
    assert {image.explained for image in choice.images} == set(choice.by_class)
    assert all(image.explained == model.classes[image.place % 2] for image in choice.images)
    judged = {"": choice.judged} | dict(choice.by_class)
    for name, own in judged.items():
        images = [image for image in choice.images if name in {"", image.explained}]
        for measure in ("agreement", "deletion", "insertion"):
            known = [getattr(image, measure) for image in images if getattr(image, measure) is not None]
            assert getattr(own, measure).value == pytest.approx(np.mean(known), abs=1e-15)


def test_targets_default_to_the_prediction(region, patches, rng):
    model = patch_classifier(region)
    assert explain(model, patches, rng=rng).targets.tolist() == model.logits(patches).argmax(1).tolist()


def test_the_same_seed_gives_the_same_choice(region, patches, zeros):
    model = patch_classifier(region)
    one, two = (choose(model, patches, zeros, rng=np.random.default_rng(3)) for _ in range(2))
    assert one == two


def test_layers_are_spread_and_unclear_ones_left_out(cnn):
    cnn.grids = [(16, 16), None, (8, 8), (8, 8), (4, 4), (1, 1)]
    assert usable_sites(cnn, 9) == (site(0), site(2), site(3), site(4))
    assert usable_sites(cnn, 2) == (site(0), site(4))


def test_refuses_too_few_images_and_unknown_names(region, patches, zeros, rng):
    model = patch_classifier(region)
    with pytest.raises(RequestError, match="at least six"):
        choose(model, patches[:4], zeros[:4], rng=rng)
    with pytest.raises(UnknownNameError, match="grad-cam"):
        choose(model, patches, zeros, Choosing(method="gradcam"), rng=rng)
    with pytest.raises(RequestError, match="48 images and 2 targets"):
        explain(model, patches, zeros[:2], rng=rng)


@pytest.mark.parametrize(
    ("agreement", "deletion", "insertion", "reasons"),
    [(0.7, 0.2, 0.1, 0), (0.7, 0.2, 0.0, 0), (0.4, 0.2, 0.1, 1), (0.7, 0.0, 0.0, 1), (0.7, 0.2, -0.2, 1)],
)
def test_what_counts_as_faithful(agreement, deletion, insertion, reasons, rng):
    def estimate(mean):
        noise = np.random.default_rng(0).normal(0, 0.05, 60)
        return PerImage(mean + noise - noise.mean(), "1", "x").estimate(rng)

    judged = Judged(*map(estimate, (agreement, agreement, deletion, insertion)))
    assert len(doubts(judged, 0.5)) == reasons
