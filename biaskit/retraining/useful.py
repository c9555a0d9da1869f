"""USEFUL: examples that are not learned early are copied (Nguyen et al. 2024)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from sklearn.cluster import KMeans
from torch import Tensor, nn

from biaskit.errors import RequestError
from biaskit.retraining.examples import Examples
from biaskit.retraining.group_accuracy import losses_of, predict
from biaskit.retraining.training import Course, Schedule, fit

CLUSTERS = 2


@dataclass(frozen=True, slots=True)
class Useful:
    """Train early, cut each class's outputs in two, copy the part with the higher loss, train from the start.

    Where there is no shortcut the cut follows whatever is loudest, so many copies then do harm.

    Attributes:
        schedule: The second training.
        early: The first one, about a tenth of the second.
        copies: How often an example of the slow part is counted.
    """

    name: ClassVar[str] = "useful"
    needs_groups: ClassVar[bool] = False
    schedule: Schedule = field(default_factory=Schedule)
    early: Schedule = field(default_factory=lambda: Schedule(steps=20))
    copies: int = 2

    def __post_init__(self) -> None:
        """Refuse to drop the slow part."""
        if self.copies < 1:
            raise RequestError("Examples must be counted at least once.")

    def train(self, network: nn.Module, examples: Examples, generator: torch.Generator) -> nn.Module:
        """Return a trained copy of `network`."""
        copies = torch.ones_like(examples.labels)
        copies[self.slow_rows(network, examples, generator)] = self.copies
        return fit(network, Course(examples, self.schedule, copies=copies), generator)

    def slow_rows(
        self, network: nn.Module, examples: Examples, generator: torch.Generator
    ) -> Int[Tensor, " s"]:
        """Return the rows of the slow part of every class, by an early network's outputs."""
        early = fit(network, Course(examples, self.early), generator)
        outputs, losses = predict(early, examples.inputs), losses_of(early, examples)
        seed = int(torch.randint(2**31 - 1, (1,), generator=generator))
        classes = [
            torch.nonzero(examples.labels == label).flatten() for label in set(examples.labels.tolist())
        ]
        parts = [rows[slow_part(outputs[rows], losses[rows], seed)] for rows in classes]
        return torch.cat(parts).sort().values


def slow_part(outputs: Float[Tensor, "n k"], losses: Float[Tensor, " n"], seed: int) -> Int[Tensor, " s"]:
    """Cut outputs in two by k-means and return the rows of the part with the higher mean loss.

    Empty where the outputs do not differ.
    """
    if bool((outputs == outputs[:1]).all()):
        return torch.empty(0, dtype=torch.long)
    found = KMeans(CLUSTERS, n_init=10, random_state=seed).fit_predict(outputs.double().numpy())
    parts = torch.from_numpy(found).long()
    means = [float(losses[parts == part].mean()) for part in range(CLUSTERS)]
    return torch.nonzero(parts == max(range(CLUSTERS), key=means.__getitem__)).flatten()
