"""What an analyzer of images is handed: the opened images, the encoder, the session."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from biaskit import models, organisms
from biaskit.catalogue.images import ImageListing, check_classes
from biaskit.errors import RequestError
from biaskit.images.folder import open_listing
from biaskit.images.selecting import limited
from biaskit.protocols import Captioner, TextImageEncoder
from biaskit.runner.images import FEWEST_OF_A_LABEL, Drawn
from biaskit.session import VisionSession

if TYPE_CHECKING:
    from biaskit.images.image_set import ImageSet
    from biaskit.protocols import DenoisingModel, VisionModel
    from biaskit.runner.images import Found
    from biaskit.runner.request import Request


def vision_session(request: Request, model: VisionModel) -> VisionSession:
    """Open images and encoder for a loaded classifier; labels are checked against its classes first.

    Raises:
        UnknownNameError: A label is none of the model's classes.
        ImageError: An image cannot be read.
        ModelLoadError: The encoder cannot be found or opened.
        RequestError: What was handed over as encoder or captioner is none.
    """
    for one in request.images:
        if isinstance(one, ImageListing):
            check_classes(one.name, one.labels, model.classes)
    images = tuple(opened(one, request) for one in request.images)
    for each in images:
        check_classes(each.name, each.labels, model.classes)
    return VisionSession(
        model=model,
        images=images,
        encoder=encoder_of(request, model),
        captioner=captioner_of(request.captioner),
        seed=request.spec.seed,
        progress=request.progress,
    )


def opened(one: Found, request: Request) -> ImageSet:
    """Open one set of images.

    Raises:
        ImageError: An image cannot be read.
    """
    if isinstance(one, ImageListing):
        return open_listing(one, request.progress)
    images: ImageSet = organisms.images(one.folder) if isinstance(one, Drawn) else one
    return images if request.limit is None else limited(images, max(request.limit, FEWEST_OF_A_LABEL))


def encoder_of(request: Request, model: VisionModel | DenoisingModel) -> TextImageEncoder | None:
    """Return the encoder that was handed over or named, else the one that lies beside images or model.

    Raises:
        ModelLoadError: It cannot be found or opened.
        RequestError: What was handed over is none.
    """
    spec = request.spec
    load = partial(
        models.load_encoder,
        device=spec.subject.device if spec.subject else "auto",
        offline=request.offline,
    )
    if isinstance(request.encoder, str):
        revision = spec.encoder.revision if spec.encoder else None
        return load(request.encoder, revision=revision)
    if request.encoder is not None:
        if isinstance(request.encoder, TextImageEncoder):
            return request.encoder
        raise RequestError(
            f"A {type(request.encoder).__name__} is no text-image encoder.",
            fix="Give a name, or an object with encode_images and encode_texts; see TextImageEncoder.",
        )
    folders = [one.folder for one in request.images if isinstance(one, Drawn)]
    folders += [model.folder] if model.folder is not None else []
    beside = next((place for folder in folders if (place := folder / "clip").is_dir()), None)
    return None if beside is None else load(str(beside))


def captioner_of(given: Any) -> Captioner | None:
    """Return the captioner that was handed over, where there is one.

    Raises:
        RequestError: It is none.
    """
    if given is None or isinstance(given, Captioner):
        return given
    raise RequestError(
        f"A {type(given).__name__} is no captioner.", fix="Give an object with a method `caption(pixels)`."
    )
