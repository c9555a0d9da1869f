"""Do things go with the partners they came with, more than with the partners of others?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from biaskit.records.estimate import Null

DRAWS = 999


def mispaired(
    likeness: Float[ndarray, "n m"],
    partners: Int[ndarray, " n"],
    rng: np.random.Generator,
    rows: Int[ndarray, " k"] | None = None,
    draws: int = DRAWS,
) -> Null | None:
    """Test that partners are dealt at random: `p = (1 + #{shuffled >= observed}) / (draws + 1)`, one-sided.

    The statistic is the mean of `likeness[i, partners[i]]` over `rows`; each draw deals the partners of all
    rows anew over all rows. None where all partners are one, so that nothing could be shuffled.

    Args:
        likeness: How alike each thing and each possible partner are.
        partners: The column of each row's partner.
        rng: Source of the shuffles.
        rows: The rows that are tested; all of them where None.
        draws: How many shuffles.
    """
    if np.unique(partners).size < 2:
        return None
    tested = np.arange(len(partners)) if rows is None else rows
    observed = likeness[tested, partners[tested]].mean()
    dealt = (rng.permutation(partners)[tested] for _ in range(draws))
    reached = sum(likeness[tested, each].mean() >= observed - 1e-12 for each in dealt)
    kind = f"partners shuffled over {len(partners)} images, {draws} draws"
    return Null(p=(1 + int(reached)) / (draws + 1), kind=kind)
