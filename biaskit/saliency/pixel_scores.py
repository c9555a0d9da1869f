"""A classifier and a score as one function of pixels, as captum calls it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor

from biaskit.saliency.classifier import Classifier, Score
from biaskit.saliency.scores import score_of_rows

AT_ONCE = 64
"""Images in one call of the model while perturbed copies are made."""

PixelScore: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""From pixels `n c h w` and the row of each among the images to the score of each."""


def differentiable_score(classifier: Classifier, score: Score) -> PixelScore:
    """Return the score as a function on the caller's graph."""

    def of_pixels(pixels: Float[Tensor, "n c h w"], rows: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        return score_of_rows(score, rows)(classifier.forward(pixels))

    return of_pixels


def plain_score(classifier: Classifier, score: Score) -> PixelScore:
    """Return the score as a function without gradients, in the model's own batches."""

    def of_pixels(pixels: Float[Tensor, "n c h w"], rows: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        return score_of_rows(score, rows)(classifier.logits(pixels))

    return of_pixels


def row_numbers(pixels: Float[Tensor, "n c h w"]) -> Int[Tensor, " n"]:
    """Return 0, 1, ... for the images, which captum repeats along with its copies of them."""
    return torch.arange(len(pixels))
