"""Opening a model folder: config, tokenizer, weights, device; and what is said of it in the report."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoTokenizer,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)

from biaskit.errors import ModelLoadError, RequestError
from biaskit.hooks.edits import Rows
from biaskit.models import fingerprint, hub
from biaskit.models.batches import Batch
from biaskit.models.language import LanguageAdapter, Parts
from biaskit.models.layouts import Layout, find_layout
from biaskit.models.network import TransformersNetwork
from biaskit.models.reading import Reader
from biaskit.models.sources import Source
from biaskit.records.audit_spec import Subject
from biaskit.records.report import SubjectRecord

_LOG = logging.getLogger("biaskit.models")
_COARSE = "Values are read from a model run in {}: their grid is coarse (a cosine in bfloat16 moves in steps of 1/256)."


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in memory and where it came from.

    Attributes:
        module: The model.
        tokenizer: Its tokenizer.
        source: What was opened, for the report.
        folder: Its files; None for a model that was handed over.
        revision: Commit of the weights, where there is one.
    """

    module: nn.Module
    tokenizer: Any
    source: Source
    folder: Path | None = None
    revision: str | None = None


def open_source(source: Source, subject: Subject | None, *, offline: bool) -> LanguageAdapter:
    """Open a model by name.

    Raises:
        ModelLoadError: It cannot be found, reached or opened.
        RequestError: A setting does not fit the machine or the model.
    """
    settings = (subject or Subject(model=source.name)).model_copy(update={"model": source.name})
    device = choose_device(settings.device)
    folder, revision = source.folder, settings.revision
    if folder is None:
        pickled = settings.allow_pickle
        folder = hub.fetch(source.name, settings.revision, offline=offline, allow_pickle=pickled)
        revision = folder.name
    elif revision is not None:
        raise RequestError(f"'{source.name}' is a folder, which has no revision '{revision}'.")
    require_weights(folder, allow_pickle=settings.allow_pickle)
    module, tokenizer = _from_folder(folder, settings, device)
    return assemble(Loaded(module, tokenizer, source, folder, revision), settings)


def choose_device(name: str) -> str:
    """Return the device to run on; `auto` is cuda, then mps, then cpu; `balanced` stays.

    Raises:
        RequestError: There is no such device here.
    """
    if name == "balanced":
        return name
    if name == "auto":
        mps = torch.backends.mps.is_available()
        return "cuda" if torch.cuda.is_available() else "mps" if mps else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise RequestError(
            f"The device '{name}' cannot be used here.", why=str(error).split("\n")[0], fix="Use 'auto' or 'cpu'."
        ) from error
    return name


def require_weights(folder: Path, *, allow_pickle: bool) -> None:
    """Refuse a folder without weights, and pickled weights unless they are allowed.

    Raises:
        ModelLoadError: There are no weights that may be read.
    """
    if any(folder.glob("*.safetensors")):
        return
    if not any(folder.glob("*.bin")):
        raise ModelLoadError(f"'{folder.name}' holds no weights.", fix="There must be a model.safetensors in it.")
    if not allow_pickle:
        raise ModelLoadError(
            f"The weights of '{folder.name}' are pickles, which can run code when they are opened.",
            fix="Convert them to safetensors, or pass --allow-pickle (they are then read with weights_only=True).",
        )


def _from_folder(folder: Path, settings: Subject, device: str) -> tuple[nn.Module, Any]:
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        module = _weights(folder, config, settings, device)
    except ModelLoadError:
        raise
    except Exception as error:
        raise ModelLoadError(
            f"'{settings.model}' cannot be opened: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
            why=f"{type(error).__name__} from the transformers library.",
            fix="Check that config.json, tokenizer and weights are whole and belong together.",
        ) from error
    return module, tokenizer


def _weights(folder: Path, config: Any, settings: Subject, device: str) -> nn.Module:
    options: dict[str, Any] = {
        "config": config,
        "dtype": settings.dtype if settings.dtype == "auto" else getattr(torch, settings.dtype),
        "attn_implementation": settings.attention,
        "local_files_only": True,
        "trust_remote_code": False,
        "use_safetensors": True if any(folder.glob("*.safetensors")) else None,
    }
    if device == "balanced":
        options["device_map"] = "balanced"
    module: nn.Module = model_class(config).from_pretrained(folder, **options)
    return module if device == "balanced" else module.to(device)


def model_class(config: Any) -> Any:
    """Return the auto class that opens a config: causal, masked, or without a head."""
    named = " ".join(config.architectures or ())
    if is_encoder(config):
        return AutoModel if named and "MaskedLM" not in named and "PreTraining" not in named else AutoModelForMaskedLM
    return AutoModelForCausalLM


def is_encoder(config: Any) -> bool:
    """Whether a config is of a model that fills in masks rather than continues texts."""
    named = " ".join(config.architectures or ())
    if "CausalLM" in named or "LMHeadModel" in named:
        return False
    return config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(config, "is_decoder", False)


def assemble(loaded: Loaded, settings: Subject) -> LanguageAdapter:
    """Put an adapter together around a transformers model."""
    module: Any = loaded.module
    config = module.config
    text = config.get_text_config()
    network = TransformersNetwork(module, text.model_type)
    reader = Reader(loaded.tokenizer, settings, encoder=is_encoder(config), limit=_limit(text))
    layout = find_layout(module, text.model_type, lambda: network.run(_probe(network.device)))
    return LanguageAdapter(
        Parts(network, layout, reader, settings, lambda: _describe(loaded, layout, settings)), _notes(module)
    )


def _probe(device: torch.device) -> Batch:
    ids = torch.tensor([[0, 1, 2, 3, 4]] * 2, device=device)
    everywhere = torch.ones_like(ids, dtype=torch.bool)
    place = torch.tensor([4, 4], device=device)
    return Batch(ids, everywhere, Rows(place, place, everywhere), everywhere)


def _limit(config: Any) -> int | None:
    limit = getattr(config, "max_position_embeddings", None)
    offset = config.pad_token_id + 1 if "roberta" in config.model_type or config.model_type == "camembert" else 0
    return None if limit is None else int(limit) - offset


def _notes(module: nn.Module) -> list[str]:
    dtype = str(next(module.parameters()).dtype).removeprefix("torch.")
    notes = [] if dtype == "float32" else [_COARSE.format(dtype)]
    for note in notes:
        _LOG.warning(note)
    return notes


def _describe(loaded: Loaded, layout: Layout, settings: Subject) -> SubjectRecord:
    module: Any = loaded.module
    config = module.config.get_text_config()
    weight = next(module.parameters())
    return SubjectRecord(
        name=loaded.source.name,
        source=loaded.source.label,
        revision=loaded.revision,
        architecture=config.model_type,
        layout=layout.description,
        layers=layout.layers,
        width=config.hidden_size,
        parameters=sum(part.numel() for part in module.parameters()),
        dtype=str(weight.dtype).removeprefix("torch."),
        device="balanced" if settings.device == "balanced" else str(weight.device),
        fingerprint=_fingerprint(loaded, settings),
    )


def _fingerprint(loaded: Loaded, settings: Subject) -> str:
    weight = next(loaded.module.parameters())
    reading = {
        "dtype": str(weight.dtype),
        "prepend_bos": settings.prepend_bos,
        "chat_template": settings.chat_template,
        "attention": settings.attention,
    }
    if loaded.folder is not None:
        return fingerprint.of_folder(loaded.folder, reading)
    module: Any = loaded.module
    tokenizer = fingerprint.of_tokenizer(loaded.tokenizer)
    return fingerprint.of_module(loaded.module, module.config.to_json_string(), tokenizer, reading)
