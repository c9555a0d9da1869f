"""Explain what a classifier looked at, with what the maps are worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from biaskit.errors import RequestError
from biaskit.saliency.choosing import Choice, Choosing, choose, dead_layer
from biaskit.saliency.classifier import Classifier
from biaskit.saliency.maps import Maps
from biaskit.saliency.methods import maps_of
from biaskit.saliency.scores import score_named

ANY = Choosing()
"""Any method at any layer."""


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Maps, and how far they can be trusted.

    Attributes:
        maps: One map an image, with its method, site and raw scale.
        targets: The class that each map explains.
        choice: How method and layer were found, with their faithfulness.
        remarks: What must be said beside the maps.
    """

    maps: Maps
    targets: Int[Tensor, " n"]
    choice: Choice
    remarks: tuple[str, ...]


def explain(
    classifier: Classifier,
    pixels: Float[Tensor, "n c h w"],
    targets: Int[Tensor, " targets"] | None = None,
    how: Choosing | Choice = ANY,
    *,
    rng: np.random.Generator,
) -> Explanation:
    """Compute one map an image.

    Args:
        classifier: The model.
        pixels: The images.
        targets: The class each map explains; None for the predicted one.
        how: A `Choice` that `choose` made on other images, or what to choose on these very images; the
            remarks then say so.
        rng: Source of splits, random orders and tests.

    Raises:
        RequestError: There are other targets than images, or too few images to choose on.
        UnknownNameError: A method or a score that nobody knows.
        LayoutError: The method reads a layer and no layer has a spatial layout.
    """
    targets = classifier.logits(pixels).argmax(1) if targets is None else targets
    if len(targets) != len(pixels):
        raise RequestError(
            f"There are {len(pixels)} images and {len(targets)} targets.", fix="Give one each."
        )
    remarks: tuple[str, ...] = ()
    if isinstance(how, Choosing):
        how = choose(classifier, pixels, targets, how, rng=rng)
        remarks = ("Layer and method were chosen, and judged, on images that are explained here.",)
    maps = maps_of(classifier, pixels, score_named(how.score, targets), (how.candidate,))[how.candidate]
    found = remarks + how.doubts + how.remarks + _dead(classifier, pixels, targets, maps)
    return Explanation(maps, targets, how, tuple(dict.fromkeys(found)))


def _dead(classifier: Classifier, pixels: Tensor, targets: Tensor, maps: Maps) -> tuple[str, ...]:
    dead = int(maps.dead.sum())
    if not dead:
        return ()
    said = f"{dead} of {len(maps)} maps point nowhere."
    if maps.site is None or not bool(maps.zero_gradient.all()):
        return (said,)
    return (said, dead_layer(classifier, pixels[:2], targets[:2], maps.site))
