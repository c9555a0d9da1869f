"""Which words a group at an intersection is tied to, and which of these neither of its parts explains.

After IBD and EIBD (Guo and Caliskan 2021), which compare effect sizes with a threshold. Here the first is a
permutation of names and the second the interaction of the two attributes; both are corrected over words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.association.crossed import interaction
from biaskit.association.two_sets import compare_sets
from biaskit.stats.multiplicity import benjamini_hochberg

DRAWS = 1999


@dataclass(frozen=True, slots=True)
class IntersectionalWord:
    """How one word lies towards the names of an intersection.

    Attributes:
        word: The word.
        difference: Mean cosine with the intersection's names less that with all other names.
        q: Of the difference: names permuted, corrected over words.
        emergent: The interaction: both attributes less each alone plus neither.
        emergent_q: Of the interaction, corrected over words.
    """

    word: str
    difference: float
    q: float
    emergent: float
    emergent_q: float


def intersectional_words(
    cosines: dict[str, tuple[Float[ndarray, " _"], ...]], *, rng: np.random.Generator, draws: int = DRAWS
) -> tuple[IntersectionalWord, ...]:
    """Test every word against the names of four cells.

    Args:
        cosines: For each word, its cosine with each name: of both attributes, the first alone, the second
            alone, neither.
        rng: Source of the permutations.
        draws: How many permutations a word.

    Raises:
        ValueError: A cell has fewer than two names.
    """
    apart, crossed = [], []
    for one, *others in cosines.values():
        rest = np.concatenate(others)
        apart.append(compare_sets(one[:, None], rest[:, None], rng=rng, draws=draws))
        crossed.append(interaction((one, others[0], others[1], others[2]), rng=rng, draws=draws))
    q = benjamini_hochberg(np.array([found.null.p for found in apart]))
    emergent_q = benjamini_hochberg(np.array([found.null.p for found in crossed]))
    return tuple(
        IntersectionalWord(word, a.difference, float(p), c.contrast, float(e))
        for word, a, c, p, e in zip(cosines, apart, crossed, q, emergent_q, strict=True)
    )
