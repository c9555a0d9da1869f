"""Draw the factors of planted images: exact group sizes, everything else at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from biaskit.images.image_set import Part
from biaskit.images.planting_material import DIGIT_SIDE, DIGITS, PLAIN, SIDE, digits_of
from biaskit.images.planting_render import NONE, PATCH_AT, Factors

if TYPE_CHECKING:
    from biaskit.images.planting import Plant

NUISANCES = {"patch": 2, "scene": 2, "ink": 2}
"""How many values each factor takes where it varies without being the shortcut."""

_FIXED_AT = 14


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Labels, contexts, parts and factors, one entry a row."""

    labels: Int[ndarray, " n"]
    contexts: Int[ndarray, " n"]
    parts: tuple[Part, ...]
    factors: Factors


def draw(plant: Plant) -> Rows:
    """Draw every row of a plant from generators of its own seed."""
    rng = np.random.default_rng([plant.seed, 1])
    held_out = plant.balanced if plant.held_out_rho is None else plant.held_out_rho
    wanted = (
        (Part.TRAIN, plant.n, plant.rho),
        *((part, plant.held_out, held_out) for part in list(Part)[1:]),
    )
    pieces = []
    for part, n, rho in wanted:
        counts = group_sizes(plant, n, rho)
        cells = rng.permutation(np.repeat(np.arange(counts.size), counts.ravel()))
        pieces.append((part, *np.divmod(cells, plant.contexts)))
    labels = np.concatenate([labels for _, labels, _ in pieces])
    contexts = np.concatenate([contexts for _, _, contexts in pieces])
    chosen = np.concatenate([_choose_digits(part, labels, rng) for part, labels, _ in pieces])
    parts = tuple(part for part, labels, _ in pieces for _ in labels)
    return Rows(labels, contexts, parts, _factors(plant, chosen, contexts, rng))


def group_sizes(plant: Plant, n: int, rho: float) -> Int[ndarray, "k c"]:
    """Return how many of `n` images each class x context has, by largest remainders within each class."""
    found = np.zeros((plant.classes, plant.contexts), int)
    for label in range(plant.classes):
        size = n // plant.classes + (label < n % plant.classes)
        home = np.isin(np.arange(plant.contexts), plant.home(label))
        away = max(1, int((~home).sum()))
        found[label] = _rounded(size * np.where(home, rho / home.sum(), (1 - rho) / away), size)
    return found


def _rounded(shares: Float[ndarray, " c"], total: int) -> Int[ndarray, " c"]:
    """Round shares to whole numbers that add up to `total`; the largest remainders are rounded up."""
    whole = np.floor(shares + 1e-9).astype(int)
    order = np.argsort(-(shares - whole), kind="stable")
    whole[order[: total - whole.sum()]] += 1
    return whole


def _choose_digits(part: Part, labels: Int[ndarray, " n"], rng: np.random.Generator) -> Int[ndarray, " n"]:
    chosen = np.empty(len(labels), int)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        chosen[rows] = rng.choice(digits_of(part, DIGITS[label]), len(rows))
    return chosen


def _factors(
    plant: Plant, digit: Int[ndarray, " n"], contexts: Int[ndarray, " n"], rng: np.random.Generator
) -> Factors:
    n = len(digit)
    fixed = {"patch": NONE, "scene": PLAIN, "texture": NONE, "ink": 0}
    drawn = {
        name: rng.integers(NUISANCES[name], size=n)
        if plant.nuisance and name in NUISANCES
        else np.full(n, value)
        for name, value in fixed.items()
    }
    low = PATCH_AT + plant.side
    places = (
        rng.integers(low, SIDE - DIGIT_SIDE + 1, size=(n, 2)) if plant.jitter else np.full((n, 2), _FIXED_AT)
    )
    crop = rng.random((n, 2))
    return Factors(digit=digit, place=places, crop=crop, **(drawn | {str(plant.shortcut): contexts}))
