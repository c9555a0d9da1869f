"""Is there an axis at all? Labels shuffled, everything fitted again."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import comb

import numpy as np
from jaxtyping import Int, Shaped
from numpy import ndarray

from biaskit.records.estimate import Null

DRAWS = 999


def permutation_p(
    statistic_fn: Callable[[Shaped[ndarray, " n"]], float],
    labels: Shaped[ndarray, " n"],
    *,
    groups: Shaped[ndarray, " n"] | None = None,
    draws: int = DRAWS,
    rng: np.random.Generator,
) -> Null:
    """Test that labels are unrelated to the data, by shuffling them and computing everything again.

    `p = (1 + #{shuffled >= observed}) / (draws + 1)`: large values speak against the null, so give a
    statistic such as a held-out AUC or an absolute difference. Where two labels allow at most `draws` + 1
    arrangements, all are listed and p is exact. It answers whether a reference axis exists; it does not
    answer whether a target differs from a neutral one (see `conformal.control_p`).

    Args:
        statistic_fn: Takes labels and gives the statistic, with every fit and selection inside it.
        labels: The label of each row.
        groups: The cluster of each row, such as its filler; all rows of a cluster carry one label and
            clusters are shuffled whole. None shuffles rows, which is right only where rows are
            independent.
        draws: How many shuffles.
        rng: Source of the shuffles.

    Raises:
        ValueError: Rows of one cluster differ in label, or all labels are the same.
    """
    unit_labels, unit_of_row = _units(labels, groups)
    if np.unique(unit_labels).size < 2:
        raise ValueError("shuffling needs at least two different labels")
    observed = statistic_fn(unit_labels[unit_of_row])
    reached = observed - 1e-12 * abs(observed)
    unit = "rows" if groups is None else "clusters"
    listed = _all_arrangements(unit_labels, draws + 1)
    if listed is not None:
        hits = sum(statistic_fn(arranged[unit_of_row]) >= reached for arranged in listed)
        kind = f"label permutation with refit, all {len(listed)} arrangements of {unit_labels.size} {unit}"
        # A refit that is not deterministic can miss its own value at the observed arrangement.
        return Null(p=max(hits, 1) / len(listed), kind=kind)
    hits = sum(statistic_fn(rng.permutation(unit_labels)[unit_of_row]) >= reached for _ in range(draws))
    kind = f"label permutation with refit, {draws} shuffles of {unit_labels.size} {unit}"
    return Null(p=(1 + hits) / (draws + 1), kind=kind)


def _units(
    labels: Shaped[ndarray, " n"], groups: Shaped[ndarray, " n"] | None
) -> tuple[Shaped[ndarray, " m"], Int[ndarray, " n"]]:
    """The label of each unit that is shuffled, and the unit of each row."""
    if groups is None:
        return labels, np.arange(labels.size)
    _, first, unit_of_row = np.unique(groups, return_index=True, return_inverse=True)
    unit_labels = labels[first]
    if (unit_labels[unit_of_row] != labels).any():
        raise ValueError(
            "rows of one cluster differ in label, so clusters cannot be shuffled whole; "
            "cluster by the unit that carries the label, such as the filler"
        )
    return unit_labels, unit_of_row


def _all_arrangements(labels: Shaped[ndarray, " m"], most: int) -> Shaped[ndarray, "a m"] | None:
    """Every distinct arrangement of two labels, or None where they are too many or have more values."""
    values, counts = np.unique(labels, return_counts=True)
    if values.size != 2 or comb(labels.size, int(counts[1])) > most:
        return None
    places = np.array(list(combinations(range(labels.size), int(counts[1]))))
    arranged = np.full((len(places), labels.size), values[0])
    np.put_along_axis(arranged, places, values[1], axis=1)
    return arranged
