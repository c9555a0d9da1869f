"""What an analyzer of text-to-image models is handed: targets with groups, prompts, images, the session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biaskit import catalogue
from biaskit.errors import RequestError
from biaskit.protocols import DenoisingModel
from biaskit.runner.vision import opened
from biaskit.session import DiffusionSession, GroupComparison

if TYPE_CHECKING:
    from biaskit.runner.request import Request

REPLICATES = "replicates"


def diffusion_session(request: Request, model: Any) -> DiffusionSession:
    """Return the session for a loaded pipeline.

    Raises:
        RequestError: The model draws no images from prompts.
        ImageError: An image of the user's own cannot be read.
    """
    if not isinstance(model, DenoisingModel):
        raise RequestError(f"A {type(model).__name__} draws no images.", fix="Name a text-to-image model.")
    asked = request.drawn or catalogue.Drawn()
    return DiffusionSession(
        model=model,
        comparisons=tuple(GroupComparison(*one) for one in asked.comparisons),
        prompts=asked.prompts,
        images=tuple(opened(one, request) for one in request.images),
        cache=request.cache / REPLICATES if request.cache is not None else None,
        seed=request.spec.seed,
        progress=request.progress,
    )
