"""Just train twice: what the first network gets wrong counts more for the second (Liu et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor, nn

from biaskit.errors import RequestError
from biaskit.retraining.examples import Examples
from biaskit.retraining.group_accuracy import predict
from biaskit.retraining.training import Course, Schedule, fit


@dataclass(frozen=True, slots=True)
class JustTrainTwice:
    """Train briefly, find the errors, train again from the start with the errors copied.

    Attributes:
        schedule: The second training.
        first: The first one, short enough that the minority is still wrong.
        copies: How often each error is counted in the second training.
    """

    name: ClassVar[str] = "just-train-twice"
    needs_groups: ClassVar[bool] = False
    schedule: Schedule = field(default_factory=Schedule)
    first: Schedule = field(default_factory=lambda: Schedule(steps=60))
    copies: int = 20

    def __post_init__(self) -> None:
        """Refuse to drop the errors."""
        if self.copies < 1:
            raise RequestError("Errors must be counted at least once.")

    def train(self, network: nn.Module, examples: Examples, generator: torch.Generator) -> nn.Module:
        """Return a trained copy of `network`."""
        copies = torch.ones_like(examples.labels)
        copies[self.error_rows(network, examples, generator)] = self.copies
        return fit(network, Course(examples, self.schedule, copies=copies), generator)

    def error_rows(
        self, network: nn.Module, examples: Examples, generator: torch.Generator
    ) -> Int[Tensor, " e"]:
        """Return the rows that the first network gets wrong."""
        return errors(fit(network, Course(examples, self.first), generator), examples)


def errors(network: nn.Module, examples: Examples) -> Int[Tensor, " e"]:
    """Return the rows that a network gets wrong."""
    wrong = predict(network, examples.inputs).argmax(dim=1) != examples.labels
    return torch.nonzero(wrong).flatten()
