"""Amplify correlations: a network that can learn nothing but what is easy (Yenamandra et al. 2023, FACTS)."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import nn

from biaskit.errors import RequestError
from biaskit.retraining.examples import Examples
from biaskit.retraining.group_accuracy import group_accuracy, predict
from biaskit.retraining.training import Course, Schedule, fit


@dataclass(frozen=True, slots=True)
class Amplify:
    """Train under strong regularisation, so that the easy and biased hypothesis is all that fits.

    Each weight decay is trained once. Of a run the checkpoint with the highest training accuracy is kept, the
    earliest of several; of the runs the one with the largest `spread` is returned: where examples that go
    with the shortcut are sure and those against it are sure of the wrong class, p(y | x) is spread widest. No
    group label is read.

    Attributes:
        schedule: How long and how; its steps are few, and `check_every` sets the checkpoints.
        weight_decays: The L2 penalties to choose from.
    """

    name: ClassVar[str] = "amplify"
    needs_groups: ClassVar[bool] = False
    schedule: Schedule = field(default_factory=lambda: Schedule(steps=60))
    weight_decays: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        """Refuse an empty choice."""
        if not self.weight_decays or min(self.weight_decays) < 0:
            raise RequestError("Give one or more weight decays of at least 0.")

    def train(self, network: nn.Module, examples: Examples, generator: torch.Generator) -> nn.Module:
        """Return the amplified copy of `network`."""
        state = generator.get_state()
        best, widest = network, -1.0
        for decay in self.weight_decays:
            # The same batches for each, so that they differ in the penalty alone.
            generator.set_state(state)
            found = self._run(network, examples, decay, generator)
            if (width := spread(found, examples)) > widest:
                best, widest = found, width
        return best

    def _run(
        self, network: nn.Module, examples: Examples, decay: float, generator: torch.Generator
    ) -> nn.Module:
        kept = _Highest(examples)
        schedule = _with_decay(self.schedule, decay)
        last = fit(network, Course(examples, schedule, watch=kept), generator)
        kept(last)
        if kept.weights is not None:
            last.load_state_dict(kept.weights)
        return last


def spread(network: nn.Module, examples: Examples) -> float:
    """Return the mean over classes of the variance of p(y | x), y the true class, in [0, 0.25]."""
    chosen = predict(network, examples.inputs).softmax(dim=1).gather(1, examples.labels[:, None])[:, 0]
    classes = sorted(set(examples.labels.tolist()))
    each = [chosen[examples.labels == label].double().var(correction=0) for label in classes]
    return float(torch.stack(each).mean())


class _Highest:
    """Keeps the weights with the highest training accuracy."""

    def __init__(self, examples: Examples) -> None:
        self._examples, self._accuracy = examples, -1.0
        self.weights: dict[str, torch.Tensor] | None = None

    def __call__(self, network: nn.Module) -> None:
        accuracy = group_accuracy(network, self._examples).average
        if accuracy > self._accuracy:
            self._accuracy, self.weights = accuracy, copy.deepcopy(network.state_dict())


def _with_decay(schedule: Schedule, decay: float) -> Schedule:
    return Schedule(
        steps=schedule.steps,
        batch=schedule.batch,
        learning_rate=schedule.learning_rate,
        weight_decay=decay,
        optimizer=schedule.optimizer,
        one_cycle=schedule.one_cycle,
        check_every=schedule.check_every,
    )
