"""What kind of model a folder or file holds, told from its JSON alone."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from biaskit.errors import ModelLoadError
from biaskit.models.sources import PIPELINE

if TYPE_CHECKING:
    from pathlib import Path

_PROCESSORS = ("preprocessor_config.json", "processor_config.json")


class Family(StrEnum):
    """How a model is opened."""

    LANGUAGE = "language"
    VISION = "vision"
    TIMM = "timm"
    BARE = "bare"
    PIPELINE = "pipeline"


def family_of(place: Path, *, factory: bool = False) -> Family:
    """Tell what a model folder, or a file of bare weights, is opened as.

    Args:
        place: The folder or file.
        factory: Whether the user names a function that builds the network.

    Raises:
        ModelLoadError: The folder's config.json cannot be read.
    """
    if factory or place.is_file():
        return Family.BARE
    if (place / PIPELINE).is_file():
        return Family.PIPELINE
    config = read_config(place)
    if "architecture" in config and "model_type" not in config:
        return Family.TIMM
    named = " ".join(config.get("architectures") or ())
    if "ForImageClassification" in named:
        return Family.VISION
    pictures = any((place / name).is_file() for name in _PROCESSORS)
    texts = any(place.glob("tokenizer*"))
    return Family.VISION if pictures and not texts and not named else Family.LANGUAGE


def read_config(folder: Path) -> dict[str, Any]:
    """Return the content of a folder's config.json.

    Raises:
        ModelLoadError: It cannot be read.
    """
    path = folder / "config.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelLoadError(
            f"'{path}' cannot be read.", why=f"{type(error).__name__}: {error}", fix="Get the file anew."
        ) from error
    if not isinstance(found, dict):
        raise ModelLoadError(f"'{path}' holds no settings.", fix="Get the file anew.")
    return found
