"""Every method by name: from a classifier, images and a score to maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.errors import LayoutError, RequestError, UnknownNameError
from biaskit.records.site import Site
from biaskit.saliency.attention_rollout import attention_rollout
from biaskit.saliency.classifier import Classifier, Score, Sensitivity
from biaskit.saliency.eigen_cam import eigen_cam
from biaskit.saliency.fills import Fill, filling
from biaskit.saliency.grad_cam import grad_cam, hires_cam
from biaskit.saliency.grad_cam_pp import grad_cam_pp
from biaskit.saliency.gradient_x_input import gradient_x_input
from biaskit.saliency.integrated_gradients import integrated_gradients
from biaskit.saliency.layer_cam import layer_cam
from biaskit.saliency.layout import Layout
from biaskit.saliency.maps import Maps, joined
from biaskit.saliency.occlusion import GRID, occlusion
from biaskit.saliency.scores import score_of_rows

BATCH = 32

Cam = Callable[[Tensor, Tensor], Tensor]

CAMS: Mapping[str, Cam] = {
    "grad-cam": grad_cam,
    "hires-cam": hires_cam,
    "grad-cam++": grad_cam_pp,
    "layer-cam": layer_cam,
    "eigen-cam": lambda activations, _gradients: eigen_cam(activations),
}
"""Methods that read a layer: from its activation and gradient, both `n c h w`, to signed maps."""

ELSEWHERE = ("occlusion", "integrated-gradients", "gradient-x-input", "attention-rollout")
"""Methods that read no layer: they look at the pixels, or at attention."""

METHODS = (*CAMS, *ELSEWHERE)
CLASSLESS = frozenset({"eigen-cam", "attention-rollout"})
"""Methods whose map is the same for every class."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to compute maps.

    Attributes:
        method: Its name, one of `METHODS`.
        site: The layer that is read; None for methods that read none.
    """

    method: str
    site: Site | None = None

    def __str__(self) -> str:
        """Return `method` or `method at site`."""
        return self.method if self.site is None else f"{self.method} at {self.site}"


class Perturbed(NamedTuple):
    """A batch of images with what is behind them and the score that is explained."""

    pixels: Float[Tensor, "n c h w"]
    behind: Float[Tensor, "n c h w"]
    score: Score


def check_method(name: str) -> None:
    """Refuse a name that no method has.

    Raises:
        UnknownNameError: With the nearest names.
    """
    if name not in METHODS:
        raise UnknownNameError("saliency method", name, METHODS)


def maps_of(
    classifier: Classifier,
    pixels: Float[Tensor, "n c h w"],
    score: Score,
    candidates: Sequence[Candidate],
) -> dict[Candidate, Maps]:
    """Compute maps in every way asked for; all layers are read in one forward and backward pass a batch.

    Raises:
        UnknownNameError: A method that nobody knows.
        RequestError: There is no image, or a candidate names no layer and needs one.
        LayoutError: An activation has no spatial layout.
    """
    for candidate in candidates:
        check_method(candidate.method)
        if candidate.method in CAMS and candidate.site is None:
            raise RequestError(f"'{candidate.method}' reads a layer.", fix="Name a site, or 'auto'.")
    if not len(pixels):
        raise RequestError("There is no image to explain.", fix="Give at least one.")
    layered = [candidate for candidate in candidates if candidate.method in CAMS]
    parts: dict[Candidate, list[Maps]] = {candidate: [] for candidate in candidates}
    # One colour for all images: a batch's own would make a map depend on its neighbours.
    behind = filling(pixels, Fill.MEAN)
    for rows in torch.split(torch.arange(len(pixels)), BATCH):
        batch, part = pixels[rows], score_of_rows(score, rows)
        for candidate, found in _at_layers(classifier, batch, part, layered).items():
            parts[candidate].append(found)
        for candidate in candidates:
            if candidate.method in ELSEWHERE:
                perturbed = Perturbed(batch, behind[rows], part)
                parts[candidate].append(_elsewhere(classifier, perturbed, candidate.method))
    return {candidate: joined(found) for candidate, found in parts.items()}


def cam(sensitivity: Sensitivity, candidate: Candidate) -> Maps:
    """Compute the maps of a method at a layer from what was captured there."""
    if candidate.site is None:
        raise RequestError(f"'{candidate.method}' reads a layer.", fix="Name a site.")
    gradients = sensitivity.gradients[candidate.site]
    silent = gradients.flatten(1).abs().amax(1) == 0
    signed = CAMS[candidate.method](sensitivity.activations[candidate.site], gradients)
    zero = torch.zeros_like(silent) if candidate.method in CLASSLESS else silent
    return Maps(signed, sensitivity.scores, candidate.method, candidate.site, zero)


def _at_layers(
    classifier: Classifier, pixels: Tensor, score: Score, candidates: Sequence[Candidate]
) -> dict[Candidate, Maps]:
    if not candidates:
        return {}
    sites = list(dict.fromkeys(candidate.site for candidate in candidates if candidate.site is not None))
    sensitivity = classifier.sensitivity(pixels, score, sites)
    return {candidate: cam(sensitivity, candidate) for candidate in candidates}


def _elsewhere(classifier: Classifier, images: Perturbed, method: str) -> Maps:
    pixels, behind, score = images
    if method == "occlusion":
        grid = min(GRID[0], pixels.shape[2]), min(GRID[1], pixels.shape[3])
        signed = occlusion(classifier, pixels, score, grid, behind)
    elif method == "integrated-gradients":
        signed = integrated_gradients(classifier, pixels, score, behind)
    elif method == "gradient-x-input":
        signed = gradient_x_input(classifier, pixels, score)
    else:
        attentions = classifier.attentions(pixels)
        signed = attention_rollout(attentions, _token_grid(classifier, attentions))
    scores = score(classifier.logits(pixels)).detach()
    return Maps(signed, scores, method, None, torch.zeros(len(pixels), dtype=torch.bool))


def _token_grid(classifier: Classifier, attentions: Sequence[Tensor]) -> Layout:
    tokens = attentions[0].shape[-1] if attentions else 0
    for site in reversed(classifier.spatial_sites()):
        layout = classifier.layout(site)
        if layout.prefix + layout.height * layout.width == tokens:
            return layout
    raise LayoutError(
        f"No layer lays {tokens} attended tokens over the image.",
        fix="Declare the layout of the token layers, or use occlusion.",
    )
