"""Edits on disk: one small safetensors file with its record inside."""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from biaskit.concepts.feature_reader import FeatureReader
from biaskit.concepts.site_edit import EditRecord, SiteEdit
from biaskit.errors import RequestError
from biaskit.hooks.shelf import write_atomically

_KEY = "biaskit_edit"
_READER = ("encoder", "bias", "threshold", "chosen")


def save_edit(edit: SiteEdit, path: Path | str) -> None:
    """Write an edit; the name never stands for half a file.

    Raises:
        RequestError: The file cannot be written.
    """
    tensors = {"decoder": edit.decoder, "timesteps": edit.timesteps, "amounts": edit.amounts}
    if edit.reader is not None:
        tensors |= {f"reader.{name}": getattr(edit.reader, name) for name in _READER}
        tensors["reader.most"] = torch.tensor([edit.reader.most])
    kept = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(Path(path), save(kept, {_KEY: edit.record.model_dump_json()}))
    except OSError as error:
        raise RequestError(f"The edit cannot be written to {path}.", why=str(error)) from error


def load_edit(path: Path | str, model: str) -> SiteEdit:
    """Read an edit for the model with this fingerprint.

    Raises:
        RequestError: There is no such file, it is damaged or no edit, or it was made for another model.
    """
    try:
        with safe_open(path, framework="pt") as file:
            record = EditRecord.model_validate_json((file.metadata() or {}).get(_KEY, ""))
            held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a dictionary
        edit = SiteEdit(record, held["decoder"], held["timesteps"], held["amounts"], _reader(held))
    except (OSError, SafetensorError) as error:
        raise RequestError(f"There is no edit in '{path}' that can be read.", why=str(error)) from error
    except (ValidationError, KeyError) as error:
        raise RequestError(f"'{path}' holds no edit, or a damaged one.", why=str(error)) from error
    return edit.require(model)


def _reader(held: dict[str, torch.Tensor]) -> FeatureReader | None:
    if "reader.most" not in held:
        return None
    encoder, bias, threshold, chosen = (held[f"reader.{name}"] for name in _READER)
    return FeatureReader(encoder, bias, threshold, chosen, int(held["reader.most"]))
