"""Which kind of model a run opens: all its analyzers must want the same one, and the model must be it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biaskit import analyzers
from biaskit.errors import RequestError
from biaskit.records.probe_set import Modality

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from biaskit.protocols import Analyzer, ModelAdapter
    from biaskit.runner.request import Request

OPENS = {
    Modality.TEXT: "language models",
    Modality.IMAGE: "image classifiers",
    Modality.TEXT_TO_IMAGE: "text-to-image models",
}
WANTS = {
    Modality.TEXT: "Give concepts or labelled texts, such as --concepts food.",
    Modality.IMAGE: "Give images, such as --images photos (a folder with a sub-folder a class).",
    Modality.TEXT_TO_IMAGE: "Give prompts, such as --concepts portrait-occupations.",
}


def opens(request: Request, instead: Sequence[Analyzer] | None = None) -> dict[str, Modality]:
    """Return what each analyzer, or each that runs instead, opens; no built-in one is loaded for it."""
    if instead is not None:
        return {one.name: one.modality for one in instead}
    return {one.name: analyzers.modality_of(one.name) for one in request.spec.analyzers}


def modality(chosen: Mapping[str, Modality], request: Request) -> Modality:
    """Return what the analyzers of a run open, and check that it is what the run was given.

    Args:
        chosen: The kind of model that each analyzer opens.
        request: What the run was given.

    Raises:
        RequestError: Analyzers of different models are in one run, or what they read was not given, or
            something was given that none of them reads.
    """
    kinds = {kind: name for name, kind in chosen.items() if kind is not Modality.ANY}
    if len(kinds) > 1:
        said = " and ".join(f"'{name}' opens {OPENS[kind]}" for kind, name in kinds.items())
        raise RequestError(
            "A run audits one model, and these analyzers open different ones.",
            why=f"{said}.",
            fix="Audit the two models in two runs.",
        )
    if request.drawn is not None:
        return _drawing(chosen, request)
    given = Modality.IMAGE if request.images else Modality.TEXT
    wanted = next(iter(kinds), given)
    texts = request.comparisons or request.labelled
    if wanted is not given or (texts and request.images):
        _refuse_given(wanted, next(iter(chosen)), request)
    return wanted


def _drawing(chosen: Mapping[str, Modality], request: Request) -> Modality:
    """Refuse analyzers that do not read prompts of a text-to-image model, and texts beside the prompts."""
    kinds = {*chosen.values()} - {Modality.ANY}
    if kinds and Modality.TEXT_TO_IMAGE not in kinds:
        first = next(iter(chosen))
        raise RequestError(
            f"'{first}' does not open text-to-image models, and the concepts are prompts for one.",
            fix="Name an analyzer of prompts, such as --analyzers diffusion-pid, or other concepts.",
        )
    if request.labelled:
        raise RequestError(
            "Prompts for a text-to-image model were given, and labelled texts too.",
            fix="Leave the texts out, or audit a language model in a run of its own.",
        )
    return Modality.TEXT_TO_IMAGE


def check_model(model: ModelAdapter, wanted: Modality, first: str) -> None:
    """Refuse a model that the analyzers, of which one is named, cannot open; says which analyzers can.

    Raises:
        RequestError: The model is of another kind.
    """
    found = model.modality
    if found in {wanted, Modality.ANY}:
        return
    fitting = [name for name in analyzers.BUILT_IN if analyzers.modality_of(name) is found]
    opens = f"Analyzers of {OPENS[found]}: {', '.join(fitting)}. " if fitting else ""
    raise RequestError(
        f"'{model.subject.name}' is none of the {OPENS[wanted]} that '{first}' opens.",
        why=f"It is one of the {OPENS[found]}.",
        fix=f"{opens}{WANTS.get(found, '')}".strip(),
    )


def _refuse_given(wanted: Modality, name: str, request: Request) -> None:
    if wanted is Modality.TEXT_TO_IMAGE:
        raise RequestError(f"'{name}' reads prompts, and none were given.", fix=WANTS[wanted])
    if wanted is Modality.IMAGE and not request.images:
        raise RequestError(f"'{name}' reads images, and none were given.", fix=WANTS[wanted])
    if wanted is Modality.IMAGE:
        raise RequestError(
            f"'{name}' reads images, and concepts or labelled texts were given too.",
            fix="Leave them out, or audit a language model in a run of its own.",
        )
    raise RequestError(
        f"'{name}' reads texts, and images were given.",
        fix="Name an analyzer of images, such as --analyzers vig-bias, or leave the images out.",
    )
