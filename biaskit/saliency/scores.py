"""The one number a map explains: a class against the others, its logit or its probability."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import torch
from jaxtyping import Float, Int
from torch import Tensor

from biaskit.errors import RequestError, UnknownNameError


class ScoreName(StrEnum):
    """What is explained about a class."""

    CONTRASTIVE = "contrastive"
    LOGIT = "logit"
    PROBABILITY = "probability"


@dataclass(frozen=True, slots=True, eq=False)
class TargetScore:
    """A score of one class an image; call it with logits, take `rows` of it to run it batch by batch.

    Attributes:
        name: Which formula it is.
        targets: The class of each image, by its place among the logits.
    """

    name: ScoreName
    targets: Int[Tensor, " n"]

    def __call__(self, logits: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
        """Return the score of each row, differentiable.

        Raises:
            RequestError: There are other rows than targets, or a target that is no class.
        """
        _check(logits, self.targets)
        return _FORMULAS[self.name](logits, self.targets.to(logits.device).long()[:, None])

    def rows(self, rows: Int[Tensor, " m"]) -> TargetScore:
        """Return the score of these images alone, in this order; an image may come twice."""
        return TargetScore(self.name, self.targets[rows.to(self.targets.device)])


def contrastive(targets: Int[Tensor, " n"]) -> TargetScore:
    """Return z_c - logsumexp of all other logits: the log-odds of class c, in nats.

    Evidence that all classes share leaves it unchanged, and it does not vanish where the softmax saturates.
    """
    return TargetScore(ScoreName.CONTRASTIVE, targets)


def logit(targets: Int[Tensor, " n"]) -> TargetScore:
    """Return z_c; evidence that all classes share counts in full."""
    return TargetScore(ScoreName.LOGIT, targets)


def probability(targets: Int[Tensor, " n"]) -> TargetScore:
    """Return softmax(z)_c in [0, 1]; its gradient vanishes where it is near 0 or 1."""
    return TargetScore(ScoreName.PROBABILITY, targets)


def score_named(name: str, targets: Int[Tensor, " n"]) -> TargetScore:
    """Return the score of that name.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in set(ScoreName):
        raise UnknownNameError("score", name, ScoreName)
    return TargetScore(ScoreName(name), targets)


def score_of_rows(score: Callable[[Tensor], Tensor], rows: Int[Tensor, " m"]) -> Callable[[Tensor], Tensor]:
    """Return the score of these rows alone; a plain function of logits is the same for all of them."""
    return score.rows(rows) if isinstance(score, TargetScore) else score


def _check(logits: Tensor, targets: Tensor) -> None:
    if len(logits) != len(targets):
        raise RequestError(
            f"The score is of {len(targets)} images, and {len(logits)} rows of logits came.",
            fix="Take the batch's part of it with `score.rows(rows)`.",
        )
    classes = logits.shape[1]
    if len(targets) and (int(targets.min()) < 0 or int(targets.max()) >= classes):
        raise RequestError(
            f"A target lies outside the model's {classes} classes.",
            fix=f"Number the classes from 0 to {classes - 1}, in the order of the logits.",
        )


def _contrast(logits: Tensor, columns: Tensor) -> Tensor:
    if logits.shape[1] < 2:
        raise RequestError(
            "A model with one class has nothing to contrast it with.", fix="Use the score 'logit'."
        )
    others = logits.scatter(1, columns, -torch.inf).logsumexp(1)
    return logits.gather(1, columns)[:, 0] - others


def _logit(logits: Tensor, columns: Tensor) -> Tensor:
    return logits.gather(1, columns)[:, 0]


def _probability(logits: Tensor, columns: Tensor) -> Tensor:
    return logits.softmax(1).gather(1, columns)[:, 0]


_FORMULAS: dict[ScoreName, Callable[[Tensor, Tensor], Tensor]] = {
    ScoreName.CONTRASTIVE: _contrast,
    ScoreName.LOGIT: _logit,
    ScoreName.PROBABILITY: _probability,
}
