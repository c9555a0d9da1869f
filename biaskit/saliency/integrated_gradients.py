"""Integrated gradients on pixels."""

from __future__ import annotations

from captum.attr import IntegratedGradients
from jaxtyping import Float
from torch import Tensor

from biaskit.saliency.classifier import Classifier, Score
from biaskit.saliency.fills import Fill, filling
from biaskit.saliency.pixel_scores import AT_ONCE, differentiable_score, row_numbers

STEPS = 32


def integrated_gradients(
    classifier: Classifier,
    pixels: Float[Tensor, "n c h w"],
    score: Score,
    behind: Float[Tensor, "n c h w"] | None = None,
    steps: int = STEPS,
) -> Float[Tensor, "n h w"]:
    """Integrate the gradient along the straight path from `behind` to the image.

    L_p = sum over channels of (x - b) times the integral over a in [0, 1] of dS(b + a (x - b)) / dx
    (Sundararajan et al. 2017), by Gauss-Legendre with `steps` nodes; cells sum to S(x) - S(b).

    Args:
        classifier: The model.
        pixels: The images.
        score: What is explained.
        behind: b; None for the mean colour of the images.
        steps: Nodes of the quadrature.

    Returns:
        The signed map, one cell a pixel, in units of the score.
    """
    behind = filling(pixels, Fill.MEAN) if behind is None else behind
    found: Tensor = IntegratedGradients(differentiable_score(classifier, score)).attribute(
        pixels.detach().clone().requires_grad_(),
        baselines=behind,
        additional_forward_args=row_numbers(pixels),
        n_steps=steps,
        internal_batch_size=max(AT_ONCE, len(pixels)),
    )
    return found.detach().sum(1).float()
