"""Empirical risk minimisation: the mean loss over all examples, whatever their groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import nn

from biaskit.retraining.examples import Examples
from biaskit.retraining.training import Course, Schedule, fit


@dataclass(frozen=True, slots=True)
class ERM:
    """Train on all examples alike: the baseline of every other rule.

    Attributes:
        schedule: How long and how.
    """

    name: ClassVar[str] = "erm"
    needs_groups: ClassVar[bool] = False
    schedule: Schedule = field(default_factory=Schedule)

    def train(self, network: nn.Module, examples: Examples, generator: torch.Generator) -> nn.Module:
        """Return a trained copy of `network`."""
        return fit(network, Course(examples, self.schedule), generator)
