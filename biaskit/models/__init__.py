"""Adapters: opening a model so that every analyzer sees it the same way."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from biaskit.models.sources import find_source

if TYPE_CHECKING:
    from biaskit.protocols import LanguageModel
    from biaskit.records.audit_spec import Subject


def load(
    model: Any, *, tokenizer: Any = None, subject: Subject | None = None, offline: bool = False
) -> LanguageModel:
    """Open a language model.

    Args:
        model: A hub id, a local folder, `organism:NAME` or `demo`; or a model that is already loaded: one of
            transformers (with `tokenizer`), a `TransformerBridge` or a `HookedTransformer`.
        tokenizer: The tokenizer of a loaded model that does not carry one.
        subject: How it is opened: revision, dtype, device, BOS, padding, chat template; `subject.model` is not
            read. The defaults of `Subject` where it is None.
        offline: Whether the network is left alone, whatever is missing.

    Returns:
        The adapter. Its `notes` hold what a reader of results should know, such as a bfloat16 warning.

    Raises:
        UnknownNameError: There is no such organism; near names are given.
        ModelLoadError: The model cannot be found, reached or opened; says what to do.
        RequestError: A setting does not fit the model.
    """
    if isinstance(model, str):
        source = find_source(model)
        opened: LanguageModel = import_module("biaskit.models.opening").open_source(source, subject, offline=offline)
        return opened
    wrapped: LanguageModel = import_module("biaskit.models.wrapping").wrap(model, tokenizer, subject)
    return wrapped
