"""Does the map of a word say where the image changes when the word is dropped?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.records.estimate import Null

if TYPE_CHECKING:
    from biaskit.analyzers.diffusion_pid.scenes import Scene
    from biaskit.records.prompt_set import PromptCase

DRAWS = 999


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One word, its maps, and what became of the images without it.

    Attributes:
        case: The whole prompt.
        word: The word.
        instead: The prompt after the intervention.
        names: Names of the images.
        informations: i(x; word | rest), orthogonal, in nats.
        maps: The same pixel by pixel.
        changes: Squared change of each latent pixel when the image is drawn anew from the same noise.
        redrawn: The images drawn anew.
    """

    case: PromptCase
    word: str
    instead: str
    names: tuple[str, ...]
    informations: Float[ndarray, " n"]
    maps: Float[ndarray, "n h w"]
    changes: Float[ndarray, "n h w"]
    redrawn: Scene

    def correlations(self) -> Float[ndarray, " n"]:
        """Correlation of map and change over the pixels of each image; NaN where one of them is flat."""
        return np.array([_pearson(one, other) for one, other in zip(self.maps, self.changes, strict=True)])


def _pearson(one: Float[ndarray, "h w"], other: Float[ndarray, "h w"]) -> float:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def swapped_null(changes: list[Change], rng: np.random.Generator) -> Null | None:
    """Test the mean correlation against maps of other images: which map belongs to which image is shuffled.

    Every map is centred on the same object in many drawings, so a map of another image is the floor that the
    own map must beat. None where there are fewer than three images.
    """
    maps = np.concatenate([one.maps for one in changes])
    moved = np.concatenate([one.changes for one in changes])
    usable = (np.ptp(maps, axis=(1, 2)) > 0) & (np.ptp(moved, axis=(1, 2)) > 0)
    if usable.sum() < 3:
        return None
    table = _standard(maps[usable]) @ _standard(moved[usable]).T
    rows = np.arange(len(table))
    observed = table[rows, rows].mean()
    drawn = np.array([table[rows, rng.permutation(len(table))].mean() for _ in range(DRAWS)])
    hits = int((drawn >= observed - 1e-12).sum())
    p = min(1.0, 2 * min(1 + hits, 1 + DRAWS - hits) / (DRAWS + 1))
    return Null(p=p, kind=f"maps of other images, {DRAWS} shuffles of {len(table)}")


def _standard(stack: Float[ndarray, "n h w"]) -> Float[ndarray, "n p"]:
    """Rows of length 1 around 0, so that a product of two is their correlation."""
    flat = stack.reshape(len(stack), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return np.asarray(flat / np.linalg.norm(flat, axis=1, keepdims=True))
