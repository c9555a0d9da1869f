"""Group-balanced sampling: every group is drawn equally often."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import nn

from biaskit.retraining.examples import Examples
from biaskit.retraining.training import Course, Schedule, check_groups, fit


@dataclass(frozen=True, slots=True)
class GroupBalanced:
    """Train on batches that hold every group equally often, drawn with replacement (Idrissi et al. 2022).

    Attributes:
        schedule: How long and how.
    """

    name: ClassVar[str] = "group-balanced"
    needs_groups: ClassVar[bool] = True
    schedule: Schedule = field(default_factory=Schedule)

    def train(self, network: nn.Module, examples: Examples, generator: torch.Generator) -> nn.Module:
        """Return a trained copy of `network`.

        Raises:
            RequestError: There is one group only, or a group is empty.
        """
        check_groups(examples, self.name)
        return fit(network, Course(examples, self.schedule, balanced=True), generator)
