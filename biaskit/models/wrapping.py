"""Adapters around models that are already in memory."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from biaskit.errors import RequestError
from biaskit.models import fingerprint
from biaskit.models.assembling import Loaded, assemble, dtype_of, precision_notes
from biaskit.models.batches import Batch
from biaskit.models.language import LanguageAdapter
from biaskit.models.layouts import Layout, Point
from biaskit.models.network import take
from biaskit.models.passes import Parts
from biaskit.models.reading import Reader
from biaskit.models.sources import Source
from biaskit.records.audit_spec import Subject
from biaskit.records.report import SubjectRecord
from biaskit.records.site import Site, SiteKind

_PROCESSED = (
    "TransformerLens has processed the weights (folded norms, centred writing): values in the residual "
    "stream differ from the published model's, what it predicts does not."
)
_HOOKED = {
    SiteKind.RESID_PRE: "hook_resid_pre",
    SiteKind.ATTN_OUT: "hook_attn_out",
    SiteKind.MLP_POST: "mlp.hook_post",
    SiteKind.MLP_OUT: "hook_mlp_out",
    SiteKind.RESID_POST: "hook_resid_post",
}


def wrap(model: Any, tokenizer: Any, subject: Subject | None) -> LanguageAdapter:
    """Put an adapter around a loaded model; device, dtype and weights stay as they are.

    Args:
        model: A transformers model, a TransformerBridge or a HookedTransformer.
        tokenizer: Its tokenizer, where it does not carry one.
        subject: BOS, padding, chat template and batch size; the defaults where it is None.

    Raises:
        RequestError: It is none of the three, or there is no tokenizer.
    """
    kinds = {kind.__name__ for kind in type(model).__mro__}
    tokenizer = tokenizer if tokenizer is not None else getattr(model, "tokenizer", None)
    known = isinstance(model, PreTrainedModel) or kinds & {"TransformerBridge", "HookedTransformer"}
    if not known or tokenizer is None:
        raise _unusable(model, known=bool(known))
    if "HookedTransformer" in kinds:
        return _hooked(model, tokenizer, subject)
    if "TransformerBridge" in kinds:
        notes = (_PROCESSED,) if model.compatibility_mode else ()
        return _transformers(model.original_model, tokenizer, subject, notes)
    return _transformers(model, tokenizer, subject, ())


def _unusable(model: object, *, known: bool) -> RequestError:
    if known:
        return RequestError(
            "A model alone cannot read text.", fix="Pass its tokenizer: load(model, tokenizer=tokenizer)."
        )
    return RequestError(
        f"A {type(model).__name__} cannot be audited as a language model.",
        fix="Pass a name, a transformers model and tokenizer, a TransformerBridge or a HookedTransformer.",
    )


def _transformers(
    module: nn.Module, tokenizer: Any, subject: Subject | None, notes: tuple[str, ...]
) -> LanguageAdapter:
    name = getattr(module, "name_or_path", "") or type(module).__name__
    settings = (subject or Subject(model=name)).model_copy(update={"model": name})
    source = Source(name, f"{type(module).__name__} in memory")
    return assemble(Loaded(module, tokenizer, source, notes=notes), settings)


def _hooked(model: Any, tokenizer: Any, subject: Subject | None) -> LanguageAdapter:
    name = model.cfg.model_name or "HookedTransformer"
    settings = (subject or Subject(model=name)).model_copy(update={"model": name})
    layout = _hooked_layout(model)
    reader = Reader(tokenizer, settings, encoder=False, limit=model.cfg.n_ctx)
    notes = precision_notes(model) + (
        [_PROCESSED] if (model.cfg.normalization_type or "").endswith("Pre") else []
    )
    network = HookedNetwork(model)
    parts = Parts(
        network, layout, reader, model.cfg.d_model, settings, lambda: _describe(model, tokenizer, layout)
    )
    return LanguageAdapter(parts, notes)


def _hooked_layout(model: Any) -> Layout:
    points = {Site(kind=SiteKind.EMBED): Point(model.hook_embed)}
    for layer, block in enumerate(model.blocks):
        # A model of attention alone has no MLP, and one of experts no neurons in one place.
        parts = dict(block.named_modules())
        found = {kind: parts[path] for kind, path in _HOOKED.items() if path in parts}
        points |= {Site(kind=kind, layer=layer): Point(part) for kind, part in found.items()}
    return Layout(points, "known", getattr(model, "ln_final", None))


class HookedNetwork:
    """A HookedTransformer, whose hook points are modules of their own.

    Attributes:
        module: The model.
        has_head: Always True.
        device: Where token ids are put.
        attention: `eager`; TransformerLens has no other.
    """

    has_head = True
    attention = "eager"

    def __init__(self, model: Any) -> None:
        self.module: Any = model
        self.device: torch.device = next(model.parameters()).device

    def run(self, batch: Batch) -> None:
        """Run a forward pass for what is captured on the way."""
        self.module(batch.ids, return_type=None, attention_mask=batch.attention.long())

    def logits(self, batch: Batch, at: Int[Tensor, "b k"]) -> Float[Tensor, "b k v"]:
        """Return the logits at tokens `at` of each sequence."""
        return take(self.module(batch.ids, return_type="logits", attention_mask=batch.attention.long()), at)


def _describe(model: Any, tokenizer: Any, layout: Layout) -> SubjectRecord:
    weight = next(model.parameters())
    return SubjectRecord(
        name=model.cfg.model_name or "HookedTransformer",
        source="HookedTransformer in memory",
        architecture=model.cfg.original_architecture or "HookedTransformer",
        layout=layout.description,
        layers=layout.layers,
        width=model.cfg.d_model,
        parameters=sum(part.numel() for part in model.parameters()),
        dtype=dtype_of(model),
        device=str(weight.device),
        fingerprint=fingerprint.of_module(model, repr(model.cfg), tokenizer),
    )
