"""Gradient times input on pixels."""

from __future__ import annotations

from captum.attr import InputXGradient
from jaxtyping import Float
from torch import Tensor

from biaskit.saliency.classifier import Classifier, Score
from biaskit.saliency.pixel_scores import differentiable_score, row_numbers


def gradient_x_input(
    classifier: Classifier, pixels: Float[Tensor, "n c h w"], score: Score
) -> Float[Tensor, "n h w"]:
    """Return L_p = sum over channels of x dS / dx (Shrikumar et al. 2016), signed, one cell a pixel."""
    found: Tensor = InputXGradient(differentiable_score(classifier, score)).attribute(
        pixels.detach().clone().requires_grad_(), additional_forward_args=row_numbers(pixels)
    )
    return found.detach().sum(1).float()
