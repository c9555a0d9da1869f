"""What an analyzer of text-to-image models is handed: targets with groups, prompts, images, the session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biaskit import catalogue
from biaskit.errors import RequestError, UnknownNameError
from biaskit.protocols import DenoisingModel
from biaskit.runner.classifiers import open_classifiers
from biaskit.runner.spelling import check_encoder
from biaskit.runner.vision import captioner_of, encoder_of, opened
from biaskit.session import DiffusionSession, GroupComparison

if TYPE_CHECKING:
    from biaskit.images.image_set import ImageSet
    from biaskit.runner.request import Request

REPLICATES = "replicates"


def diffusion_session(request: Request, model: Any) -> DiffusionSession:
    """Return the session for a loaded pipeline.

    Raises:
        RequestError: The model draws no images from prompts, or the encoder does not read the prompts' words.
        UnknownNameError: Images were given, and none of them has a target as its label.
        ImageError: An image of the user's own cannot be read.
        ModelLoadError: An encoder or classifier cannot be found or opened.
        TextTooLongError: The encoder would cut a prompt.
    """
    if not isinstance(model, DenoisingModel):
        raise RequestError(f"A {type(model).__name__} draws no images.", fix="Name a text-to-image model.")
    asked = request.drawn or catalogue.Drawn()
    images = tuple(opened(one, request) for one in request.images)
    _check_labels(asked, images)
    encoder = encoder_of(request, model)
    if not images:
        check_encoder(encoder, asked)
    return DiffusionSession(
        model=model,
        comparisons=tuple(GroupComparison(*one) for one in asked.comparisons),
        prompts=asked.prompts,
        images=images,
        classifiers=open_classifiers(asked.comparisons, request, model, encoder),
        captioner=captioner_of(request.captioner),
        encoder=encoder,
        cache=request.cache / REPLICATES if request.cache is not None else None,
        seed=request.spec.seed,
        progress=request.progress,
    )


def _check_labels(asked: catalogue.Drawn, images: tuple[ImageSet, ...]) -> None:
    labels = {label for one in images for label in one.labels}
    for targets, _, _ in asked.comparisons:
        for target in targets.targets if images else ():
            if target not in labels:
                fix = "Name each target's sub-folder or label as the target, or audit fewer targets."
                raise UnknownNameError("label of images", target, labels, fix=fix)
