"""Activations of every token, for probes that choose the tokens themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from biaskit.errors import RequestError


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """The activations of every token of every text; a `Job` of a token probe holds them as its activations.

    Attributes:
        values: Activations, float32; where `mask` is False they may hold anything.
        mask: True on tokens that count; False on padding and on special tokens.
    """

    values: Float[ndarray, "n t d"]
    mask: Bool[ndarray, "n t"]

    def __post_init__(self) -> None:
        """Refuse a text without a token.

        Raises:
            RequestError: A row of the mask is all False.
        """
        empty = np.flatnonzero(~self.mask.any(axis=1))
        if len(empty):
            raise RequestError(
                f"{len(empty)} text(s) have no token that counts (row {empty[0]} is the first).",
                fix="Leave empty texts out.",
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Number of texts and of coordinates, as a matrix of pooled activations would have."""
        return self.values.shape[0], self.values.shape[2]

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.values)
