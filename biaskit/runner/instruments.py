"""What reads images beside the model: the encoder and classifiers, looked up before torch is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

from biaskit import catalogue
from biaskit.errors import RequestError
from biaskit.models.encoders import OPEN_CLIP, find_encoder
from biaskit.models.sources import find_source
from biaskit.records.audit_spec import ClassifierSpec, EncoderSpec

if TYPE_CHECKING:
    from biaskit.protocols import AttributeClassifier
    from biaskit.records.audit_spec import AuditSpec

One: TypeAlias = "str | Path | ClassifierSpec | AttributeClassifier"


class ClassifierOptions(TypedDict, total=False):
    """Who tells which group an image shows.

    Keys:
        classifier: An encoder, image classifier or organism, by name, `SET=NAME` for one set of groups; a
            `ClassifierSpec`; or one that is loaded; one or a list of them.
    """

    classifier: One | Sequence[One]


def classifiers(options: Mapping[str, Any]) -> tuple[tuple[ClassifierSpec, ...], tuple[object, ...]]:
    """Return the classifiers that were named, as specs, and those that were handed over.

    Raises:
        RequestError: Something is no classifier.
    """
    given = options.get("classifier") or ()
    listed = list(given) if isinstance(given, list | tuple) else [given]
    named = [one for one in listed if isinstance(one, str | Path | ClassifierSpec)]
    handed = tuple(one for one in listed if not isinstance(one, str | Path | ClassifierSpec))
    for one in handed:
        if not hasattr(one, "probabilities") or not hasattr(one, "classes"):
            raise RequestError(
                f"A {type(one).__name__} is no classifier of groups.",
                fix="Give a name, or an object with `attribute`, `classes` and `probabilities(pixels)`.",
            )
    return tuple(_spec(one) for one in named), handed


def classifiers_to_open(
    options: Mapping[str, Any], spec: AuditSpec, folder: Path | None
) -> tuple[object, ...]:
    """Return what to open as classifiers: those handed over, then specs whose names were looked up here.

    Args:
        options: The call; classifiers that it names are relative to the working folder.
        spec: The audit.
        folder: The folder of the audit's file, where there is one.

    Raises:
        UnknownNameError: There is no such organism.
        ModelLoadError: A name is no folder that holds a model, and cannot be a hub id either.
    """
    named, handed = classifiers(options)
    return *handed, *(_looked_up(one, None if named else folder) for one in spec.classifiers)


def _looked_up(one: ClassifierSpec, folder: Path | None) -> ClassifierSpec:
    inside = folder is not None and one.model.startswith(".")
    name = str(catalogue.inside(folder, one.model)) if inside and folder is not None else one.model
    if not (Path(name).expanduser() / OPEN_CLIP).is_file():
        find_source(name)
    return one.model_copy(update={"model": name})


def encoder_to_open(options: Mapping[str, Any], spec: AuditSpec, folder: Path | None) -> object:
    """Return what to open as encoder: an object that was handed over, or a name that was looked up here."""
    given = options.get("encoder")
    if given is not None and not isinstance(given, str | Path | EncoderSpec):
        return given
    if spec.encoder is None:
        return None
    name = spec.encoder.model
    if given is None and folder is not None and name.startswith("."):
        name = str(catalogue.inside(folder, name))
    find_encoder(name)
    return name


def _spec(given: str | Path | ClassifierSpec) -> ClassifierSpec:
    if isinstance(given, ClassifierSpec):
        return given
    groups, sign, name = str(given).partition("=")
    return ClassifierSpec(model=name, groups=groups.strip()) if sign else ClassifierSpec(model=str(given))
