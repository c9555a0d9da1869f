"""Opens who tells groups from images, one classifier for each set of groups of a run."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from biaskit import models
from biaskit.errors import RequestError, UnknownNameError
from biaskit.models.classifying import Said, reads_itself, zero_shot
from biaskit.protocols import AttributeClassifier
from biaskit.records.audit_spec import ClassifierSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from biaskit.catalogue.drawing import Grouped
    from biaskit.protocols import DenoisingModel, TextImageEncoder
    from biaskit.records.prompt_set import GroupSet
    from biaskit.runner.request import Request

NEUTRAL_NOUNS = 4
"""Neutral nouns that a group's words stand beside in the texts of a zero-shot classifier."""


def open_classifiers(
    comparisons: Sequence[Grouped], request: Request, model: DenoisingModel, encoder: TextImageEncoder | None
) -> tuple[AttributeClassifier, ...]:
    """Open one classifier for each set of groups; sets that nobody tells apart have none.

    What the call handed over or the audit names goes first, then the encoder (zero-shot), then the model's
    own reading where it is an organism.

    Raises:
        UnknownNameError: A classifier is meant for a set of groups that the run does not have, or lacks a
            class.
        ModelLoadError: One cannot be found or opened.
        RequestError: What was handed over is no classifier of any set.
    """
    sets = {groups.name: (targets, groups, controls) for targets, groups, controls in comparisons}
    _check_meant(request.classifiers, sets)
    found = (_opened(one, request, model, encoder) for one in sets.values())
    return tuple(one for one in found if one is not None)


def _check_meant(given: Iterable[object], sets: Mapping[str, Grouped]) -> None:
    for one in given:
        name = one.groups if isinstance(one, ClassifierSpec) else getattr(one, "attribute", "")
        if isinstance(one, ClassifierSpec) and not name:
            continue
        if name not in sets and sets:
            raise UnknownNameError("set of groups in this run", str(name), sets)


def _opened(
    compared: Grouped, request: Request, model: DenoisingModel, encoder: TextImageEncoder | None
) -> AttributeClassifier | None:
    groups = compared[1]
    given = next((one for one in request.classifiers if _fits(one, groups.name)), None)
    if isinstance(given, ClassifierSpec):
        return _named(given, compared, request)
    if given is not None:
        return _handed(given, groups)
    if encoder is not None:
        return zero_shot(encoder, groups.name, texts(compared))
    folder = model.folder
    if folder is None or not reads_itself(folder):
        return None
    return models.load_classifier(str(folder), groups.name, groups.groups)


def _fits(one: object, name: str) -> bool:
    if isinstance(one, ClassifierSpec):
        return one.groups in {"", name}
    return getattr(one, "attribute", None) == name


def _handed(given: Any, groups: GroupSet) -> AttributeClassifier:
    if not isinstance(given, AttributeClassifier):
        raise RequestError(
            f"A {type(given).__name__} is no classifier of groups.",
            fix="Give an object with name, fingerprint, attribute, classes and probabilities(pixels).",
        )
    missing = [one for one in groups.groups if one not in given.classes]
    if missing:
        raise UnknownNameError(f"class of the classifier of '{groups.name}'", missing[0], given.classes)
    return given


def _named(spec: ClassifierSpec, compared: Grouped, request: Request) -> AttributeClassifier:
    groups, subject = compared[1], request.spec.subject
    device = subject.device if subject else "auto"
    missing = [one for one in groups.groups if spec.classes and one not in spec.classes]
    if missing:
        raise UnknownNameError(f"class of the classifier of '{groups.name}'", missing[0], spec.classes)
    return models.load_classifier(
        spec.model,
        groups.name,
        spec.classes or Said(groups.groups, texts(compared)),
        device=device,
        offline=request.offline,
    )


def texts(compared: Grouped) -> dict[str, tuple[str, ...]]:
    """Return the texts that say each group: its words beside neutral nouns, in the targets' templates."""
    targets, groups, controls = compared
    nouns = controls.fillers[:NEUTRAL_NOUNS]
    return {
        group: tuple(
            template.replace("{x}", groups.joined(word, noun, form))
            for template, word, noun, form in product(targets.templates, words, nouns, groups.forms)
        )
        for group, words in groups.groups.items()
    }
