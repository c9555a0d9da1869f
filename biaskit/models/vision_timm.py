"""Opening an image classifier of the timm library from its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import timm
import torch
from torch import nn

from biaskit.models.families import read_config
from biaskit.models.opening import explained
from biaskit.models.sources import Source
from biaskit.models.state_dicts import fitted, read_weights
from biaskit.models.vision import VisionAdapter, VisionParts
from biaskit.models.vision_config import timm_input
from biaskit.models.vision_input import VisionSettings, described
from biaskit.models.vision_opening import single_device
from biaskit.models.vision_wrapping import seeded
from biaskit.records.audit_spec import Subject

if TYPE_CHECKING:
    from pathlib import Path


def open_folder(source: Source, folder: Path, subject: Subject, settings: VisionSettings) -> VisionAdapter:
    """Open the image classifier in a folder as timm writes it to a hub: config.json and model.safetensors.

    Raises:
        ModelLoadError: timm does not know the architecture, or the weights do not fit it.
    """
    config = read_config(folder)
    cfg = config.get("pretrained_cfg", {})
    device = single_device(subject.device)
    dtype = torch.float32 if subject.dtype == "auto" else getattr(torch, subject.dtype)

    def build() -> nn.Module:
        made: nn.Module = timm.create_model(
            config["architecture"],
            pretrained=False,
            num_classes=config.get("num_classes", cfg.get("num_classes", 1000)),
            **config.get("model_args", {}),
        )
        return made.to(device=device, dtype=dtype).eval()

    with explained(source.name):
        module = seeded(build, 0)
        fitted(module, read_weights(folder, allow_pickle=subject.allow_pickle), source.name)
    says = described(timm_input(cfg), settings, subject.classes or _names(config))
    renamed = subject.model_copy(update={"model": source.name, "revision": source.revision})
    parts = VisionParts(module, says, renamed, source, folder, draw=lambda seed: seeded(build, seed))
    return VisionAdapter(parts)


def _names(config: dict[str, Any]) -> tuple[str, ...]:
    """Return a timm config's class names, with a description in their place where it has one."""
    names = config.get("label_names") or ()
    words = config.get("label_descriptions") or {}
    return tuple(str(words.get(name, name)) for name in names)
