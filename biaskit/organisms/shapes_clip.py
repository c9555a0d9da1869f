"""A tiny CLIP that knows the words of planted images, and one that shares their shortcut.

It is an ordinary `CLIPModel`: two transformer blocks over 4 x 4 pixel patches and two over words. It is
trained on images in which every factor is drawn apart from every other, so that it does not inherit the
association that an audited model learnt; the biased one is trained on a plant's own images and captions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from biaskit.images.image_set import Part
from biaskit.images.planting_captions import captions, vocabulary
from biaskit.images.planting_material import (
    DIGIT_SIDE,
    INKS,
    PATCHES,
    PLAIN,
    SIDE,
    TEXTURES,
    WORDS,
    digits_of,
)
from biaskit.images.planting_render import NONE, PATCH_AT, Factors, Look, render
from biaskit.records.progress import Silent

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedModel

    from biaskit.images.planting import Plant
    from biaskit.records.progress import Progress

MEAN, STD = 0.45, 0.25
WIDTH = 48
_LONGEST = 24
_SPECIAL = ("<pad>", "<unk>", "<bos>", "<eos>")


@dataclass(frozen=True, slots=True)
class ClipRecipe:
    """Schedule of the training.

    Attributes:
        images: Number of training images.
        steps: Optimizer steps.
        batch_size: Pairs a step.
        learning_rate: Peak of the one-cycle schedule.
    """

    images: int = 8000
    steps: int = 700
    batch_size: int = 128
    learning_rate: float = 3e-3


def train_clip(
    seed: int, recipe: ClipRecipe | None = None, plant: Plant | None = None, progress: Progress | None = None
) -> CLIPModel:
    """Train a tiny CLIP; about a minute of one processor core.

    The loss is the symmetric cross-entropy over a batch in which images with the same caption count as
    joint positives.

    Args:
        seed: Seed of images, captions, weights and batches; torch's global generator is left alone.
        recipe: Schedule of the training.
        plant: Train on this plant's images and captions instead of balanced ones.
        progress: Who is told how far the work is.
    """
    recipe, rng = recipe or ClipRecipe(), np.random.default_rng([seed, 3])
    factors = balanced_factors(recipe.images, rng) if plant is None else _biased_factors(plant)
    look = Look() if plant is None else plant.look
    texts = captions(factors, rng)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = CLIPModel(_config())
    batch = tokenizer()(list(texts), padding=True, return_tensors="pt")
    pairs = _Pairs(
        normalised(render(factors, look)), batch["input_ids"], batch["attention_mask"], _ids(texts)
    )
    _fit(model, pairs, recipe, torch.Generator().manual_seed(seed), progress or Silent())
    return model.eval()


def save_clip(model: CLIPModel, folder: Path) -> None:
    """Write model, tokenizer and preprocessing as an ordinary model folder."""
    save_quietly(model, folder)
    tokenizer().save_pretrained(folder)
    write_preprocessing(folder, "CLIPImageProcessor")


def save_quietly(model: PreTrainedModel, folder: Path) -> None:
    """Write weights and config without the bar that transformers would draw."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        model.save_pretrained(folder)
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


def write_preprocessing(folder: Path, kind: str) -> None:
    """Write the preprocessing that all models of planted images share."""
    settings = {
        "image_processor_type": kind,
        "do_resize": True,
        "size": {"height": SIDE, "width": SIDE},
        "resample": 2,
        "do_center_crop": False,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [MEAN] * 3,
        "image_std": [STD] * 3,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


def normalised(images: ndarray) -> Float[Tensor, "n c h w"]:
    """Return 8-bit images as the models take them."""
    pixels = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    return (pixels.float() / 255.0 - MEAN) / STD


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer of whole words."""
    words = {word: index for index, word in enumerate((*_SPECIAL, *vocabulary()))}
    inner = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [(token, words[token]) for token in ("<bos>", "<eos>")]
    inner.post_processor = processors.TemplateProcessing(single="<bos> $A <eos>", special_tokens=ends)
    named = dict(zip(("pad_token", "unk_token", "bos_token", "eos_token"), _SPECIAL, strict=True))
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, model_max_length=_LONGEST, clean_up_tokenization_spaces=False, **named
    )


def balanced_factors(n: int, rng: np.random.Generator, part: Part = Part.TRAIN) -> Factors:
    """Draw the factors of `n` images, each apart from every other; half of the digits are shifted."""
    values = rng.integers(len(WORDS), size=n)
    moved = rng.integers(PATCH_AT + 8, SIDE - DIGIT_SIDE + 1, size=(n, 2))
    texture = rng.integers(len(TEXTURES), size=n)
    patch = rng.integers(len(PATCHES), size=n)
    return Factors(
        digit=np.array([rng.choice(digits_of(part, int(value))) for value in values]),
        place=np.where(rng.random((n, 1)) < 0.5, moved, 14),
        scene=rng.integers(PLAIN + 1, size=n),
        crop=rng.random((n, 2)),
        patch=np.where(rng.random(n) < 0.8, patch, NONE),
        texture=np.where(rng.random(n) < 0.25, texture, NONE),
        ink=rng.integers(len(INKS), size=n),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    pixels: Float[Tensor, "n c h w"]
    tokens: Int[Tensor, "n t"]
    mask: Int[Tensor, "n t"]
    texts: Int[Tensor, " n"]


def _fit(
    model: CLIPModel, pairs: _Pairs, recipe: ClipRecipe, generator: torch.Generator, progress: Progress
) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, total_steps=recipe.steps)
    model.train()
    for _ in progress.track(range(recipe.steps), "learning words"):
        rows = torch.randperm(len(pairs.pixels), generator=generator)[: recipe.batch_size]
        found = model(
            input_ids=pairs.tokens[rows], attention_mask=pairs.mask[rows], pixel_values=pairs.pixels[rows]
        )
        same = pairs.texts[rows][:, None] == pairs.texts[rows]
        optimizer.zero_grad()
        contrastive_loss(found.logits_per_image, same).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()


def contrastive_loss(logits: Float[Tensor, "n n"], same: Bool[Tensor, "n n"]) -> Float[Tensor, ""]:
    """Return the symmetric cross-entropy with joint positives.

    Args:
        logits: Scaled similarity of each image (row) with each text (column).
        same: Which texts equal the image's own.
    """
    wanted = same.float() / same.sum(1, keepdim=True)
    cross_entropy = torch.nn.functional.cross_entropy
    return (cross_entropy(logits, wanted) + cross_entropy(logits.T, wanted)) / 2


def _biased_factors(plant: Plant) -> Factors:
    planted = plant.draw()
    return planted.drawn.factors.take(planted.rows(Part.TRAIN))


def _ids(texts: tuple[str, ...]) -> Int[Tensor, " n"]:
    seen: dict[str, int] = {}
    return torch.tensor([seen.setdefault(text, len(seen)) for text in texts])


def _config() -> CLIPConfig:
    shared: dict[str, Any] = {
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "projection_dim": WIDTH,
    }
    words = len(_SPECIAL) + len(vocabulary())
    ids = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    text = {**shared, **ids, "vocab_size": words, "max_position_embeddings": _LONGEST}
    vision = {**shared, "image_size": SIDE, "patch_size": 4}
    return CLIPConfig(text_config=text, vision_config=vision, projection_dim=WIDTH)
