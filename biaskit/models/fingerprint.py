"""Digests that tell one model from another."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
_TEXT = ("*.json", "*.txt", "*.model", "*.jinja")
_IGNORED = frozenset({"README.md", "trainer_state.json", "generation_config.json"})


def of_folder(folder: Path, settings: Mapping[str, str]) -> str:
    """Digest weights, tokenizer and config of a model folder, and how texts are read with them.

    Args:
        folder: A model folder.
        settings: What changes activations without being in the folder, such as the number format.

    Returns:
        SHA-256 in hex.
    """
    digest = _started(settings)
    patterns = _WEIGHTS[:1] if any(folder.glob(_WEIGHTS[0])) else _WEIGHTS
    for path in sorted({path for pattern in (*patterns, *_TEXT) for path in folder.glob(pattern)}):
        if path.name not in _IGNORED:
            with path.open("rb") as stream:
                digest.update(f"{path.name}\0{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


def of_module(module: nn.Module, config: str, tokenizer: str, settings: Mapping[str, str]) -> str:
    """Digest the state of a model that is already in memory, its config and its tokenizer.

    Args:
        module: The model.
        config: Its config as text.
        tokenizer: Its tokenizer as text.
        settings: What changes activations without being in any of them.

    Returns:
        SHA-256 in hex.
    """
    digest = _started(settings)
    digest.update(config.encode())
    digest.update(tokenizer.encode())
    for name, weight in sorted(module.state_dict().items()):
        data = weight.detach().to("cpu").contiguous()
        digest.update(f"{name}\0{data.dtype}\0{tuple(data.shape)}\n".encode())
        digest.update(data.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def of_tokenizer(tokenizer: Any) -> str:
    """Return all of a tokenizer that decides over token ids, as text."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        return str(backend.to_str())
    return json.dumps(tokenizer.get_vocab(), sort_keys=True)


def _started(settings: Mapping[str, str]) -> hashlib._Hash:
    return hashlib.sha256(json.dumps(dict(settings), sort_keys=True).encode())
