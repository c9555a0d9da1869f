"""Digests that tell one model from another."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from biaskit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_SAFE = "*.safetensors"
_PICKLED = "*.bin"
_TEXTS = (
    "config.json",
    "tokenizer*",
    "vocab*",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template*",
    "preprocessor_config.json",
    "processor_config.json",
    "*.model",
)


def of_folder(folder: Path) -> str:
    """Digest weights, tokenizer and config of a model folder: SHA-256 in hex.

    Files are read in pieces, so memory stays flat however large the model is.
    """
    digest = hashlib.sha256()
    weights = _SAFE if any(folder.glob(_SAFE)) else _PICKLED
    for path in sorted({path for pattern in (weights, *_TEXTS) for path in folder.glob(pattern)}):
        with path.open("rb") as stream:
            digest.update(f"{path.name}\0{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


def of_pipeline(folder: Path) -> str:
    """Digest a folder of diffusers, component by component: SHA-256 in hex."""
    parts = [f"{part.name}:{of_folder(part)}" for part in sorted(folder.iterdir()) if part.is_dir()]
    files = [*sorted(folder.glob("model_index.json")), *sorted(folder.glob("*/scheduler_config.json"))]
    return of_texts([*parts, *(path.read_text(encoding="utf-8") for path in files)])


def of_texts(texts: Iterable[str]) -> str:
    """Digest texts one after the other: SHA-256 in hex."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def of_module(module: nn.Module, config: str, tokenizer: Any = None) -> str:
    """Digest the state of a model that is already in memory, its config and its tokenizer: SHA-256 in hex.

    Raises:
        RequestError: Weights were moved out of memory and cannot be read.
    """
    digest = hashlib.sha256(config.encode())
    digest.update(_tokenizer_text(tokenizer).encode())
    for name, weight in sorted(module.state_dict().items()):
        if not isinstance(weight, torch.Tensor):
            continue
        if weight.is_meta:
            raise RequestError(
                "Some weights of this model lie outside memory, so they cannot be told from another model's.",
                fix="Open the model by its name with device 'balanced' instead of handing it over.",
            )
        data = weight.detach().cpu().contiguous()
        digest.update(f"{name}\0{data.dtype}\0{tuple(data.shape)}\n".encode())
        digest.update(data.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _tokenizer_text(tokenizer: Any) -> str:
    if tokenizer is None:
        return ""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return str(backend.to_str()) if backend is not None else json.dumps(tokenizer.get_vocab(), sort_keys=True)
