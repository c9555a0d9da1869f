"""The difference of class means: the direction a concept moves activations in."""

from __future__ import annotations

from jaxtyping import Float, Num
from torch import Tensor

from biaskit.concepts.direction import ConceptDirection, as_float64, make_direction
from biaskit.errors import RequestError


def fit_mean_difference(positive: Float[Tensor, "n d"], negative: Float[Tensor, "m d"]) -> ConceptDirection:
    """Fit v = mean(positive) - mean(negative), in float64.

    The midpoint is half way between the two means. For a binary label this is the pattern
    Cov(a, y) / Var(y), which shows where the concept moves activations, while a separating weight
    vector also cancels distractors (Pahde et al. 2022, arXiv 2202.03482).

    Raises:
        ActivationError: A group is empty or holds NaN or infinite values.
        RunError: The two means are equal.
    """
    upper = as_float64(positive, "positive").mean(dim=0)
    lower = as_float64(negative, "negative").mean(dim=0)
    return make_direction(upper - lower, (upper + lower) / 2, "mean_difference")


def fit_pattern(activations: Float[Tensor, "n d"], labels: Num[Tensor, " n"]) -> ConceptDirection:
    """Fit v = Cov(a, y) / Var(y), the regression pattern of a label that may be graded.

    Equal to `fit_mean_difference` where `labels` takes two values one apart. The midpoint is the
    mean of the activations, moved along v to the middle of the labels' range.

    Raises:
        ActivationError: Activations are empty, NaN or infinite.
        RequestError: All labels are equal.
        RunError: The activations do not vary with the label.
    """
    rows, target = as_float64(activations, "given"), labels.double()
    centred = target - target.mean()
    variance = (centred**2).mean()
    if float(variance) == 0.0:
        raise RequestError("All labels are equal.", fix="Give examples with and without the concept.")
    raw = (centred @ rows) / len(rows) / variance
    middle = (target.max() + target.min()) / 2
    return make_direction(raw, rows.mean(dim=0) + (middle - target.mean()) * raw, "pattern")
