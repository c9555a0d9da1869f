"""Opening a pipeline of diffusers from its folder, or taking one that is loaded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from diffusers import DiffusionPipeline
from diffusers.utils import logging as diffusers_logging

from biaskit.errors import ModelLoadError
from biaskit.models.denoising import DenoisingAdapter, DenoisingParts
from biaskit.models.opening import choose_device, explained, quiet
from biaskit.models.sources import PIPELINE, Source
from biaskit.records.audit_spec import Subject

if TYPE_CHECKING:
    from pathlib import Path

_HINTS = ("turbo", "lightning", "lcm", "schnell", "hyper-sd", "distill")
_STEPS_FEW = ("LCMScheduler", "TCDScheduler")


def open_folder(source: Source, folder: Path, subject: Subject) -> DenoisingAdapter:
    """Open the pipeline in a folder.

    Raises:
        ModelLoadError: It cannot be opened, is distilled, or of a kind that is not known.
        RequestError: A setting does not fit the machine.
    """
    settings = subject.model_copy(update={"model": source.name, "revision": source.revision})
    index = _index(folder)
    device = choose_device("auto" if settings.device == "balanced" else settings.device)
    dtype = torch.float32 if settings.dtype == "auto" else getattr(torch, settings.dtype)
    left_out = ("safety_checker", "feature_extractor")
    further: dict[str, Any] = {name: None for name in left_out if name in index}
    # A text encoder that was left out, such as Stable Diffusion 3's T5, stands there as nothing.
    further |= {name: None for name, kind in index.items() if kind == [None, None]}
    if "requires_safety_checker" in index:
        further["requires_safety_checker"] = False
    with explained(source.name), quiet(), _hushed():
        opener: Any = DiffusionPipeline
        pipeline = opener.from_pretrained(
            folder, dtype=dtype, local_files_only=True, use_safetensors=True, **further
        ).to(device)
    return DenoisingAdapter(_parts(pipeline, settings, source, folder))


def wrap(pipeline: Any, subject: Subject | None) -> DenoisingAdapter:
    """Take a pipeline that is loaded already; its device and number format stay as they are.

    Raises:
        ModelLoadError: It is distilled, or of a kind that is not known.
    """
    name = type(pipeline).__name__
    settings = subject or Subject(model=name)
    return DenoisingAdapter(_parts(pipeline, settings, Source(name, f"{name} in memory"), None))


def _parts(pipeline: Any, settings: Subject, source: Source, folder: Path | None) -> DenoisingParts:
    sampler = type(pipeline.scheduler).__name__
    if sampler in _STEPS_FEW:
        raise ModelLoadError(
            f"The model is distilled: its sampler is a {sampler}.",
            why="Such a network draws in few steps and is no estimate of the noise.",
            fix="Audit the model it was distilled from, or give the pipeline the sampler of its training.",
        )
    notes = [
        f"The name holds '{hint}': if the model is distilled, its informations have no meaning."
        for hint in _HINTS
        if hint in source.label.casefold()
    ]
    return DenoisingParts(pipeline, settings, source, folder, tuple(notes))


def _index(folder: Path) -> dict[str, Any]:
    path = folder / PIPELINE
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"'{path}' cannot be read.", why=str(error), fix="Get the file anew.") from error
    if not (folder / "scheduler" / "scheduler_config.json").is_file():
        raise ModelLoadError(
            f"'{folder.name}' has no scheduler_config.json.",
            why="Without it nobody knows the noise levels the model was trained at.",
            fix="Get the folder anew, whole.",
        )
    return found


class _hushed:  # noqa: N801  used like a function
    """Silence what diffusers writes while it loads."""

    def __enter__(self) -> None:
        self.before = diffusers_logging.get_verbosity()
        diffusers_logging.set_verbosity_error()
        diffusers_logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        diffusers_logging.set_verbosity(self.before)
        diffusers_logging.enable_progress_bar()
