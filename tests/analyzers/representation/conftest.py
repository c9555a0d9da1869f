"""A model that draws known people, and a classifier that knows them too."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from biaskit.session import DiffusionSession
from tests.analyzers.diffusion_pid.conftest import KnownModel, compared


@dataclass(frozen=True, eq=False)
class Nearest:
    """Reads who is drawn: the nearest mean; `wrong` of the answers for each group are turned."""

    model: KnownModel
    attribute: str = "gender"
    classes: tuple = ("female", "male")
    wrong: tuple = (0.0, 0.0)
    blind: bool = False
    name = "nearest"
    fingerprint = "f" * 64

    def probabilities(self, pixels):
        latents = ((pixels[:, 0] - 0.5) * 8).flatten(1).double()
        places = torch.cdist(latents, self.model.means.clamp(-4, 4)).argmin(dim=1)
        column = 1 + ("gender", "age").index(self.attribute)
        true = torch.tensor([self.classes.index(self.model.people[place][column]) for place in places])
        # The same image always errs the same way.
        luck = (latents.abs().sum(dim=1) * 7919) % 1
        turned = luck < torch.tensor(self.wrong, dtype=torch.float64)[true]
        said = torch.zeros_like(true) if self.blind else torch.where(turned, 1 - true, true)
        return torch.nn.functional.one_hot(said, 2).float()


@pytest.fixture
def session_of():
    def make(model=None, classifiers=None, pairs=("gender",), **further):
        known = model or KnownModel()
        read = tuple(Nearest(known) for _ in ("gender",)) if classifiers is None else classifiers
        return DiffusionSession(
            model=known, comparisons=tuple(compared(pair) for pair in pairs), classifiers=read, **further
        )

    return make
