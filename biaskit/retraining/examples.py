"""What a model is trained on: inputs, labels and the group each example is in."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from biaskit.errors import RequestError


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Training examples; one entry a row on the first axis of each.

    Attributes:
        inputs: Pixels, or the features a head is given.
        labels: Index of the true class.
        groups: Index of the group, such as class x attribute; all 0 where no group is known.
    """

    inputs: Float[Tensor, "n ..."]
    labels: Int[Tensor, " n"]
    groups: Int[Tensor, " n"]

    def __post_init__(self) -> None:
        """Refuse columns of different lengths."""
        if not len(self.inputs) == len(self.labels) == len(self.groups):
            raise RequestError(
                f"{len(self.inputs)} inputs, {len(self.labels)} labels, {len(self.groups)} groups given.",
                fix="Give one of each for every example.",
            )

    def __len__(self) -> int:
        """How many examples there are."""
        return len(self.labels)

    def take(self, rows: Int[Tensor, " m"]) -> Examples:
        """Return some of the rows, in the order given and as often as given."""
        return Examples(self.inputs[rows], self.labels[rows], self.groups[rows])

    def group_sizes(self, groups: int | None = None) -> Int[Tensor, " g"]:
        """How many examples each group has, empty groups included."""
        return torch.bincount(self.groups, minlength=groups or 0)
