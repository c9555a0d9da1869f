"""Group DRO: the loss of the group that is worst off (Sagawa et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from biaskit.errors import RequestError
from biaskit.retraining.examples import Examples
from biaskit.retraining.training import Course, Schedule, check_groups, fit


@dataclass(frozen=True, slots=True)
class GroupDRO:
    """Train against an adversary who puts the weight on the groups with the largest loss.

    Batches are balanced over groups; after each, `q_g <- q_g exp(eta (l_g + C / sqrt(n_g)))`, normalised, and
    the loss is `sum_g q_g l_g`, l_g the mean loss of group g in the batch (0 where it is absent). Without
    strong weight decay or early stopping it gains nothing, since every group's training loss reaches 0.

    Attributes:
        schedule: How long and how.
        eta: Step size of the adversary.
        adjustment: C, the generalisation adjustment; larger values favour small groups.
    """

    name: ClassVar[str] = "group-dro"
    needs_groups: ClassVar[bool] = True
    schedule: Schedule = field(default_factory=Schedule)
    eta: float = 0.01
    adjustment: float = 0.0

    def __post_init__(self) -> None:
        """Refuse an adversary that moves the wrong way."""
        if self.eta <= 0 or self.adjustment < 0:
            raise RequestError("eta must be above 0, and the adjustment at least 0.")

    def train(self, network: nn.Module, examples: Examples, generator: torch.Generator) -> nn.Module:
        """Return a trained copy of `network`.

        Raises:
            RequestError: There is one group only, or a group is empty.
        """
        adversary = Adversary(check_groups(examples, self.name), self.eta, self.adjustment)
        return fit(network, Course(examples, self.schedule, objective=adversary, balanced=True), generator)


class Adversary:
    """Weights over groups that follow the losses.

    Attributes:
        weights: The weight of each group; they sum to 1.
    """

    def __init__(self, sizes: Int[Tensor, " g"], eta: float, adjustment: float) -> None:
        """Start from equal weights."""
        self.weights: Tensor = torch.full((len(sizes),), 1.0 / len(sizes), dtype=torch.float64)
        self._eta, self._margin = eta, adjustment / sizes.double().sqrt()

    def __call__(self, losses: Float[Tensor, " b"], groups: Int[Tensor, " b"]) -> Float[Tensor, ""]:
        """Move the weights by one batch and return the weighted loss."""
        count = torch.bincount(groups, minlength=len(self.weights))
        sums = torch.zeros_like(self.weights, dtype=losses.dtype).index_add(0, groups, losses)
        means = sums / count.clamp(min=1)
        exponents = self._eta * (means.detach().double() + self._margin)
        # The largest exponent is taken out, so that no loss overflows.
        self.weights = self.weights * torch.exp(exponents - exponents.max())
        self.weights = self.weights / self.weights.sum()
        return (self.weights.to(losses.dtype) * means).sum()
