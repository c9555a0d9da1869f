"""How well a network does on each group: worst, average and adjusted average."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from biaskit.errors import RequestError
from biaskit.retraining.examples import Examples

BATCH = 256


@dataclass(frozen=True, slots=True)
class GroupAccuracy:
    """Accuracy by group.

    Attributes:
        accuracies: Accuracy of each group, in [0, 1]; None for a group without examples.
        sizes: How many examples each group has.
        average: Accuracy over all examples.
        adjusted: Mean of the groups' accuracies weighted by their shares in the training data (Sagawa et al.
            2020), so that a balanced test set is read as the training population; None where a group that was
            trained on has no example here, or no training sizes were given.
    """

    accuracies: tuple[float | None, ...]
    sizes: tuple[int, ...]
    average: float
    adjusted: float | None = None

    @property
    def worst(self) -> float:
        """The lowest accuracy of any group that has examples."""
        return min(value for value in self.accuracies if value is not None)

    @property
    def worst_group(self) -> int:
        """The group with the lowest accuracy; the first of several."""
        known = [(value, group) for group, value in enumerate(self.accuracies) if value is not None]
        return min(known)[1]


def group_accuracy(
    network: nn.Module, examples: Examples, training_sizes: Int[Tensor, " g"] | None = None
) -> GroupAccuracy:
    """Measure a network on each group; it is left in the mode it was in.

    Args:
        network: The network; it gives logits, or an object with `.logits`.
        examples: What it is measured on.
        training_sizes: How many training examples each group has, for the adjusted average.

    Raises:
        RequestError: There is no example.
    """
    return accuracy_of(predict(network, examples.inputs), examples, training_sizes)


def accuracy_of(
    logits: Float[Tensor, "n k"], examples: Examples, training_sizes: Int[Tensor, " g"] | None = None
) -> GroupAccuracy:
    """Do the same for logits that are at hand.

    Raises:
        RequestError: There is no example.
    """
    if not len(examples):
        raise RequestError("There is no example to measure accuracy on.")
    right = (logits.argmax(dim=1) == examples.labels).double()
    groups = max(int(examples.groups.max()) + 1, 0 if training_sizes is None else len(training_sizes))
    sizes = examples.group_sizes(groups)
    hits = torch.bincount(examples.groups, weights=right, minlength=groups)
    each = tuple(float(hit / size) if size else None for hit, size in zip(hits, sizes, strict=True))
    return GroupAccuracy(each, tuple(sizes.tolist()), float(right.mean()), _adjusted(each, training_sizes))


def predict(network: nn.Module, inputs: Float[Tensor, "n ..."]) -> Float[Tensor, "n k"]:
    """Logits of any number of inputs, in batches, without gradients and in evaluation mode."""
    before = network.training
    network.eval()
    try:
        with torch.no_grad():
            return torch.cat([logits_of(network, batch).float() for batch in _pieces(inputs)])
    finally:
        network.train(before)


def logits_of(network: nn.Module, inputs: Float[Tensor, "b ..."]) -> Float[Tensor, "b k"]:
    """Run a network and return its logits, also where it answers with an object that holds them."""
    weight = next(network.parameters(), inputs)
    answer = network(inputs.to(weight.device))
    logits: Tensor = getattr(answer, "logits", answer)
    return logits.to(inputs.device)


def losses_of(network: nn.Module, examples: Examples) -> Float[Tensor, " n"]:
    """Cross-entropy of each example, in nats."""
    return nn.functional.cross_entropy(predict(network, examples.inputs), examples.labels, reduction="none")


def _pieces(inputs: Float[Tensor, "n ..."]) -> Iterator[Float[Tensor, "b ..."]]:
    for start in range(0, len(inputs), BATCH):
        yield inputs[start : start + BATCH]


def _adjusted(each: tuple[float | None, ...], sizes: Int[Tensor, " g"] | None) -> float | None:
    if sizes is None:
        return None
    pairs = [(value, int(size)) for value, size in zip(each, sizes.tolist(), strict=False) if size]
    known = [value * size for value, size in pairs if value is not None]
    return sum(known) / sum(size for _, size in pairs) if len(known) == len(pairs) else None
