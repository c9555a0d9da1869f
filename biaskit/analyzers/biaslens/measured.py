"""What one reading of one comparison gave: behaviour and inside, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from biaskit.records.probe_set import TARGET_SLOT
from biaskit.records.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biaskit.analyzers.biaslens.grid import Grid
    from biaskit.analyzers.biaslens.read_point import ReadPoint
    from biaskit.concepts.nouns import Nouns


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One reading of one comparison.

    Every matrix has a row for each stem and a column for each noun, in nats, and is centred on the
    neutral controls stem by stem: the controls of a row have mean 0.

    Attributes:
        reading: The direction of reading.
        nouns: The columns.
        grid: The prompts that were read.
        behaviour: Behavioural log-odds.
        scores: First-order score at every point that was looked at.
        axes: At every point, the direction whose projection is the score, one for each stem.
        agreement: At every point, how well the score predicts the controls' behaviour (see `agreement`).
        point: The point at which the score is reported.
        activations: What was read there: of every noun's stem, or of the stems with a reference word.
    """

    reading: Reading
    nouns: Nouns
    grid: Grid
    behaviour: Float[ndarray, "g n"]
    scores: Mapping[ReadPoint, Float[ndarray, "g n"]]
    axes: Mapping[ReadPoint, Float[Tensor, "g d"]]
    agreement: Mapping[ReadPoint, float]
    point: ReadPoint
    activations: Float[Tensor, "g c d"]

    @property
    def score(self) -> Float[ndarray, "g n"]:
        """The scores at the reported point."""
        return self.scores[self.point]

    def sentence(self, row: int, column: int) -> str:
        """Return the text of one cell; given the references, with the reference's slot left open."""
        noun = self.nouns.words[column]
        if self.reading is Reading.GIVEN_TARGET:
            return self.grid.stems[row].replace(TARGET_SLOT, noun)
        return f"{self.grid.stems[row]} {noun}"


def centred(cells: Float[ndarray, "g n"], controls: tuple[int, ...]) -> Float[ndarray, "g n"]:
    """Subtract each row's mean over the control columns."""
    moved: Float[ndarray, "g n"] = cells - cells[:, list(controls)].mean(axis=1, keepdims=True)
    return moved


def agreement(
    score: Float[ndarray, "g n"], behaviour: Float[ndarray, "g n"], controls: tuple[int, ...]
) -> float:
    """Return how much of the controls' behaviour the score predicts, with slope 1 and no fitting.

    1 - sum (behaviour - score)^2 / sum behaviour^2 over the control cells; at most 1, and below 0 for a
    score that predicts worse than saying nothing. Replacing everything a stem's point reads by another
    noun's gives the behaviour of that noun, so a point agrees where the association has arrived in full
    and the model is close to linear above it. No target enters, so choosing by it cannot favour a result.
    """
    missed, whole = squares(score, behaviour, controls)
    return float(1 - missed.sum() / max(whole.sum(), np.finfo(float).tiny))


def squares(
    score: Float[ndarray, "g n"], behaviour: Float[ndarray, "g n"], controls: tuple[int, ...]
) -> tuple[Float[ndarray, "g c"], Float[ndarray, "g c"]]:
    """Return `(behaviour - score)^2` and `behaviour^2` of the control cells."""
    seen = behaviour[:, list(controls)]
    return (seen - score[:, list(controls)]) ** 2, seen**2


def best_point(agreements: Mapping[ReadPoint, float]) -> ReadPoint:
    """Return the point with the best agreement; of equal ones the first."""
    return max(agreements, key=lambda point: agreements[point])


def between_poles(values: Float[Tensor, "n k"], grid: Grid) -> Float[Tensor, "g k"]:
    """Return the mean over the first pole's words minus that over the second's, stem by stem, float64."""
    stems, words = grid.shape
    halves = values.double().view(stems, 2, words // 2, -1).mean(2)
    return grid.sign * (halves[:, 0] - halves[:, 1])
