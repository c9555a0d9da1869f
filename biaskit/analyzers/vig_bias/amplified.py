"""A head that follows the easy correlation only, as FACTS asks for: it errs where that does not hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor, nn

from biaskit.retraining.amplify import Amplify
from biaskit.retraining.examples import Examples
from biaskit.retraining.training import Schedule
from biaskit.slices.observations import Observations

if TYPE_CHECKING:
    from biaskit.analyzers.vig_bias.looking import Looked

DECAYS = (0.1, 1.0, 10.0)
STEPS = 200


class Amplified(NamedTuple):
    """A head under strong L2.

    Attributes:
        centre: Mean of the training features.
        spread: Their standard deviation.
        head: The linear head on standardised features.
    """

    centre: Float[Tensor, " d"]
    spread: Float[Tensor, " d"]
    head: nn.Module

    def observed(self, seen: Looked, view: str) -> Observations:
        """Return what a slicer is given, with this head's probabilities in the place of the model's."""
        with torch.no_grad():
            logits = self.head((torch.from_numpy(seen.features).float() - self.centre) / self.spread)
        return Observations(seen.embeddings[view], seen.labels, logits.double().softmax(dim=1).numpy())


def amplify(
    features: Float[ndarray, "n d"], labels: Int[ndarray, " n"], classes: int, generator: torch.Generator
) -> Amplified:
    """Fit the head on the images that the model was trained on, where the correlation is.

    The penalty is the one of `DECAYS` that spreads p(true class) the widest; no group is read.
    """
    rows = torch.from_numpy(features).float()
    centre, spread = rows.mean(dim=0), rows.std(dim=0, correction=0)
    spread = torch.where(spread > 0, spread, torch.ones_like(spread))
    blank = nn.Linear(rows.shape[1], classes)
    nn.init.zeros_(blank.weight)
    nn.init.zeros_(blank.bias)
    given = torch.from_numpy(labels)
    examples = Examples((rows - centre) / spread, given, torch.zeros_like(given))
    rule = Amplify(schedule=Schedule(steps=STEPS), weight_decays=DECAYS)
    return Amplified(centre, spread, rule.train(blank, examples, generator))
