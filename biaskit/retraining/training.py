"""The one training loop that every rule shares."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from biaskit.errors import RequestError, RunError
from biaskit.retraining.examples import Examples
from biaskit.retraining.group_accuracy import group_accuracy, logits_of

Rows: TypeAlias = Iterator[Int[Tensor, " b"]]
"""An endless stream of batches, as row numbers."""

Objective: TypeAlias = Callable[[Float[Tensor, " b"], Int[Tensor, " b"]], Float[Tensor, ""]]
"""From the loss and the group of each row of a batch to the number that is made small."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how a network is trained.

    Attributes:
        steps: Optimizer steps.
        batch: Rows per step.
        learning_rate: Learning rate; its peak with `one_cycle`.
        weight_decay: The L2 penalty of SGD; of AdamW apart from the gradient (Loshchilov and Hutter 2019).
        optimizer: `adamw`, or `sgd` with momentum 0.9.
        one_cycle: Whether the learning rate rises and falls once over all steps (Smith and Topin 2019).
        held_out: Share of every group that is not trained on but decides when to stop; 0: train all steps.
        check_every: Steps between two looks at what is held out.
        patience: Looks without a better worst group after which training stops.
    """

    steps: int = 200
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    optimizer: Literal["adamw", "sgd"] = "adamw"
    one_cycle: bool = False
    held_out: float = 0.0
    check_every: int = 20
    patience: int = 5

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        if min(self.steps, self.batch, self.check_every, self.patience) < 1 or self.learning_rate <= 0:
            raise RequestError("Steps, batch, check_every, patience and learning rate must be above 0.")
        if not 0 <= self.held_out < 1 or self.weight_decay < 0:
            raise RequestError("held_out must lie in [0, 1), and weight_decay must be at least 0.")


def plain(losses: Float[Tensor, " b"], _groups: Int[Tensor, " b"]) -> Float[Tensor, ""]:
    """Mean loss of the batch."""
    return losses.mean()


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What one training run goes through.

    Attributes:
        examples: What is trained on.
        schedule: How long and how.
        objective: What is made small.
        copies: How often each row counts; None: once.
        balanced: Whether batches hold all groups equally often instead of passing over all rows.
        watch: Told the network after every `schedule.check_every` steps, in evaluation mode.
    """

    examples: Examples
    schedule: Schedule
    objective: Objective = plain
    copies: Int[Tensor, " n"] | None = None
    balanced: bool = False
    watch: Callable[[nn.Module], None] | None = field(default=None)


def fit(network: nn.Module, course: Course, generator: torch.Generator) -> nn.Module:
    """Return a copy of `network`, trained on a course by cross-entropy and in evaluation mode.

    Only parameters that require gradients are trained. Batches, what is held out and dropout all come from
    `generator`; torch's own random state is left as it was.

    Raises:
        RequestError: There is nothing to train, or nothing to train on.
        RunError: The loss is no longer a number.
    """
    trained = copy.deepcopy(network)
    parameters = [weight for weight in trained.parameters() if weight.requires_grad]
    if not parameters or not len(course.examples):
        raise RequestError("There is nothing to train: no example, or no parameter that may change.")
    kept, held = _split(course.examples, course.schedule.held_out, generator)
    best = _Best(course.examples.take(held), course.schedule.patience)
    optimizer, rate = _optimizer(parameters, course.schedule)
    with _own_noise(generator), torch.enable_grad():
        for step, rows in enumerate(_batches(course, kept, generator), start=1):
            _step(trained.train(), course, rows, optimizer)
            rate.step()
            if step % course.schedule.check_every == 0 and _looked(trained, course, best):
                break
    return best.restore(trained).eval()


def shuffled(rows: Int[Tensor, " n"], batch: int, generator: torch.Generator) -> Rows:
    """Pass over `rows` again and again, in a new order each time; every batch is full."""
    waiting = rows[:0]
    while True:
        while len(waiting) < batch:
            waiting = torch.cat([waiting, rows[torch.randperm(len(rows), generator=generator)]])
        yield waiting[:batch]
        waiting = waiting[batch:]


