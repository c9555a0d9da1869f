"""One group against the others, measured on the same units: groups shuffled within each unit."""

from __future__ import annotations

from itertools import permutations, product
from math import factorial

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from biaskit.records.estimate import Null

DRAWS = 1999
_ALL_WAYS = 4096


def advantages(values: Float[ndarray, "r g"]) -> Float[ndarray, "r g"]:
    """How far each group lies above the mean of the others, unit by unit: `v_rg - mean_{k != g} v_rk`.

    With two groups this is their difference, with either sign.

    Raises:
        ValueError: There is one group alone.
    """
    groups = values.shape[1]
    if groups < 2:
        raise ValueError("one group has no others to be compared with")
    return np.asarray((groups * values - values.sum(axis=1, keepdims=True)) / (groups - 1))


def exchanged(values: Float[ndarray, "r g"], rng: np.random.Generator) -> tuple[Null, ...]:
    """Test for each group that groups could be exchanged within units: its mean advantage is 0.

    Two-sided. All ways of shuffling the groups within each unit are listed where there are few, else
    `DRAWS` are drawn. Exact under exchange within units, whatever happens between them.

    Args:
        values: One row a unit, such as a template, one column a group.
        rng: Source of the shuffles.

    Raises:
        ValueError: There is no unit, or one group alone.
    """
    rows, groups = values.shape
    if not rows:
        raise ValueError("no unit has no test; give the reason instead")
    observed = np.abs(advantages(values).mean(axis=0))
    orders = _orders(rows, groups, rng)
    shuffled = np.take_along_axis(values[None], orders, axis=2).mean(axis=1)
    drawn = np.abs(advantages(shuffled))
    # Sums in another order differ in the last digits.
    hits = (drawn >= observed - 1e-9 * (1 + np.abs(values).max())).sum(axis=0)
    few = factorial(groups) ** rows <= _ALL_WAYS
    p = hits / len(orders) if few else (1 + hits) / (len(orders) + 1)
    how = "all ways" if few else f"{len(orders)} draws"
    kind = f"groups shuffled within {rows} units, {how}"
    return tuple(Null(p=float(one), kind=kind) for one in p)


def _orders(rows: int, groups: int, rng: np.random.Generator) -> Int[ndarray, "b r g"]:
    """Columns to take in each row, one shuffle after the other."""
    if factorial(groups) ** rows <= _ALL_WAYS:
        ways = list(product(list(permutations(range(groups))), repeat=rows))
        return np.array(ways, dtype=np.int64).reshape(len(ways), rows, groups)
    return rng.random((DRAWS, rows, groups)).argsort(axis=2)
