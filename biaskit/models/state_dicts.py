"""Bare weights: read safely, and put into the network they belong to."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from biaskit.errors import ModelLoadError
from biaskit.models.sources import PICKLED, SAFE, require_weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NESTS = ("state_dict", "model_state_dict", "model_state", "model", "net", "weights")
_PREFIXES = ("module.", "_orig_mod.", "model.")
_COUNTERS = "num_batches_tracked"


def read_weights(place: Path, *, allow_pickle: bool) -> dict[str, Tensor]:
    """Read a file of weights, or the only one of a folder; safetensors go before pickles.

    A checkpoint that holds the weights among other things is opened, and a prefix that every name carries
    (`module.`, `_orig_mod.`) is taken off.

    Raises:
        ModelLoadError: There is no file or more than one, it is damaged, or a pickle that is not allowed.
    """
    path = _file(place, allow_pickle=allow_pickle)
    try:
        found = load_file(path) if path.suffix in SAFE else _unpickled(path)
    except (OSError, RuntimeError, ValueError, EOFError, SafetensorError, pickle.UnpicklingError) as error:
        raise ModelLoadError(
            f"The weights in '{path.name}' cannot be read.",
            why=f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}",
            fix="Save the network's state_dict as safetensors.",
        ) from error
    return found


def fitted(module: nn.Module, weights: Mapping[str, Tensor], name: str) -> None:
    """Put weights into a network, every one of them in its place.

    Raises:
        ModelLoadError: Some are missing, left over or of another shape.
    """
    own = module.state_dict()
    weights = _without_prefix(weights, own)
    missing = [key for key in own if key not in weights and not key.endswith(_COUNTERS)]
    left = [key for key in weights if key not in own and not key.endswith(_COUNTERS)]
    shaped = [key for key in own if key in weights and own[key].shape != weights[key].shape]
    for words, keys in (("lack", missing), ("have too many:", left), ("have other shapes:", shaped)):
        if keys:
            raise ModelLoadError(
                f"The weights of '{name}' do not fit the network: they {words} {', '.join(keys[:3])}"
                f"{', …' if len(keys) > 3 else ''} ({len(keys)} in all).",
                fix="Check that the factory builds the network that was trained.",
            )
    module.load_state_dict({key: weight for key, weight in weights.items() if key in own}, strict=False)


def _file(place: Path, *, allow_pickle: bool) -> Path:
    require_weights(place, place.name, allow_pickle=allow_pickle)
    if place.is_file():
        return place
    for suffixes in (SAFE, PICKLED):
        files = sorted(path for path in place.iterdir() if path.suffix in suffixes)
        if len(files) == 1:
            return files[0]
        if files:
            names = ", ".join(path.name for path in files[:4])
            raise ModelLoadError(
                f"'{place.name}' holds {len(files)} files of weights ({names}).", fix="Pass one of them."
            )
    raise ModelLoadError(f"'{place.name}' holds no weights.", fix="It must hold a .safetensors file.")


def _unpickled(path: Path) -> dict[str, Tensor]:
    found: Any = torch.load(path, map_location="cpu", weights_only=True)
    while isinstance(found, dict) and not _is_state(found):
        nest = next((key for key in _NESTS if isinstance(found.get(key), dict)), None)
        if nest is None:
            break
        found = found[nest]
    if not isinstance(found, dict) or not _is_state(found):
        raise ValueError("it holds no dictionary of weights")
    return {str(key): value for key, value in found.items() if isinstance(value, Tensor)}


def _is_state(found: Mapping[Any, Any]) -> bool:
    return bool(found) and all(isinstance(value, Tensor) for value in found.values())


def _without_prefix(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found = dict(weights)
    while found and not set(found) & set(own):
        prefix = next((each for each in _PREFIXES if all(key.startswith(each) for key in found)), None)
        if prefix is None:
            break
        found = {key.removeprefix(prefix): value for key, value in found.items()}
    return found
