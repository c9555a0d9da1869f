"""Adapters: opening a model so that every analyzer sees it the same way."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from biaskit.errors import MissingExtraError
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
        subject: How it is opened: revision, dtype, device, BOS, padding, chat template; the defaults of
            `Subject` where it is None. Its `model` is not read.
        offline: Whether the network is left alone, whatever is missing.

    Returns:
        The adapter. Its `notes` hold what a reader of results should know, such as a bfloat16 warning.

    Raises:
        UnknownNameError: There is no such organism; near names are given.
        ModelLoadError: The model cannot be found, reached or opened; says what to do.
        MissingExtraError: A package of the extra `text` is not installed.
        RequestError: A setting does not fit the model.
    """
    adapter: LanguageModel
    if isinstance(model, str):
        source = find_source(model)
        adapter = _heavy("opening").open_source(source, subject, offline=offline)
    else:
        adapter = _heavy("wrapping").wrap(model, tokenizer, subject)
    return adapter


def _heavy(part: str) -> Any:
    """Load a file that needs torch, once it is clear that it will be used."""
    try:
        return import_module(f"biaskit.models.{part}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("biaskit"):
            raise
        raise MissingExtraError(error.name, "text") from error
