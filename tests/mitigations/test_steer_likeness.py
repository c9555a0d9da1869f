"""CLIP-I and CLIP-T of a tiny CLIP in the hub's layout, against cosines computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from models import tiny_clip
from transformers import AutoModel, AutoProcessor, AutoTokenizer

from biaskit.errors import ModelLoadError
from biaskit.mitigations.steer_likeness import Likeness
from biaskit.mitigations.steer_numbers import Compared
from biaskit.models import load_encoder
from biaskit.protocols import Drawing
from biaskit.records.estimate import Unit

PROMPTS = ["a photo of the doctor", "a portrait of the doctor"] * 4
ABOUT = Compared("doctor", "female", "steered")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_clip.write(tmp_path_factory.mktemp("clip") / "clip")


def drawing(seed):
    pixels = torch.rand(8, 3, tiny_clip.SIDE, tiny_clip.SIDE, generator=torch.Generator().manual_seed(seed))
    return Drawing(latents=pixels, pixels=pixels)


def by_hand(folder, drawn):
    """Embeddings of images and prompts by transformers alone."""
    model = AutoModel.from_pretrained(folder)
    tokens = AutoTokenizer.from_pretrained(folder)(PROMPTS, padding=True, return_tensors="pt")
    images = [(one.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8) for one in drawn.pixels]
    given = AutoProcessor.from_pretrained(folder, use_fast=False).image_processor(images, return_tensors="pt")
    with torch.inference_mode():
        rows = (model.get_image_features(**given), model.get_text_features(**tokens))
    unit = [one if isinstance(one, torch.Tensor) else one.pooler_output for one in rows]
    return [torch.nn.functional.normalize(one, dim=1).double().numpy() for one in unit]


def values(findings):
    return {one.metric.removeprefix("mitigation."): one.estimate for one in findings}


def test_they_are_cosines_with_intervals_and_a_test_each(folder):
    before, after = drawing(0), drawing(1)
    (first, texts), (second, _) = by_hand(folder, before), by_hand(folder, after)
    likeness = Likeness.of(load_encoder(folder), before, PROMPTS, np.random.default_rng(0))
    found = values(likeness.after(ABOUT, after))
    expected = {
        "clip_image": (first * second).sum(axis=1),
        "clip_text": (second * texts).sum(axis=1),
        "clip_text_change": ((second - first) * texts).sum(axis=1),
    }
    assert found.keys() == expected.keys()
    for name, each in expected.items():
        estimate = found[name]
        assert estimate.value == pytest.approx(each.mean(), abs=2e-3)
        reach = 2.3646 * each.std(ddof=1) / 8**0.5
        assert estimate.interval.high - estimate.value == pytest.approx(reach, abs=2e-3)
        assert (estimate.unit, estimate.n, estimate.resampling_unit) == (Unit.COSINE, 8, "images")
        assert 0 < estimate.null.p <= 1
    was = likeness.before(ABOUT).estimate
    assert was.value == pytest.approx((first * texts).sum(axis=1).mean(), abs=2e-3)
    assert found["clip_text"].value - was.value == pytest.approx(found["clip_text_change"].value)


def test_an_edit_that_changes_nothing_keeps_every_image_and_another_draw_keeps_none(folder):
    encoder, before = load_encoder(folder), drawing(0)
    likeness = Likeness.of(encoder, before, PROMPTS, np.random.default_rng(0))
    same, other = (values(likeness.after(ABOUT, drawing(seed))) for seed in (0, 7))
    assert same["clip_image"].value == pytest.approx(1.0)
    assert same["clip_image"].null.p <= 0.002
    assert (same["clip_text_change"].value, same["clip_text_change"].null.p) == (0.0, 1.0)
    assert other["clip_image"].null.p > 0.01


def test_one_prompt_has_no_test_and_says_why(folder):
    likeness = Likeness.of(load_encoder(folder), drawing(0), ["the doctor"] * 8, np.random.default_rng(0))
    estimate = likeness.before(ABOUT).estimate
    assert estimate.null is None
    assert "one prompt" in estimate.reason


def test_a_folder_that_holds_no_encoder_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelLoadError, match="no text-image encoder"):
        load_encoder(str(tmp_path))
    with pytest.raises(ModelLoadError):
        load_encoder(str(tmp_path / "nowhere"))
