"""Opening a model folder: which weights may be read, as what kind of model, on which device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
)
from transformers.utils import logging as transformers_logging

from biaskit.errors import ModelLoadError, RequestError
from biaskit.models.assembling import Loaded, assemble, is_encoder
from biaskit.models.batches import is_out_of_memory
from biaskit.models.language import LanguageAdapter
from biaskit.models.sources import Source
from biaskit.records.audit_spec import Subject

if TYPE_CHECKING:
    from pathlib import Path


def open_folder(source: Source, folder: Path, subject: Subject) -> LanguageAdapter:
    """Open the model in a folder.

    Raises:
        ModelLoadError: It cannot be opened.
        RequestError: A setting does not fit the machine or the model.
    """
    device = choose_device(subject.device)
    settings = subject.model_copy(update={"model": source.name, "revision": source.revision})
    return assemble(_loaded(source, folder, settings, device), settings)


def choose_device(name: str) -> str:
    """Return the device to run on: `auto` is cuda, then mps, then cpu; `balanced` needs an accelerator.

    Raises:
        RequestError: There is no such device here.
    """
    accelerated = torch.accelerator.is_available()
    if name == "auto":
        return torch.accelerator.current_accelerator().type if accelerated else "cpu"  # type: ignore[union-attr]
    if name == "balanced":
        return name if accelerated else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise RequestError(
            f"The device '{name}' cannot be used here.",
            why=str(error).split("\n")[0],
            fix="Use 'auto' or 'cpu'.",
        ) from error
    return name


def _loaded(source: Source, folder: Path, settings: Subject, device: str) -> Loaded:
    local: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    notes: list[str] = []
    with explained(source.name), quiet():
        config = AutoConfig.from_pretrained(folder, **local)
        opener = _model_class(config, source.name)
        options = (
            local
            | {
                "config": config,
                "dtype": settings.dtype if settings.dtype == "auto" else getattr(torch, settings.dtype),
                "attn_implementation": _attention(opener, config, settings, notes),
                "use_safetensors": any(folder.glob("*.safetensors")),
                "weights_only": True,
            }
            | ({"device_map": "balanced"} if device == "balanced" else {})
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, **local)
        module = _weights(opener, folder, options)
        module = module if device == "balanced" else module.to(device)
    return Loaded(module, tokenizer, source, folder=folder, notes=tuple(notes))


def _weights(opener: Any, folder: Path, options: dict[str, Any]) -> nn.Module:
    module, report = opener.from_pretrained(folder, **options, output_loading_info=True)
    missing = sorted(key for key in report["missing_keys"] if "pooler" not in key)
    if not missing:
        return module  # type: ignore[no-any-return]
    if opener is AutoModelForMaskedLM and not any(key in module.base_model.state_dict() for key in missing):
        # Made up at random, the head would predict noise; without one the adapter says that it has none.
        return _weights(AutoModel, folder, options)
    shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
    raise ModelLoadError(
        f"{len(missing)} weights of '{options['config'].model_type}' are missing ({shown}).",
        why="Made up at random, they would give meaningless results.",
        fix="Check that the weights are whole and belong to this config.json.",
    )


def _model_class(config: Any, name: str) -> Any:
    if config.is_encoder_decoder:
        raise ModelLoadError(
            f"'{name}' is an encoder-decoder model ({config.model_type}).",
            fix="Causal language models and encoders can be audited.",
        )
    named = " ".join(config.architectures or ())
    if is_encoder(config):
        bare = named and "MaskedLM" not in named and "PreTraining" not in named
        return AutoModel if bare else AutoModelForMaskedLM
    if config.model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise ModelLoadError(
            f"'{name}' is no language model (its type is '{config.model_type}').",
            fix="Causal language models and encoders can be audited.",
        )
    return AutoModelForCausalLM


def _attention(opener: Any, config: Any, settings: Subject, notes: list[str]) -> str:
    owner = opener._model_mapping.get(type(config), None)  # noqa: SLF001  the only table from config to class
    classes = owner if isinstance(owner, tuple | list) else [owner]
    if settings.attention == "sdpa" and not all(getattr(each, "_supports_sdpa", True) for each in classes):
        notes.append(f"{config.model_type} has no sdpa attention; it runs with eager attention.")
        return "eager"
    return settings.attention


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn whatever goes wrong while a model is opened into a ModelLoadError that says what to do."""
    try:
        yield
    except ModelLoadError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise ModelLoadError(
                f"'{name}' does not fit into memory.",
                fix="Use dtype bfloat16, device 'balanced' or 'cpu', or a smaller model.",
            ) from error
        first = next(iter(str(error).strip().splitlines()), "")
        raise ModelLoadError(
            f"'{name}' cannot be opened.",
            why=f"{type(error).__name__}: {first}",
            fix="Check that config.json, tokenizer and weights are whole and belong together. "
            "Code that comes with a model is never run.",
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the bars and reports that transformers writes while it loads."""
    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
