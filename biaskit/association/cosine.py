"""How much nearer a vector lies to one set of attributes than to another (Caliskan et al. 2017)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray


def unit_rows(vectors: Float[ndarray, "*rows d"]) -> Float[ndarray, "*rows d"]:
    """Scale vectors to length 1, in float64.

    Raises:
        ValueError: A vector is zero or not finite, so it has no direction.
    """
    wide = np.asarray(vectors, dtype=float)
    length = np.linalg.norm(wide, axis=-1, keepdims=True)
    if not np.isfinite(length).all() or (length == 0).any():
        raise ValueError("a vector that is zero or not finite has no direction")
    return np.asarray(wide / length)


def associations(
    words: Float[ndarray, "*rows d"], first: Float[ndarray, "a d"], second: Float[ndarray, "b d"]
) -> Float[ndarray, "*rows"]:
    """`s(w) = mean_a cos(w, a) - mean_b cos(w, b)`, in [-2, 2], for each vector of `words`.

    Args:
        words: One vector a word, or a word in a template.
        first: Vectors of the first set of attributes.
        second: Vectors of the second.

    Raises:
        ValueError: A vector is zero or not finite.
    """
    towards = unit_rows(first).mean(axis=0) - unit_rows(second).mean(axis=0)
    return np.asarray(unit_rows(words) @ towards)
