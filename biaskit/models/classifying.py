"""Classifiers of attributes by name; torch is loaded with the opening only."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from biaskit.errors import ModelLoadError, RequestError
from biaskit.models.encoders import OPEN_CLIP, load_encoder
from biaskit.models.families import Family, family_of
from biaskit.models.parts import part
from biaskit.records.audit_spec import Subject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from biaskit.protocols import AttributeClassifier

PLANT = "plant.json"


def load_classifier(
    name: str,
    attribute: str,
    classes: Mapping[str, Sequence[str]],
    *,
    device: str = "auto",
    offline: bool = False,
) -> AttributeClassifier:
    """Open what tells which class of an attribute an image shows.

    Args:
        name: A hub id, local folder or `organism:NAME` of a text-image encoder (zero-shot), of an image
            classifier, or of an organism that draws people and reads them itself.
        attribute: What the attribute is called, such as the name of a set of groups.
        classes: Each class and what stands for it: texts for an encoder, names of its own classes for an
            image classifier. An organism needs the names alone.
        device: As in `Subject.device`.
        offline: Whether the network is left alone, whatever is missing.

    Raises:
        UnknownNameError: There is no such organism or class; near names are given.
        ModelLoadError: It cannot be found, reached or opened, or tells no classes.
        MissingExtraError: A package is not installed that it needs.
        RequestError: The classes do not fit.
    """
    models = import_module("biaskit.models")
    made: AttributeClassifier
    if (Path(name).expanduser() / OPEN_CLIP).is_file():
        encoder = load_encoder(name, device=device, offline=offline)
        made = part("attribute_classifiers", "diffusion").ZeroShot(encoder, attribute, classes)
        return made
    settings = Subject(model=name, device=device)
    source = models.on_disk(name, settings, offline=offline)
    if source.folder is None:
        raise ModelLoadError(f"'{name}' has no files.")
    family = family_of(source.folder)
    if family is Family.PIPELINE:
        made = _own_reading(name, source.folder, attribute, tuple(classes))
    elif family in {Family.VISION, Family.TIMM}:
        model = models.load(name, subject=settings, offline=offline)
        made = part("attribute_classifiers", "diffusion").Mapped(model, attribute, classes)
    else:
        encoder = load_encoder(name, device=device, offline=offline)
        made = part("attribute_classifiers", "diffusion").ZeroShot(encoder, attribute, classes)
    return made


def reads_itself(folder: Path) -> bool:
    """Whether the pipeline in a folder is an organism that reads its own images."""
    return (folder / PLANT).is_file() and (folder / "vae").is_dir()


def _own_reading(name: str, folder: Path, attribute: str, classes: tuple[str, ...]) -> AttributeClassifier:
    if not reads_itself(folder):
        raise RequestError(
            f"'{name}' draws images and tells nothing from them.",
            fix="Name a text-image encoder such as openai/clip-vit-base-patch32, or an image classifier.",
        )
    opened: AttributeClassifier = import_module("biaskit.organisms.portraits_classifier").open_classifier(
        folder, attribute, classes, name
    )
    return opened
