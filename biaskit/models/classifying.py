"""Classifiers of attributes by name; torch is loaded with the opening only."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from biaskit.errors import ModelLoadError, RequestError, UnknownNameError
from biaskit.models.encoders import OPEN_CLIP, load_encoder
from biaskit.models.families import Family, family_of
from biaskit.models.parts import part
from biaskit.records.audit_spec import Subject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from biaskit.protocols import AttributeClassifier, TextImageEncoder, VisionModel

PLANT = "plant.json"


class Said(NamedTuple):
    """What stands for each class of an attribute.

    Attributes:
        words: Words for it; of those an image classifier keeps the ones that are classes of its own, in any
            case of letters.
        texts: Texts that say it, for an encoder.
    """

    words: Mapping[str, Sequence[str]]
    texts: Mapping[str, Sequence[str]]


def load_classifier(
    name: str,
    attribute: str,
    classes: Mapping[str, Sequence[str]] | Said,
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
            image classifier; or both, where it is not known which of the two the name means. An organism
            needs the names alone.
        device: As in `Subject.device`.
        offline: Whether the network is left alone, whatever is missing.

    Raises:
        UnknownNameError: There is no such organism or class; near names are given.
        ModelLoadError: It cannot be found, reached or opened, or tells no classes.
        MissingExtraError: A package is not installed that it needs.
        RequestError: The classes do not fit.
    """
    texts = classes.texts if isinstance(classes, Said) else classes
    if (Path(name).expanduser() / OPEN_CLIP).is_file():
        return zero_shot(load_encoder(name, device=device, offline=offline), attribute, texts)
    models = import_module("biaskit.models")
    settings = Subject(model=name, device=device)
    source = models.on_disk(name, settings, offline=offline)
    if source.folder is None:
        raise ModelLoadError(f"'{name}' has no files.")
    family = family_of(source.folder)
    if family is Family.PIPELINE:
        return _own_reading(name, source.folder, attribute, tuple(texts))
    if family in {Family.VISION, Family.TIMM}:
        model = models.load(name, subject=settings, offline=offline)
        return _mapped(model, attribute, _known(classes, model.classes))
    return zero_shot(load_encoder(name, device=device, offline=offline), attribute, texts)


def reads_itself(folder: Path) -> bool:
    """Whether the pipeline in a folder is an organism that reads its own images."""
    return (folder / PLANT).is_file() and (folder / "vae").is_dir()


def zero_shot(
    encoder: TextImageEncoder, attribute: str, texts: Mapping[str, Sequence[str]]
) -> AttributeClassifier:
    """Tell classes apart by texts in an encoder that is open already; see `load_classifier`."""
    made: AttributeClassifier = part("attribute_classifiers", "diffusion").ZeroShot(encoder, attribute, texts)
    return made


def _mapped(model: VisionModel, attribute: str, classes: Mapping[str, Sequence[str]]) -> AttributeClassifier:
    made: AttributeClassifier = part("attribute_classifiers", "diffusion").Mapped(model, attribute, classes)
    return made


def _known(classes: Mapping[str, Sequence[str]] | Said, own: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Return the own classes that are called like a class or one of its words, where words are meant.

    Raises:
        UnknownNameError: A class has none.
    """
    if not isinstance(classes, Said):
        return classes
    by_name = {one.casefold(): one for one in own}
    found: dict[str, list[str]] = {}
    for name, words in classes.words.items():
        called = dict.fromkeys(word.casefold() for word in (name, *words))
        found[name] = [by_name[word] for word in called if word in by_name]
        if not found[name]:
            fix = "Say which of its classes count as each group: `classes` of a classifier in an audit."
            raise UnknownNameError("class of the classifier", name, own, fix=fix)
    return found


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
