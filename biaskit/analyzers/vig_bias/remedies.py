"""A head fitted again so that no group is left behind, and what that changes on images it never saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor, nn

from biaskit.errors import RequestError, UnknownNameError
from biaskit.retraining.examples import Examples
from biaskit.retraining.heads import RULES

if TYPE_CHECKING:
    from biaskit.analyzers.vig_bias.looking import Looked


@dataclass(frozen=True, slots=True, eq=False)
class Mended:
    """A head fitted again.

    Attributes:
        rule: How.
        weight: Its weight.
        bias: Its bias.
        probabilities: What it gives each class on the images the numbers are measured on.
    """

    rule: str
    weight: Float[Tensor, "k d"]
    bias: Float[Tensor, " k"]
    probabilities: Float[ndarray, "n k"]


def check(names: tuple[str, ...]) -> None:
    """Refuse rules that nobody knows.

    Raises:
        UnknownNameError: With near names.
    """
    for name in names:
        if name not in RULES:
            raise UnknownNameError("remedy", name, RULES)


def mend(
    rule: str,
    head: tuple[Float[Tensor, "k d"], Float[Tensor, " k"]],
    seen: tuple[Looked, Looked],
    groups: Int[ndarray, " n"],
    generator: torch.Generator,
) -> Mended:
    """Fit the head again.

    Args:
        rule: A name in `RULES`.
        head: Weight and bias as they are; their shape is kept.
        seen: The images it is fitted on, and those it is measured on.
        groups: Group of each image it is fitted on, numbered without gaps.
        generator: Source of batches.

    Raises:
        RequestError: The rule needs groups and there is one alone.
    """
    fitted_on, held = seen
    features = torch.from_numpy(fitted_on.features).float()
    centre, spread = features.mean(dim=0), features.std(dim=0, correction=0)
    spread = torch.where(spread > 0, spread, torch.ones_like(spread))
    examples = Examples(
        (features - centre) / spread, torch.from_numpy(fitted_on.labels), torch.from_numpy(groups)
    )
    trained = RULES[rule]().train(_blank(*head[0].shape), examples, generator)
    if not isinstance(trained, nn.Linear):
        raise RequestError(f"The rule '{rule}' gave no linear head.")
    weight = trained.weight.detach() / spread
    bias = trained.bias.detach() - weight @ centre
    logits = torch.from_numpy(held.features).float() @ weight.T + bias
    return Mended(rule, weight, bias, logits.double().softmax(dim=1).numpy())


def _blank(classes: int, width: int) -> nn.Linear:
    """Return a head that knows nothing: a trained one sits where its loss is flat."""
    layer = nn.Linear(width, classes)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
