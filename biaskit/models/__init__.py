"""Adapters: opening a model so that every analyzer sees it the same way."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from biaskit.errors import RequestError
from biaskit.models.classifying import load_classifier as load_classifier
from biaskit.models.encoders import load_encoder as load_encoder
from biaskit.models.families import Family, family_of
from biaskit.models.parts import broken_torchvision as broken_torchvision
from biaskit.models.parts import part
from biaskit.models.sources import Source, find_source, require_weights
from biaskit.records.audit_spec import Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biaskit.models.vision_input import VisionSettings
    from biaskit.protocols import DenoisingModel, LanguageModel, VisionModel


def load(
    model: Any,
    *,
    tokenizer: Any = None,
    subject: Subject | None = None,
    offline: bool = False,
    **vision: Unpack[VisionSettings],
) -> LanguageModel | VisionModel | DenoisingModel:
    """Open a language model, an image classifier or a text-to-image pipeline; its files say which.

    Args:
        model: A hub id, a local folder, `organism:NAME` or `demo`; a file of bare weights (with
            `subject.factory`); or a model that is already loaded: one of transformers (a language model with
            `tokenizer`), a `TransformerBridge`, a `HookedTransformer`, a pipeline of diffusers, or any torch
            module that classifies images; or what an earlier call returned.
        tokenizer: The tokenizer of a loaded model that does not carry one.
        subject: How it is opened: revision, dtype, device, BOS, padding, chat template, factory, classes; the
            defaults of `Subject` where it is None. Its `model` is not read.
        offline: Whether the network is left alone, whatever is missing.
        **vision: Of an image classifier, what its files do not say, or say otherwise: `classes`, `size`,
            `mean`, `std`, `resize`, `interpolation`, `layouts`; see `VisionSettings`.

    Returns:
        The adapter. Its `notes` hold what a reader of results should know, such as a bfloat16 warning.

    Raises:
        UnknownNameError: There is no such organism; near names are given.
        ModelLoadError: The model cannot be found, reached or opened; says what to do.
        MissingExtraError: A package of an extra is not installed.
        RequestError: A setting does not fit the model.
    """
    if _is_open(model):
        already: LanguageModel | VisionModel | DenoisingModel = model
        return already
    if not isinstance(model, str):
        return _wrapped(model, tokenizer, subject, vision)
    settings = subject or Subject(model=model)
    source = on_disk(model, settings, offline=offline)
    if source.folder is None:
        raise RequestError(f"'{model}' has no files.")
    family = family_of(source.folder, factory=settings.factory is not None)
    if family in {Family.LANGUAGE, Family.PIPELINE} and vision:
        raise RequestError(f"'{source.name}' is no image classifier, so it takes no {', '.join(vision)}.")
    opened: LanguageModel | VisionModel | DenoisingModel = _opener(family, vision)(
        source, source.folder, settings
    )
    return opened


def _wrapped(
    model: Any, tokenizer: Any, subject: Subject | None, vision: Mapping[str, Any]
) -> LanguageModel | VisionModel | DenoisingModel:
    """Take a model that is in memory already."""
    wrapped: LanguageModel | VisionModel | DenoisingModel
    if _draws(model):
        wrapped = part("denoising_opening", "diffusion").wrap(model, subject)
    elif _classifies(model, tokenizer, vision):
        wrapped = part("vision_wrapping", "vision").wrap(model, subject, vision)
    else:
        wrapped = part("wrapping").wrap(model, tokenizer, subject)
    return wrapped


def _is_open(model: object) -> bool:
    """Whether a model is an adapter already."""
    return all(hasattr(model, name) for name in ("modality", "module", "subject", "sites", "locate"))


def on_disk(model: str, settings: Subject, *, offline: bool = False) -> Source:
    """Settle where a model's files are, downloading them if need be, without importing torch.

    Raises:
        UnknownNameError: There is no such organism; near names are given.
        ModelLoadError: The model cannot be found or reached, or holds no weights that may be read.
        MissingExtraError: A package of the extra `text` is not installed.
        RequestError: A revision was asked of a folder, which has none.
    """
    source = find_source(model, bare=settings.factory is not None)
    if source.folder is None:
        found: Source = part("hub").fetched(source, settings, offline=offline)
        source = found
    elif settings.revision is not None:
        raise RequestError(f"'{source.name}' is a folder, which has no revision '{settings.revision}'.")
    if source.folder is not None:
        require_weights(source.folder, source.label, allow_pickle=settings.allow_pickle)
    return source


def _opener(family: Family, vision: Mapping[str, Any]) -> Any:
    """Return what opens a folder of this family."""
    if family is Family.LANGUAGE:
        return part("opening").open_folder
    if family is Family.PIPELINE:
        return part("denoising_opening", "diffusion").open_folder
    if family is Family.BARE:
        opener = part("vision_wrapping", "vision").open_bare
    elif family is Family.TIMM:
        opener = part("vision_timm", "timm").open_folder
    else:
        opener = part("vision_opening", "vision").open_folder
    return partial(_with_settings, opener, vision)


def _with_settings(opener: Any, vision: Mapping[str, Any], *opened: Any) -> Any:
    return opener(*opened, vision)


def _draws(model: object) -> bool:
    """Whether a model in memory is a pipeline of diffusers."""
    return any(kind.__name__ == "DiffusionPipeline" for kind in type(model).__mro__)


def _classifies(model: Any, tokenizer: Any, vision: Mapping[str, Any]) -> bool:
    """Whether a model in memory is opened as an image classifier."""
    kinds = {kind.__name__ for kind in type(model).__mro__}
    if vision or any(kind.endswith("ForImageClassification") for kind in kinds):
        return True
    hooked = kinds & {"TransformerBridge", "HookedTransformer"}
    return "Module" in kinds and tokenizer is None and not hooked and "PreTrainedModel" not in kinds