def balanced(
    rows: Int[Tensor, " n"], groups: Int[Tensor, " n"], batch: int, generator: torch.Generator
) -> Rows:
    """Draw rows with replacement such that every group is drawn equally often: weight 1 / group size."""
    weights = 1.0 / torch.bincount(groups)[groups]
    while True:
        yield rows[torch.multinomial(weights, batch, replacement=True, generator=generator)]


def check_groups(examples: Examples, rule: str) -> Int[Tensor, " g"]:
    """Return the size of each group.

    Raises:
        RequestError: A group between 0 and the highest is empty, or there is only one.
    """
    sizes = examples.group_sizes()
    if len(sizes) < 2:
        raise RequestError(f"The rule '{rule}' needs at least two groups, and there is one.")
    if empty := torch.nonzero(sizes == 0).flatten().tolist():
        raise RequestError(
            f"The rule '{rule}' needs every group, and group {empty[0]} has no example.",
            fix="Leave the group's number out, or give examples of it.",
        )
    return sizes


def _batches(course: Course, kept: Int[Tensor, " n"], generator: torch.Generator) -> Rows:
    schedule = course.schedule
    if course.balanced:
        stream = balanced(kept, course.examples.groups[kept], schedule.batch, generator)
    else:
        copies = torch.ones_like(course.examples.labels) if course.copies is None else course.copies
        stream = shuffled(kept.repeat_interleave(copies[kept]), schedule.batch, generator)
    for _ in range(schedule.steps):
        yield next(stream)


def _step(
    network: nn.Module, course: Course, rows: Int[Tensor, " b"], optimizer: torch.optim.Optimizer
) -> None:
    batch = course.examples.take(rows)
    losses = nn.functional.cross_entropy(logits_of(network, batch.inputs), batch.labels, reduction="none")
    loss = course.objective(losses, batch.groups)
    if not torch.isfinite(loss):
        raise RunError("The training loss is not a number any more.", fix="Use a smaller learning rate.")
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _looked(network: nn.Module, course: Course, best: _Best) -> bool:
    """Show the network to who watches; tell whether training may stop."""
    if course.watch is not None:
        course.watch(network.eval())
    return best.look(network.eval())


def _optimizer(
    parameters: list[nn.Parameter], schedule: Schedule
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    rate, decay = schedule.learning_rate, schedule.weight_decay
    optimizer: torch.optim.Optimizer
    if schedule.optimizer == "sgd":
        optimizer = torch.optim.SGD(parameters, lr=rate, momentum=0.9, weight_decay=decay)
    else:
        optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)
    if schedule.one_cycle:
        steps = schedule.steps + 1
        return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps)
    return optimizer, torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)


def _split(
    examples: Examples, share: float, generator: torch.Generator
) -> tuple[Int[Tensor, " k"], Int[Tensor, " h"]]:
    """Rows to train on and rows held out, the share taken of every group and never a whole group."""
    order = torch.randperm(len(examples), generator=generator) if share else torch.arange(len(examples))
    held = [
        rows[: int(share * len(rows))]
        for rows in (order[examples.groups[order] == g] for g in _codes(examples))
    ]
    out = torch.cat(held)
    kept = torch.ones(len(examples), dtype=torch.bool)
    kept[out] = False
    return torch.nonzero(kept).flatten(), out


def _codes(examples: Examples) -> list[int]:
    codes: list[int] = torch.nonzero(examples.group_sizes()).flatten().tolist()
    return codes


class _Best:
    """The weights with the best worst group on what is held out; the last weights where nothing is."""

    def __init__(self, held: Examples, patience: int) -> None:
        self._held, self._patience = held, patience
        self._score, self._since = -1.0, 0
        self._weights: dict[str, Tensor] | None = None

    def look(self, network: nn.Module) -> bool:
        """Remember the weights if they are the best so far; tell whether patience is at its end."""
        if not len(self._held):
            return False
        score = group_accuracy(network, self._held).worst
        if score > self._score:
            self._score, self._since = score, 0
            self._weights = copy.deepcopy(network.state_dict())
            return False
        self._since += 1
        return self._since >= self._patience

    def restore(self, network: nn.Module) -> nn.Module:
        if self._weights is not None:
            network.load_state_dict(self._weights)
        return network


@contextmanager
def _own_noise(generator: torch.Generator) -> Iterator[None]:
    """Let dropout draw from a seed of `generator`'s."""
    seed = int(torch.randint(2**62, (1,), generator=generator))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
