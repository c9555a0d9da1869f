"""Last-layer retraining: the features stay, the head is fitted again on balanced groups (DFR)."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from biaskit.errors import RequestError
from biaskit.retraining.examples import Examples
from biaskit.retraining.group_accuracy import accuracy_of
from biaskit.retraining.scaled import Scaled
from biaskit.retraining.training import check_groups

ITERATIONS = 200


@dataclass(frozen=True, slots=True)
class LastLayer:
    """Fit a linear head on features, every group with the same total weight (Kirichenko et al. 2023, DFR).

    Features are standardised, the loss is the mean over groups of each group's mean cross-entropy plus
    `strength / 2 ||W||^2`, and the strength is the one with the best worst group on half of every group (of
    several the best mean over groups, then the strongest); the head is then fitted on all rows. Weighting
    groups equally is what averaging over balanced subsamples comes to, without its noise. The network given
    is a linear layer; the one returned reads raw features.

    Attributes:
        strengths: The L2 penalties to choose from.
    """

    name: ClassVar[str] = "last-layer"
    needs_groups: ClassVar[bool] = True
    strengths: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)

    def __post_init__(self) -> None:
        """Refuse an empty path, and a penalty under which a separable problem has no solution."""
        if not self.strengths or min(self.strengths) <= 0:
            raise RequestError("Give one or more strengths above 0.")

    def train(self, network: nn.Module, examples: Examples, generator: torch.Generator) -> nn.Module:
        """Return a linear layer of the same shape.

        Raises:
            RequestError: The network is no linear layer, or a group is empty.
        """
        if not isinstance(network, nn.Linear):
            raise RequestError(
                f"The rule '{self.name}' fits a linear head, and the network is a {type(network).__name__}.",
                fix="Give the head and the features that it reads.",
            )
        check_groups(examples, self.name)
        scaled = Scaled(examples.inputs)
        rows = Examples(scaled.rows, examples.labels, examples.groups)
        weight, bias = _fit(rows, network.out_features, self.strength(rows, network.out_features, generator))
        return _layer(*scaled.unfold(weight, bias), like=network)

    def strength(self, rows: Examples, classes: int, generator: torch.Generator) -> float:
        """Choose the penalty by the worst group on half of every group; rows are standardised features."""
        if len(self.strengths) == 1:
            return self.strengths[0]
        chosen = _half(rows.groups, generator)
        fitting, held = rows.take(torch.nonzero(~chosen)[:, 0]), rows.take(torch.nonzero(chosen)[:, 0])
        if not len(held):
            return max(self.strengths)
        scores = []
        for strength in self.strengths:
            weight, bias = _fit(fitting, classes, strength)
            found = accuracy_of(held.inputs @ weight.T + bias, held)
            known = [value for value in found.accuracies if value is not None]
            scores.append((found.worst, sum(known) / len(known), strength))
        return max(scores)[2]


def _layer(weight: Float[Tensor, "k d"], bias: Float[Tensor, " k"], like: nn.Linear) -> nn.Linear:
    layer = copy.deepcopy(like)
    layer.weight = nn.Parameter(weight.to(like.weight.dtype))
    layer.bias = nn.Parameter(bias.to(like.weight.dtype))
    layer.eval()
    return layer


def _half(groups: Int[Tensor, " n"], generator: torch.Generator) -> Bool[Tensor, " n"]:
    """Half of every group, rounded down."""
    chosen = torch.zeros(len(groups), dtype=torch.bool)
    order = torch.randperm(len(groups), generator=generator)
    for group in range(int(groups.max()) + 1):
        rows = order[groups[order] == group]
        chosen[rows[: len(rows) // 2]] = True
    return chosen


def _fit(rows: Examples, classes: int, strength: float) -> tuple[Float[Tensor, "k d"], Float[Tensor, " k"]]:
    """Minimise the group-balanced cross-entropy with an L2 penalty on the weight (L-BFGS, from zero)."""
    weight = torch.zeros(classes, rows.inputs.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
    sizes = rows.group_sizes()
    share = 1.0 / (sizes[rows.groups] * (sizes > 0).sum()).double()
    solver = torch.optim.LBFGS(
        [weight, bias], max_iter=ITERATIONS, tolerance_grad=1e-8, line_search_fn="strong_wolfe"
    )

    def closure() -> float:
        solver.zero_grad()
        logits = rows.inputs @ weight.T + bias
        losses = nn.functional.cross_entropy(logits, rows.labels, reduction="none")
        loss = (share * losses).sum() + strength / 2 * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    with torch.enable_grad():
        solver.step(closure)  # type: ignore[no-untyped-call]
    return weight.detach(), bias.detach()
