"""What two words say alike, each alone, and only together: partial information decomposition of an image.

From pointwise informations `i1 = i(x; y1)`, `i2 = i(x; y2)`, `i12 = i(x; y1, y2)` of the same image or
pixel, a functional gives the redundancy R; the rest follows:

    U1 = i1 - R,   U2 = i2 - R,   S = i12 - i1 - i2 + R.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from biaskit.errors import UnknownNameError

Functional: TypeAlias = Literal["ccs", "min", "mmi", "finn-lizier"]


@dataclass(frozen=True, slots=True, eq=False)
class Informations:
    """Pointwise informations of two words on the same images or pixels, in nats.

    Attributes:
        first: i(x; y1).
        second: i(x; y2).
        both: i(x; y1, y2).
        surprisals: -log of the prior probability of each word, one number or one an entry; only `finn-lizier`
            reads them.
    """

    first: Float[ndarray, ...]
    second: Float[ndarray, ...]
    both: Float[ndarray, ...]
    surprisals: tuple[float | ndarray, float | ndarray] = (0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Atoms:
    """The four parts, of the shape of what they were computed from, in nats.

    Attributes:
        redundancy: What both words say.
        first: What the first word alone says.
        second: What the second word alone says.
        synergy: What the words say only together.
    """

    redundancy: Float[ndarray, ...]
    first: Float[ndarray, ...]
    second: Float[ndarray, ...]
    synergy: Float[ndarray, ...]


def decompose(found: Informations, functional: Functional = "ccs") -> Atoms:
    """Take two words' informations apart.

    Args:
        found: Their informations.
        functional: `min`, the smaller information, pointwise. `ccs`, the co-information `i1 + i2 - i12`
            where it has the sign of i1, i2 and i12, else 0 (after Ince 2017, with the true
            joint distribution). `mmi`, the smaller of the averages over all entries, at every
            entry (Barrett 2015). `finn-lizier`, the smaller surprisal minus the smaller
            surprisal given x, `min(h1, h2) - min(h1 - i1, h2 - i2)` (Finn and Lizier 2018), the
            one of the DiffusionPID paper; see `prior_dominance` for when it says nothing.

    Raises:
        UnknownNameError: There is no functional of that name.
    """
    if functional not in _FUNCTIONALS:
        raise UnknownNameError("redundancy", functional, get_args(Functional))
    shared = _FUNCTIONALS[functional](found)
    return Atoms(
        redundancy=shared,
        first=found.first - shared,
        second=found.second - shared,
        synergy=found.both - found.first - found.second + shared,
    )


def prior_dominance(found: Informations, tolerance: float = 1e-6) -> float:
    """Return the share of entries at which Finn and Lizier's redundancy is one word's information.

    See `dominated`.
    """
    return float(np.mean(dominated(found, tolerance)))


def dominated(found: Informations, tolerance: float = 1e-6) -> Bool[ndarray, ...]:
    """Tell at which entries Finn and Lizier's redundancy is one word's information.

    With surprisals that differ by more than the informations do, the same word has the smaller one before and
    after the image is seen, and R is its information, its uniqueness is 0 everywhere; with equal surprisals
    R is the larger information and both uniquenesses are 0 or below. All four parts are then plain
    informations under other names.

    Args:
        found: The informations.
        tolerance: How close counts as equal, as a share of the larger information.
    """
    shared = _finn_lizier(found)
    scale = tolerance * np.maximum(np.abs(found.first), np.abs(found.second))
    return np.asarray((np.abs(shared - found.first) <= scale) | (np.abs(shared - found.second) <= scale))


def _min(found: Informations) -> ndarray:
    return np.asarray(np.minimum(found.first, found.second))


def _ccs(found: Informations) -> ndarray:
    common = found.first + found.second - found.both
    signs = np.sign(np.stack([found.first, found.second, found.both, common]))
    return np.where((signs == signs[0]).all(axis=0), common, 0.0)


def _mmi(found: Informations) -> ndarray:
    smaller = min(float(np.mean(found.first)), float(np.mean(found.second)))
    return np.full(np.shape(found.first), smaller)


def _finn_lizier(found: Informations) -> ndarray:
    one, other = found.surprisals
    left = np.minimum(one - found.first, other - found.second)
    return np.asarray(np.minimum(one, other) - left)


_FUNCTIONALS: dict[str, Callable[[Informations], ndarray]] = {
    "ccs": _ccs,
    "min": _min,
    "mmi": _mmi,
    "finn-lizier": _finn_lizier,
}
