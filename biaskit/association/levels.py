"""What an overall difference is made of: each set on both attributes, each set on each attribute."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.association.cosine import unit_rows


@dataclass(frozen=True, slots=True)
class SetLevels:
    """Mean cosines of each set of targets with each set of attributes (ML-EAT, Wolfe et al. 2024).

    An overall difference can come from one set alone, or from both leaning one way by different amounts.

    Attributes:
        cells: Mean cosine, first set then second, with the first attributes then the second.
        leans: First set's mean association, second set's: `cells[i][0] - cells[i][1]`.
        difference: First lean less second, which is the overall difference.
    """

    cells: tuple[tuple[float, float], tuple[float, float]]
    leans: tuple[float, float]
    difference: float


def levels(
    targets: tuple[Float[ndarray, "x d"], Float[ndarray, "y d"]],
    attributes: tuple[Float[ndarray, "a d"], Float[ndarray, "b d"]],
) -> SetLevels:
    """Take the overall difference apart.

    Raises:
        ValueError: A vector is zero or not finite.
    """
    means = [unit_rows(rows).mean(axis=0) for rows in (*targets, *attributes)]
    table = np.array([[row @ column for column in means[2:]] for row in means[:2]])
    leans = table[:, 0] - table[:, 1]
    cells = ((float(table[0, 0]), float(table[0, 1])), (float(table[1, 0]), float(table[1, 1])))
    return SetLevels(cells, (float(leans[0]), float(leans[1])), float(leans[0] - leans[1]))
