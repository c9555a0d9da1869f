"""Text-image models in open_clip's own format (a folder with `open_clip_config.json`) as encoders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import open_clip
import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.errors import ModelLoadError
from biaskit.models import fingerprint
from biaskit.models.encoder_pixels import Fixed, Preparation
from biaskit.models.opening import choose_device, explained
from biaskit.models.sources import Source, require_weights
from biaskit.models.text_image import rows_of
from biaskit.models.vision_input import VisionInput

if TYPE_CHECKING:
    from pathlib import Path

_CONFIG = "open_clip_config.json"


@dataclass(frozen=True, slots=True, eq=False)
class OpenClip:
    """A model of open_clip; rows have length 1, float32 on the CPU.

    Attributes:
        module: The model, with `encode_image` and `encode_text`.
        tokenizer: From a list of texts to token ids.
        prepare: From pixels to the image tower's argument.
        name: What was opened.
        fingerprint: SHA-256 over weights, tokenizer and config, in hex.
    """

    module: Any
    tokenizer: Any
    prepare: Preparation
    name: str
    fingerprint: str

    @property
    def width(self) -> int:
        """Length of an embedding."""
        return self.encode_texts(["a"]).shape[1]

    def encode_images(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Embed pixels in [0, 1] of any size; resizing and normalising are the encoder's own.

        Raises:
            ActivationError: An embedding is not a number.
        """
        device = self._device()

        def step(rows: Float[Tensor, "b c h w"]) -> Any:
            given = self.prepare(rows.to(device, torch.float32))
            return self.module.encode_image(given["pixel_values"])

        return rows_of(self.name, pixels, step)

    def encode_texts(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        """Embed texts; what is longer than the text tower reads is cut.

        Raises:
            ActivationError: An embedding is not a number.
        """
        device = self._device()

        def step(rows: Sequence[str]) -> Any:
            return self.module.encode_text(self.tokenizer(list(rows)).to(device))

        return rows_of(self.name, texts, step)

    def _device(self) -> torch.device:
        device: torch.device = next(self.module.parameters()).device
        return device


def open_encoder(source: Source, folder: Path, device: str) -> OpenClip:
    """Open the text-image model in a folder of open_clip.

    Raises:
        ModelLoadError: It cannot be opened.
        RequestError: There is no such device here.
    """
    require_weights(folder, source.label, allow_pickle=False)
    place = choose_device("auto" if device == "balanced" else device)
    with explained(source.name):
        named = f"local-dir:{folder}"
        module = open_clip.create_model(named, device=place, require_pretrained=True, weights_only=True)
        tokenizer = open_clip.get_tokenizer(named)
    return OpenClip(module.eval(), tokenizer, _prepared(folder), source.label, fingerprint.of_folder(folder))


def _prepared(folder: Path) -> Preparation:
    """Read how images are prepared; what the file leaves open is as open_clip sets it."""
    try:
        said = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
        given, tower = said.get("preprocess_cfg", {}), said["model_cfg"]["vision_cfg"]
        size = given.get("size", tower.get("image_size", 224))
        height, width = (size, size) if isinstance(size, int) else size
        shorter = given.get("resize_mode", "shortest") == "shortest"
        fixed = VisionInput(
            size=(height, width),
            mean=tuple(given.get("mean", open_clip.OPENAI_DATASET_MEAN)),
            std=tuple(given.get("std", open_clip.OPENAI_DATASET_STD)),
            resize=min(height, width) if shorter and height == width else (height, width),
            interpolation=given.get("interpolation", "bicubic"),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelLoadError(
            f"'{_CONFIG}' does not say how images are prepared.",
            why=f"{type(error).__name__}: {error}",
            fix="Check the file, or get it anew.",
        ) from error
    return Fixed(fixed)
