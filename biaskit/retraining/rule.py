"""What a training rule must offer."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import nn

from biaskit.retraining.examples import Examples


class Rule(Protocol):
    """A way to train a network, such as ERM, group DRO or just-train-twice."""

    @property
    def name(self) -> str:
        """Name of the rule, such as `group-dro`."""

    @property
    def needs_groups(self) -> bool:
        """Whether `Examples.groups` must be known."""

    def train(self, network: nn.Module, examples: Examples, generator: torch.Generator) -> nn.Module:
        """Return a trained copy of `network`; the one given is left as it is.

        Raises:
            RequestError: A group that the rule needs is empty.
        """
