"""Putting an adapter together around a transformers model in memory, and saying what it is."""

from __future__ import annotations

import copy
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from biaskit.hooks.edits import Rows
from biaskit.models import fingerprint
from biaskit.models.batches import Batch
from biaskit.models.language import LanguageAdapter
from biaskit.models.layouts import Layout, find_layout
from biaskit.models.network import TransformersNetwork
from biaskit.models.passes import Parts
from biaskit.models.reading import Reader
from biaskit.models.sources import Source
from biaskit.records.audit_spec import Subject
from biaskit.records.report import SubjectRecord

if TYPE_CHECKING:
    from pathlib import Path

_LOG = logging.getLogger("biaskit.models")
_COARSE = "The model runs in {}, so activations lie on a coarse grid (bfloat16: a cosine moves by 1/256)."


@dataclass(frozen=True, slots=True)
class Loaded:
    """A transformers model in memory and where it came from.

    Attributes:
        module: The model.
        tokenizer: Its tokenizer.
        source: What was opened.
        folder: Its files; None for a model that was handed over.
        notes: What was noticed while it was opened.
    """

    module: nn.Module
    tokenizer: Any
    source: Source
    folder: Path | None = None
    notes: tuple[str, ...] = ()


def is_encoder(config: Any) -> bool:
    """Whether a config is of a model that fills in masks rather than continues texts."""
    named = " ".join(config.architectures or ())
    if "CausalLM" in named or "LMHeadModel" in named or getattr(config, "is_decoder", False):
        return False
    return config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES


def assemble(loaded: Loaded, settings: Subject) -> LanguageAdapter:
    """Put the adapter of a transformers model together.

    Raises:
        ModelLoadError: Its layers were not found.
        RequestError: BOS or chat template are asked for and the tokenizer has none.
    """
    module: Any = loaded.module
    text = module.config.get_text_config()
    network = TransformersNetwork(module, text.model_type)
    reader = Reader(loaded.tokenizer, settings, encoder=is_encoder(module.config), limit=_limit(text))
    layout = find_layout(module, text.model_type, lambda: network.run(_probe(network.device)))
    notes = [*loaded.notes, *precision_notes(module)]
    if layout.description != "known":
        notes.append(layout.description)
    for note in notes:
        _LOG.warning(note)
    parts = Parts(
        network,
        layout,
        reader,
        text.hidden_size,
        settings,
        lambda: _describe(loaded, layout, settings),
        loaded.folder,
        None if _spread(module) else lambda seed: _twin(loaded, settings, seed),
    )
    return LanguageAdapter(parts, notes)


def _twin(loaded: Loaded, settings: Subject, seed: int) -> LanguageAdapter:
    """Return the adapter of a model of the same class and config, its weights drawn anew."""
    words = f"random weights, seed {seed}"
    source = Source(f"{loaded.source.name} ({words})", f"{loaded.source.label} ({words})")
    renamed = settings.model_copy(update={"model": source.name, "revision": None})
    return assemble(Loaded(_drawn_anew(loaded.module, seed), loaded.tokenizer, source), renamed)


def _drawn_anew(module: Any, seed: int) -> nn.Module:
    config = copy.deepcopy(module.config)
    # Drawn in float32 on the CPU, so that the weights depend on nothing but config and seed.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        drawn: nn.Module = type(module)._from_config(  # noqa: SLF001  AutoModel's own way, but for any class
            config,
            dtype=torch.float32,
            attn_implementation=config._attn_implementation,  # noqa: SLF001
        )
    weight = next(module.parameters())
    return drawn.to(device=weight.device, dtype=weight.dtype).eval()


def precision_notes(module: nn.Module) -> list[str]:
    """Return a warning for a model in 16 bits."""
    dtype = dtype_of(module)
    return [] if dtype == "float32" else [_COARSE.format(dtype)]


def dtype_of(module: nn.Module) -> str:
    """Return the number format of the weights."""
    return str(next(module.parameters()).dtype).removeprefix("torch.")


def _probe(device: torch.device) -> Batch:
    ids = torch.tensor([[0, 1, 2, 3, 4]] * 2, device=device)
    everywhere = torch.ones_like(ids, dtype=torch.bool)
    place = torch.tensor([4, 4], device=device)
    return Batch(ids, everywhere, Rows(place, place, everywhere), everywhere, place)


def _limit(config: Any) -> int | None:
    limit = getattr(config, "max_position_embeddings", None)
    # The roberta family counts positions from the padding token's id + 1.
    offset = (
        config.pad_token_id + 1 if "roberta" in config.model_type or config.model_type == "camembert" else 0
    )
    return None if limit is None else int(limit) - offset


def _describe(loaded: Loaded, layout: Layout, settings: Subject) -> SubjectRecord:
    module: Any = loaded.module
    config = module.config.get_text_config()
    return SubjectRecord(
        name=loaded.source.name,
        source=loaded.source.label,
        revision=settings.revision,
        architecture=config.model_type,
        layout=layout.description,
        layers=layout.layers,
        width=config.hidden_size,
        parameters=sum(weight.numel() for weight in module.parameters()),
        dtype=dtype_of(module),
        device="balanced" if _spread(module) else str(next(module.parameters()).device),
        fingerprint=_fingerprint(loaded),
    )


def _spread(module: nn.Module) -> bool:
    return len({weight.device for weight in module.parameters()}) > 1


def _fingerprint(loaded: Loaded) -> str:
    if loaded.folder is not None:
        return fingerprint.of_folder(loaded.folder)
    module: Any = loaded.module
    return fingerprint.of_module(loaded.module, module.config.to_json_string(), loaded.tokenizer)
