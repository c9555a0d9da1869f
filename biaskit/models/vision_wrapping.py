"""Vision adapters around models in memory, and around bare weights with what builds their network."""

from __future__ import annotations

import copy
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import PreTrainedModel

from biaskit.errors import MissingExtraError, RequestError, UnknownNameError
from biaskit.models.sources import Source
from biaskit.models.state_dicts import fitted, read_weights
from biaskit.models.vision import VisionAdapter, VisionParts
from biaskit.models.vision_config import timm_input, transformers_input
from biaskit.models.vision_input import VisionInput, VisionSettings, described
from biaskit.models.vision_opening import class_names, drawn, single_device, without_processor
from biaskit.records.audit_spec import Subject

if TYPE_CHECKING:
    from pathlib import Path


def wrap(model: nn.Module, subject: Subject | None, settings: VisionSettings) -> VisionAdapter:
    """Put an adapter around a classifier in memory; device, dtype and weights stay as they are.

    Raises:
        RequestError: Nothing says at what size it takes its images, or it is no classifier.
    """
    config: Any = getattr(model, "config", None)
    name = getattr(model, "name_or_path", "") or type(model).__name__
    given = (subject or Subject(model=name)).model_copy(update={"model": name})
    known = class_names(config)
    says = described(_own_input(model), settings, given.classes or known)
    text = config.to_json_string() if hasattr(config, "to_json_string") else type(model).__name__
    source = Source(name, f"{type(model).__name__} in memory")
    return VisionAdapter(VisionParts(model, says, given, source, config=text, draw=_redrawing(model)))


def open_bare(source: Source, place: Path, subject: Subject, settings: VisionSettings) -> VisionAdapter:
    """Build the network that `subject.factory` names and put the weights of a file or folder into it.

    Raises:
        RequestError: There is no factory, or it cannot be found or gives no module.
        ModelLoadError: The weights cannot be read or do not fit the network.
    """
    build = _factory(subject.factory, source.name)
    module = seeded(build, 0)
    fitted(module, read_weights(place, allow_pickle=subject.allow_pickle), source.name)
    dtype = torch.float32 if subject.dtype == "auto" else getattr(torch, subject.dtype)
    device = single_device(subject.device)
    module = module.to(device=device, dtype=dtype).eval()
    beside = place if place.is_dir() else place.parent
    found = transformers_input(beside, {}) or _own_input(module)
    says = described(found, settings, subject.classes)
    renamed = subject.model_copy(update={"model": source.name, "revision": source.revision})
    parts = VisionParts(
        module,
        says,
        renamed,
        source,
        config=f"factory {subject.factory}",
        draw=lambda seed: seeded(build, seed).to(device=device, dtype=dtype).eval(),
    )
    return VisionAdapter(parts)


def _factory(name: str | None, model: str) -> Callable[[], nn.Module]:
    if name is None:
        raise RequestError(
            f"'{model}' holds bare weights, which do not say what network they belong to.",
            fix="Name the function that builds it: --factory package.module:function.",
        )
    path, _, function = name.partition(":")
    if not (path and function):
        raise RequestError(
            f"'{name}' names no function that could build the network.",
            fix="Write 'package.module:function'.",
        )
    try:
        module = import_module(path)
    except ModuleNotFoundError as error:
        if error.name and not path.startswith(error.name):
            raise MissingExtraError(error.name, "timm") from error
        raise RequestError(
            f"There is no module '{path}' that could build the network.",
            fix="Write 'package.module:function', and start where Python finds the package.",
        ) from error
    if not callable(getattr(module, function, None)):
        raise UnknownNameError(f"function in '{path}'", function, vars(module))
    return lambda: _built(getattr(module, function), name)


def _built(build: Callable[[], Any], name: str) -> nn.Module:
    try:
        found = build()
    except Exception as error:
        raise RequestError(
            f"'{name}' could not build the network.",
            why=f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}",
            fix="Call it in Python to see where; it takes no arguments.",
        ) from error
    if not isinstance(found, nn.Module):
        raise RequestError(
            f"'{name}' gives {type(found).__name__}, not a torch module.", fix="Return the network itself."
        )
    return found


def _own_input(model: nn.Module) -> VisionInput | None:
    """Return what a model carries with it about its input, as timm's do, or transformers' size."""
    for name in ("vision_input", "pretrained_cfg", "default_cfg"):
        found = getattr(model, name, None)
        if isinstance(found, VisionInput):
            return found
        if isinstance(found, dict) and "input_size" in found:
            return timm_input(found)
    return without_processor(getattr(model, "config", None))


def _redrawing(model: Any) -> Callable[[int], nn.Module] | None:
    """Return how a model's weights are drawn anew; None where one does not say how it was first drawn."""
    if isinstance(model, PreTrainedModel):
        return lambda seed: drawn(model, seed)
    own = [part for part in model.modules() if any(True for _ in part.parameters(recurse=False))]
    if not all(callable(getattr(part, "reset_parameters", None)) for part in own):
        return None
    device = next((weight.device for weight in model.parameters()), torch.device("cpu"))
    return lambda seed: seeded(lambda: _reset(copy.deepcopy(model).cpu()), seed).to(device).eval()


def _reset(model: nn.Module) -> nn.Module:
    for part in model.modules():
        reset: Any = getattr(part, "reset_parameters", None)
        if callable(reset):
            reset()
    return model


def seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Return what `build` gives when torch's own generator starts at `seed`; its state is put back."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return build()
