"""Adapters: opening a model so that every analyzer sees it the same way."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from biaskit.errors import MissingExtraError, RequestError
from biaskit.models.encoders import load_encoder as load_encoder
from biaskit.models.sources import Source, find_source, require_weights
from biaskit.records.audit_spec import Subject

if TYPE_CHECKING:
    from biaskit.protocols import LanguageModel


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
    if not isinstance(model, str):
        adapter = _part("wrapping").wrap(model, tokenizer, subject)
        return adapter
    settings = subject or Subject(model=model)
    source = on_disk(model, settings, offline=offline)
    adapter = _part("opening").open_folder(source, source.folder, settings)
    return adapter


def on_disk(model: str, settings: Subject, *, offline: bool = False) -> Source:
    """Settle where a model's files are, downloading them if need be, without importing torch.

    Raises:
        UnknownNameError: There is no such organism; near names are given.
        ModelLoadError: The model cannot be found or reached, or holds no weights that may be read.
        MissingExtraError: A package of the extra `text` is not installed.
        RequestError: A revision was asked of a folder, which has none.
    """
    source = find_source(model)
    if source.folder is None:
        found: Source = _part("hub").fetched(source, settings, offline=offline)
        source = found
    elif settings.revision is not None:
        raise RequestError(f"'{source.name}' is a folder, which has no revision '{settings.revision}'.")
    if source.folder is not None:
        require_weights(source.folder, source.label, allow_pickle=settings.allow_pickle)
    return source


def _part(part: str) -> Any:
    """Load a file of this package that imports heavy libraries, once it is clear that it is needed."""
    try:
        return import_module(f"biaskit.models.{part}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("biaskit"):
            raise
        raise MissingExtraError(error.name, "text") from error
