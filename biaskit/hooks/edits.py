"""Changes to an activation, as small frozen objects that know which rows and positions they act on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Rows:
    """Which of the caller's rows a batch holds, and where each is read.

    Attributes:
        index: Row numbers in the caller's order, one for each sequence of the batch.
        position: The token at which each sequence is read, such as the last one before padding.
        mask: True where a token is neither padding nor special.
    """

    index: Int[Tensor, " b"]
    position: Int[Tensor, " b"]
    mask: Bool[Tensor, "b t"]


class Edit(Protocol):
    """A change of an activation."""

    def __call__(self, activation: Float[Tensor, "b t d"], rows: Rows) -> Float[Tensor, "b t d"]:
        """Return the changed activation; the one given is not written to."""
