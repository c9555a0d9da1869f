"""Changes of activations while a model draws: what a change is told, and when it acts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.errors import RunError


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a sampler stands when an activation passes.

    Attributes:
        step: Number of the sampler's step, from 0.
        timestep: That step as the network is told it; large is noisy.
        seeds: The seed of each image that is being drawn.
        copies: How often the activation holds each image: 2 under classifier-free guidance, where the rows
            without the prompt come first, else 1.
    """

    step: int
    timestep: float
    seeds: tuple[int, ...]
    copies: int = 1

    def prompted(self, activation: Float[Tensor, "b ..."]) -> Float[Tensor, "n ..."]:
        """Return the rows that were given the prompt, one an image."""
        return activation[len(activation) - len(self.seeds) :]

    def repeated(self, values: Float[Tensor, "n ..."]) -> Float[Tensor, "b ..."]:
        """Return values of the images for every row of the activation."""
        return values.repeat(self.copies, *([1] * (values.ndim - 1)))


class SampleEdit(Protocol):
    """A change of an activation while images are drawn; one that only looks returns what it was given."""

    def __call__(self, activation: Float[Tensor, "b ..."], moment: Moment) -> Float[Tensor, "b ..."]:
        """Return the changed activation; the one given is not written to."""


@dataclass(eq=False)
class Clock:
    """Knows at which step a sampler is; whoever samples moves it on.

    Attributes:
        seeds: The seed of each image.
        timesteps: Tells the sampler's timesteps once it has begun.
        step: Steps that are done.
    """

    seeds: tuple[int, ...]
    timesteps: Callable[[], Sequence[float]]
    step: int = field(default=0)

    def now(self, rows: int) -> Moment:
        """Return the moment at which an activation of `rows` rows passes.

        Raises:
            RunError: The rows are no multiple of the images.
        """
        copies, rest = divmod(rows, len(self.seeds))
        if rest or not copies:
            raise RunError(
                f"{rows} rows passed while {len(self.seeds)} images were drawn.",
                why="An edit cannot tell which row belongs to which image.",
                fix="Edit a site that holds whole images.",
            )
        return Moment(self.step, float(self.timesteps()[self.step]), self.seeds, copies)


@dataclass(frozen=True, slots=True)
class Both:
    """Several edits of one activation, the first one first.

    Attributes:
        edits: What is applied, in order.
    """

    edits: tuple[SampleEdit, ...]

    def __call__(self, activation: Float[Tensor, "b ..."], moment: Moment) -> Float[Tensor, "b ..."]:
        """Return the activation after every edit."""
        for change in self.edits:
            activation = change(activation, moment)
        return activation


def during(edit: SampleEdit, clock: Clock) -> Callable[[Tensor], Tensor]:
    """Return an edit as the change that `biaskit.hooks.edit.edit` takes, told the time by a clock."""

    def change(activation: Tensor) -> Tensor:
        with torch.no_grad():
            return edit(activation, clock.now(len(activation)))

    return change
