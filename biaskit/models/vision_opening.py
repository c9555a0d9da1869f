"""Opening an image classifier of the transformers library from its folder."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForImageClassification

import biaskit.organisms.shapes_subjects  # noqa: F401  tells the Auto classes of architectures of our own
from biaskit.errors import ModelLoadError
from biaskit.models.families import read_config
from biaskit.models.opening import choose_device, explained, quiet
from biaskit.models.sources import Source
from biaskit.models.vision import VisionAdapter, VisionParts
from biaskit.models.vision_config import transformers_input
from biaskit.models.vision_input import VisionInput, VisionSettings, described
from biaskit.records.audit_spec import Subject

if TYPE_CHECKING:
    from pathlib import Path


def open_folder(source: Source, folder: Path, subject: Subject, settings: VisionSettings) -> VisionAdapter:
    """Open the image classifier in a transformers folder.

    Raises:
        ModelLoadError: It cannot be opened, or it is no classifier of one class an image.
        RequestError: A setting does not fit the machine or the model.
    """
    renamed = subject.model_copy(update={"model": source.name, "revision": source.revision})
    module: Any = _loaded(source, folder, renamed)
    notes = []
    config: Any = module.config
    found = transformers_input(folder, read_config(folder))
    if found is None:
        found = without_processor(config)
        notes.append(
            "The folder has no preprocessor_config.json: mean and std 0.5 of each channel are assumed."
        )
    says = described(found, settings, subject.classes or class_names(config))
    parts = VisionParts(
        module,
        says,
        renamed,
        source,
        folder=folder,
        draw=lambda seed: drawn(module, seed),
        notes=tuple(notes),
    )
    return VisionAdapter(parts)


def without_processor(config: Any) -> VisionInput | None:
    """Return what most vision transformers take, at the config's size; None where it has none."""
    size = getattr(config, "image_size", None)
    if size is None:
        return None
    half = (0.5,) * getattr(config, "num_channels", 3)
    return VisionInput(size=(size, size) if isinstance(size, int) else tuple(size), mean=half, std=half)


def class_names(config: Any) -> tuple[str, ...]:
    """Return the names of the classes that a config gives."""
    names = getattr(config, "id2label", None) or {}
    return tuple(str(name) for _, name in sorted(names.items()))


def single_device(name: str) -> str:
    """Return the device to run on; a vision model is never spread, so `balanced` is the best one there is.

    Raises:
        RequestError: There is no such device here.
    """
    return choose_device("auto" if name == "balanced" else name)


def drawn(module: Any, seed: int) -> nn.Module:
    """Return a model of the same class and config, its weights drawn anew from `seed`."""
    config = copy.deepcopy(module.config)
    # Drawn in float32 on the CPU, so that the weights depend on nothing but config and seed.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        fresh: nn.Module = type(module)._from_config(config, dtype=torch.float32)  # noqa: SLF001  AutoModel's own way
    weight = next(module.parameters())
    return fresh.to(device=weight.device, dtype=weight.dtype).eval()


def _loaded(source: Source, folder: Path, subject: Subject) -> nn.Module:
    local: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    device = single_device(subject.device)
    with explained(source.name), quiet():
        config = AutoConfig.from_pretrained(folder, **local)
        _check_task(config, source.name)
        module, report = AutoModelForImageClassification.from_pretrained(
            folder,
            config=config,
            dtype=subject.dtype if subject.dtype == "auto" else getattr(torch, subject.dtype),
            use_safetensors=any(folder.glob("*.safetensors")),
            weights_only=True,
            output_loading_info=True,
            **({"attn_implementation": "eager"} if subject.attention == "eager" else {}),
            **local,
        )
        _check_weights(report, source.name)
        ready: nn.Module = module.to(device).eval()
        return ready


def _check_task(config: Any, name: str) -> None:
    kind = getattr(config, "problem_type", None)
    if kind == "regression":
        raise ModelLoadError(
            f"'{name}' predicts a number, not a class.",
            fix="Models that give one logit a class can be audited.",
        )


def _check_weights(report: Any, name: str) -> None:
    missing, other = sorted(report["missing_keys"]), sorted(map(str, report.get("mismatched_keys", ())))
    if not missing and not other:
        return
    shown = ", ".join([*missing, *other][:3])
    raise ModelLoadError(
        f"'{name}' lacks weights of an image classifier ({shown}).",
        why="Made up at random, they would give meaningless results.",
        fix="Pass a model that was trained as a classifier (…ForImageClassification), with all its weights.",
    )
