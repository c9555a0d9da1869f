"""retrain-head from images to a judged head: on features with a planted shortcut, and on organism:shapes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from analyzers.recomputing import recomputed, silent

from biaskit import mitigations, models, organisms
from biaskit.errors import NothingAuditedError, RequestError, UnknownNameError
from biaskit.images.in_memory import image_set
from biaskit.images.selecting import limited
from biaskit.mitigations.retrain_images import RetrainImages
from biaskit.mitigations.retrain_split import split_of
from biaskit.session import VisionSession

SIDE = 4


class Pooled(torch.nn.Module):
    """Reads the mean of each channel; the head looks at the second alone, which is the shortcut."""

    def __init__(self):
        super().__init__()
        self.pool = torch.nn.AdaptiveAvgPool2d(1)
        self.head = torch.nn.Linear(3, 2)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[0.0, 4.0, 0.0], [0.0, -4.0, 0.0]]))
            self.head.bias.zero_()

    def forward(self, pixels):
        return self.head(self.pool(pixels).flatten(1))


def pictures(agree=0.5, count=240, seed=0, parts=True, **attributes):
    """Images whose red says the class and whose green says the ground, which agree in a share of them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=count)
    ground = np.where(rng.random(count) < agree, labels, 1 - labels)
    pixels = np.full((count, SIDE, SIDE, 3), 128, np.uint8)
    pixels[..., 0] = (128 + np.where(labels, -40, 40) + rng.normal(0, 12, count))[:, None, None]
    pixels[..., 1] = (128 + np.where(ground, -60, 60))[:, None, None]
    part = ["validation" if row % 2 else "test" for row in range(count)] if parts else ()
    given = {"ground": ["land" if one else "water" for one in ground]}
    return image_set(
        pixels, ["b" if one else "a" for one in labels], attributes=given | attributes, parts=part
    )


@pytest.fixture(scope="module")
def model():
    half = (0.5, 0.5, 0.5)
    return models.load(Pooled(), classes=("a", "b"), size=(SIDE, SIDE), mean=half, std=half)


def session(model, *images, seed=0):
    return VisionSession(model=model, images=images, seed=seed)


@pytest.fixture(scope="module")
def judged(model):
    asked, made = session(model, pictures()), RetrainImages()
    remedy = made.find(asked, None)
    return made.audit(asked, remedy), remedy


def number(analysis, metric, way):
    return next(one for one in analysis.findings if one.metric == metric and one.concepts[1] == way)


def test_a_head_that_reads_the_shortcut_is_mended(judged):
    analysis, _ = judged
    before, after = (number(analysis, "retraining.worst_group", way) for way in ("before", "retrained"))
    assert before.estimate.value == 0.0
    assert after.estimate.value > 0.9
    assert after.estimate.interval.low > before.estimate.interval.high
    change = number(analysis, "retraining.hard_group_change", "retrained").estimate
    assert change.interval.low > 0.8
    assert change.null.p < 0.01
    whole = [number(analysis, "retraining.accuracy", way).estimate for way in ("before", "retrained")]
    moved = number(analysis, "retraining.accuracy_change", "retrained").estimate
    assert whole[1].value - whole[0].value == pytest.approx(moved.value)
    assert analysis.dots[0].series == ("before", "retrained", "refit without groups")
    for one in analysis.findings:
        assert one.estimate.null is not None or one.estimate.reason


def test_every_number_is_computed_again_from_held_out_images(judged):
    analysis, _ = judged
    changes = {"accuracy_change", "hard_group_change"}
    assert recomputed(analysis) == {"worst_group", "accuracy", "shuffled"} | changes
    assert silent(analysis) == set()


def test_images_that_were_sampled_together_count_once(model):
    """Where a head puts all images right, or changes none, as many clusters stand behind it."""
    images = pictures(agree=0.5)
    together = dataclasses.replace(images, clusters=tuple(str(row // 4) for row in range(len(images))))
    asked, made = session(model, together), RetrainImages(shuffles=2)
    analysis = made.audit(asked, made.find(asked, None))
    assert number(analysis, "retraining.accuracy", "retrained").estimate.n == len(images) // 4
    assert len(recomputed(analysis)) == 5
    assert silent(analysis) == set()


def test_groups_that_say_nothing_are_no_better_than_shuffled_ones_and_rare_ones_are(model):
    """On balanced images shuffled groups do as well; where nearly all agree they do not."""

    def p(seed, agree, count, shuffles):
        asked, made = session(model, pictures(agree, count, seed)), RetrainImages(shuffles=shuffles)
        analysis = made.audit(asked, made.find(asked, None))
        return number(analysis, "retraining.shuffled", "retrained").estimate.null.p

    assert np.mean([p(seed, 0.5, 120, 4) for seed in range(5)]) > 0.35
    assert p(0, 0.93, 600, 9) == 0.1


def test_the_telling_attribute_is_found_on_the_images_that_are_fitted_on(model):
    coin = ["heads" if row % 3 else "tails" for row in range(240)]
    split = split_of(session(model, pictures(coin=coin)), "")
    assert split.attribute == "ground"
    assert not set(split.fitted.rows) & set(split.held.rows)
    assert split_of(session(model, pictures(coin=coin)), "coin").attribute == "coin"


def test_images_without_parts_are_halved(model):
    split = split_of(session(model, pictures(parts=False)), "")
    assert sorted((*split.fitted.rows, *split.held.rows)) == list(range(240))
    assert len(split.fitted.rows) == 120
    assert split.fitted.rows == split_of(session(model, pictures(parts=False)), "").fitted.rows


def test_a_saved_head_does_the_same_and_fits_its_model_alone(model, judged, tmp_path):
    _, remedy = judged
    remedy.save(tmp_path / "remedy")
    read = mitigations.build("retrain-head", {}).load(tmp_path / "remedy")
    pixels = torch.rand(5, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    assert torch.equal(read.apply(model).logits(pixels), remedy.apply(model).logits(pixels))
    other = Pooled()
    torch.nn.init.ones_(other.head.bias)
    with pytest.raises(RequestError, match="another model"):
        read.apply(models.load(other, classes=("a", "b"), size=(SIDE, SIDE)))


@pytest.mark.parametrize(
    ("images", "attribute", "error", "said"),
    [
        ((), "", NothingAuditedError, "No images"),
        ((pictures(), pictures(seed=1)), "", RequestError, "one set"),
        ((pictures(),), "grond", UnknownNameError, "ground"),
        ((pictures(count=30),), "", RequestError, "15 images"),
    ],
)
def test_what_cannot_be_fitted_is_refused(model, images, attribute, error, said):
    with pytest.raises(error, match=said):
        split_of(session(model, *images), attribute)


def test_settings_out_of_range_are_refused():
    with pytest.raises(RequestError, match="shuffles"):
        RetrainImages(shuffles=0)
    with pytest.raises(RequestError, match="'rule' of retrain-head"):
        mitigations.build("retrain-head", {"rule": "luck"})


@pytest.mark.slow
def test_the_shipped_classifier_is_mended():
    asked = session(models.load("organism:shapes"), limited(organisms.images("shapes"), 200))
    made = RetrainImages(attribute="patch")
    analysis = made.audit(asked, made.find(asked, None))
    assert number(analysis, "retraining.worst_group", "before").estimate.value <= 0.1
    assert number(analysis, "retraining.worst_group", "retrained").estimate.interval.low > 0.4
