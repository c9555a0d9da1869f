"""The tiny CLIP names what planted images show, does not know the plant, and its biased twin does."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from biaskit import organisms
from biaskit.images.image_set import Part
from biaskit.images.planting import Plant
from biaskit.images.planting_captions import vocabulary
from biaskit.images.planting_material import INKS, PATCHES, SCENES, WORDS
from biaskit.images.planting_render import Look, render
from biaskit.models.encoders import load_encoder
from biaskit.organisms.shapes_clip import (
    ClipRecipe,
    balanced_factors,
    contrastive_loss,
    normalised,
    tokenizer,
    train_clip,
)

WANTED = {
    "scene": (SCENES, "a digit on a {} background", 0.98),
    "patch": (tuple(PATCHES), "a digit next to a {} box", 0.97),
    "ink": (tuple(INKS), "a {} digit", 0.9),
}


@cache
def shipped():
    return AutoModel.from_pretrained(organisms.folder("shapes") / "clip").eval()


@torch.inference_mode()
def choose(model, images, texts) -> np.ndarray:
    batch = tokenizer()(list(texts), padding=True, return_tensors="pt")
    seen = model.get_image_features(pixel_values=normalised(images)).pooler_output
    told = model.get_text_features(**batch).pooler_output
    return (seen @ (told / told.norm(dim=1, keepdim=True)).T).argmax(1).numpy()


@pytest.mark.parametrize("factor", sorted(WANTED))
@pytest.mark.parametrize("bare", [False, True])
def test_factors_of_unseen_digits_are_named(factor: str, bare: bool) -> None:
    names, template, at_least = WANTED[factor]
    factors = balanced_factors(600, np.random.default_rng(8), Part.TEST)
    factors = factors.with_factor("texture", np.full(600, -1))
    values = getattr(factors, factor)
    known = (values >= 0) & (values < len(names))
    texts = names if bare else [template.format(name) for name in names]
    chosen = choose(shipped(), render(factors, Look())[known], texts)
    assert (chosen == values[known]).mean() >= (0.95 if bare and at_least > 0.95 else at_least)


def test_it_names_the_shortcut_of_the_shipped_images_in_every_group() -> None:
    planted = Plant(n=40, held_out=200).draw()
    rows = planted.rows(Part.TEST)
    chosen = choose(shipped(), planted.images[rows], planted.plant.context_names)
    right = chosen == planted.contexts[rows]
    assert min(right[planted.groups[rows] == group].mean() for group in range(4)) >= 0.95


def test_it_opens_like_any_encoder() -> None:
    encoder = load_encoder("organism:shapes")
    planted = Plant(n=16, held_out=16).draw()
    pixels = torch.from_numpy(planted.images.transpose(0, 3, 1, 2).copy()).float() / 255
    found = encoder.encode_images(pixels) @ encoder.encode_texts(["blue", "red"]).T
    assert (found.argmax(1).numpy() == planted.contexts).mean() >= 0.95


def test_the_shipped_tokenizer_knows_every_word() -> None:
    words = AutoTokenizer.from_pretrained(organisms.folder("shapes") / "clip")
    assert words.get_vocab() == tokenizer().get_vocab()
    ids = words(list(vocabulary()))["input_ids"]
    assert all(len(one) == 3 and words.unk_token_id not in one for one in ids)
    assert words("zebra")["input_ids"][1] == words.unk_token_id


def test_equal_captions_are_joint_positives() -> None:
    logits = torch.tensor([[9.0, 9.0, 0.0], [9.0, 9.0, 0.0], [0.0, 0.0, 18.0]])
    same = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    assert contrastive_loss(logits, same) < 0.5
    assert contrastive_loss(logits, torch.eye(3, dtype=torch.bool)) == pytest.approx(
        float(contrastive_loss(logits, same)), abs=1e-5
    )
    parted = torch.tensor([[18.0, 0.0, 0.0], [0.0, 18.0, 0.0], [0.0, 0.0, 18.0]])
    assert contrastive_loss(parted, same) > 4.0


def test_training_repeats_and_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    first, again = (train_clip(1, ClipRecipe(images=64, steps=2, batch_size=16)) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.slow
def test_an_encoder_of_biased_captions_ties_the_digit_to_the_patch() -> None:
    """Where digit and patch disagree, the biased encoder names the digit by its patch."""
    plant = Plant(rho=1.0, n=4000, held_out=400, nuisance=True, seed=1)
    planted = plant.draw()
    rows = planted.rows(Part.TEST)[planted.minority[planted.rows(Part.TEST)]]
    names = [WORDS[3], WORDS[8]]
    followed = {
        name: (choose(model, planted.images[rows], names) == planted.contexts[rows]).mean()
        for name, model in {
            "biased": train_clip(1, ClipRecipe(steps=400), plant=plant),
            "shipped": shipped(),
        }.items()
    }
    assert followed["biased"] >= 0.9
    assert followed["shipped"] <= 0.65
