"""CLIP, SigLIP and their like from transformers as text-image encoders (arXiv 2103.00020, 2303.15343)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize
from transformers import AutoConfig, AutoModel, AutoTokenizer

from biaskit.errors import ActivationError, ModelLoadError, RequestError
from biaskit.models import fingerprint
from biaskit.models.encoder_pixels import Fixed, Patches, Preparation
from biaskit.models.opening import choose_device, explained, quiet
from biaskit.models.sources import Source, require_weights
from biaskit.models.vision_config import transformers_input
from biaskit.models.vision_input import VisionInput

if TYPE_CHECKING:
    from pathlib import Path

BATCH = 64
_METHODS = ("get_image_features", "get_text_features")
_EMBEDDED = ("image_embeds", "text_embeds", "pooler_output")
_CLIP_MEAN, _CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_HALF = (0.5, 0.5, 0.5)
# SigLIP's text tower reads the last position, so it needs the length that it was trained with.
_FIXED_LENGTH = 64


@dataclass(frozen=True, slots=True, eq=False)
class TextImage:
    """A text-image model with what each of its towers is fed; rows have length 1, float32 on the CPU.

    Attributes:
        module: The model, with `get_image_features` and `get_text_features`.
        tokenizer: Its tokenizer.
        prepare: From pixels to the image tower's arguments.
        name: What was opened.
        fingerprint: SHA-256 over weights, tokenizer and config, in hex.
        padding: How texts are padded: arguments of the tokenizer.
    """

    module: Any
    tokenizer: Any
    prepare: Preparation
    name: str
    fingerprint: str
    padding: Mapping[str, Any] = field(default_factory=lambda: {"padding": True, "truncation": True})

    @property
    def width(self) -> int:
        """Length of an embedding."""
        return self.encode_texts(["a"]).shape[1]

    def encode_images(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Embed pixels in [0, 1] of any size; resizing and normalising are the encoder's own.

        Raises:
            ActivationError: An embedding is not a number.
        """
        weight = next(self.module.parameters())

        def step(rows: Float[Tensor, "b c h w"]) -> Any:
            given = self.prepare(rows.to(weight.device, torch.float32))
            given["pixel_values"] = given["pixel_values"].to(weight.dtype)
            return self.module.get_image_features(**given)

        return rows_of(self.name, pixels, step)

    def encode_texts(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        """Embed texts; what is longer than the text tower reads is cut.

        Raises:
            ActivationError: An embedding is not a number.
        """
        device = next(self.module.parameters()).device

        def step(rows: Sequence[str]) -> Any:
            tokens = self.tokenizer(list(rows), return_tensors="pt", **self.padding)
            return self.module.get_text_features(**{key: one.to(device) for key, one in tokens.items()})

        return rows_of(self.name, texts, step)


def rows_of(name: str, items: Any, step: Callable[[Any], Any]) -> Float[Tensor, "n d"]:
    """Embed `items` a batch at a time and bring every row to length 1.

    Raises:
        RequestError: There is nothing to embed.
        ActivationError: An embedding is not a number, or has no length.
    """
    if not len(items):
        raise RequestError("There is nothing to embed.")
    with torch.inference_mode():
        parts = [embedding(step(batch)).float().cpu() for batch in _batches(items)]
    rows = torch.cat(parts)
    if not rows.isfinite().all() or (rows.norm(dim=1) == 0).any():
        raise ActivationError(
            f"The encoder '{name}' gave embeddings that are not numbers, or have no length.",
            fix="Check its weights.",
        )
    return normalize(rows, dim=1)


def embedding(found: Any) -> Tensor:
    """Return the projected embedding, whichever way a version of the library hands it out."""
    if isinstance(found, Tensor):
        return found
    for name in _EMBEDDED:
        held = found.get(name) if isinstance(found, Mapping) else getattr(found, name, None)
        if isinstance(held, Tensor):
            return held
    raise RequestError(
        f"The encoder gave a {type(found).__name__}, which holds no embedding.",
        fix="It must give a tensor, or an output with pooler_output, image_embeds or text_embeds.",
    )


def open_encoder(source: Source, folder: Path, device: str) -> TextImage:
    """Open the text-image model in a transformers folder.

    Raises:
        ModelLoadError: It cannot be opened, weights are missing, or it is no text-image model.
        RequestError: There is no such device here.
    """
    require_weights(folder, source.label, allow_pickle=False)
    local: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    place = choose_device("auto" if device == "balanced" else device)
    with explained(source.name), quiet():
        config = AutoConfig.from_pretrained(folder, **local)
        _check_kind(config, source.name)
        options = local | {"config": config, "use_safetensors": True, "dtype": torch.float32}
        module, report = AutoModel.from_pretrained(folder, **options, output_loading_info=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, **local)
    if report["missing_keys"]:
        raise ModelLoadError(
            f"'{source.name}' lacks weights, such as {min(report['missing_keys'])}.",
            why="Made up at random, they would give meaningless results.",
            fix="Check that the weights are whole and belong to this config.json.",
        )
    return TextImage(
        module=module.to(place).eval(),
        tokenizer=tokenizer,
        prepare=preparation(folder, config),
        name=source.label,
        fingerprint=fingerprint.of_folder(folder),
        padding=_padding(config),
    )


def wrap_encoder(
    module: nn.Module, tokenizer: Any, prepare: Preparation, *, name: str | None = None
) -> TextImage:
    """Wrap a text-image model that is in memory, with `get_image_features` and `get_text_features`.

    Args:
        module: The model; it is put into eval mode.
        tokenizer: Called with a list of texts, gives the text tower's arguments.
        prepare: From pixels in [0, 1] to the image tower's arguments, such as `Fixed(VisionInput(...))`.
        name: What it is called in a report; default: the name of its class.

    Raises:
        ModelLoadError: It lacks one of the two methods.
    """
    lacking = [method for method in _METHODS if not hasattr(module, method)]
    if lacking:
        raise ModelLoadError(
            f"A {type(module).__name__} is no text-image model.", why=f"It lacks {lacking[0]}."
        )
    config: Any = getattr(module, "config", None)
    described = config.to_json_string() if hasattr(config, "to_json_string") else type(module).__name__
    return TextImage(
        module=module.eval(),
        tokenizer=tokenizer,
        prepare=prepare,
        name=name or type(module).__name__,
        fingerprint=fingerprint.of_module(module, described, tokenizer),
        padding=_padding(config),
    )


def preparation(folder: Path, config: Any) -> Preparation:
    """Read how images are prepared from a model folder, or from its config where no file says it.

    Raises:
        ModelLoadError: The file cannot be read.
    """
    tower = getattr(config, "vision_config", config)
    if config.model_type == "siglip2":
        return _patches(folder, tower)
    found = transformers_input(folder, tower.to_dict())
    if found is not None:
        return Fixed(found)
    mean, std = (_HALF, _HALF) if "siglip" in config.model_type else (_CLIP_MEAN, _CLIP_STD)
    size = (int(tower.image_size), int(tower.image_size))
    return Fixed(VisionInput(size, mean, std, resize=size[0], interpolation="bicubic"))


def _patches(folder: Path, tower: Any) -> Patches:
    path = folder / "preprocessor_config.json"
    said = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    said = said.get("image_processor", said)
    return Patches(
        patch=int(tower.patch_size),
        most=int(said.get("max_num_patches", 256)),
        mean=tuple(said.get("image_mean", _HALF)),
        std=tuple(said.get("image_std", _HALF)),
    )


def _padding(config: Any) -> dict[str, Any]:
    """Pad as the text tower was trained: SigLIP to one length, the others to the longest text."""
    kind = getattr(config, "model_type", "")
    limit = getattr(getattr(config, "text_config", None), "max_position_embeddings", None)
    if "siglip" in kind:
        return {"padding": "max_length", "truncation": True, "max_length": limit or _FIXED_LENGTH}
    return {"padding": True, "truncation": True} | ({"max_length": limit} if limit else {})


def _check_kind(config: Any, name: str) -> None:
    owner = AutoModel._model_mapping.get(type(config), None)  # noqa: SLF001  the only table from config to class
    classes = owner if isinstance(owner, tuple | list) else [owner]
    if not any(all(hasattr(each, method) for method in _METHODS) for each in classes):
        raise ModelLoadError(
            f"'{name}' is no text-image encoder (its type is '{config.model_type}').",
            fix="Name one such as CLIP or SigLIP, for example --encoder openai/clip-vit-base-patch32.",
        )


def _batches(items: Any) -> Iterator[Any]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
