"""A direction in activation space that stands for a concept."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Num
from torch import Tensor

from biaskit.errors import ActivationError, RequestError, RunError


@dataclass(frozen=True, slots=True, eq=False)
class ConceptDirection:
    """A unit vector with the two facts needed to turn a projection into a number.

    Attributes:
        vector: Unit vector, float64, pointing from the negative to the positive pole.
        norm: Length of the vector before it was scaled to one: the distance between the poles for
            `mean_difference`, the length of the weights for `logistic`.
        midpoint: The point that projects to zero.
        method: How it was fitted, such as `mean_difference`.
    """

    vector: Float[Tensor, " d"]
    norm: float
    midpoint: Float[Tensor, " d"]
    method: str

    def project(self, activations: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Signed distance of each row from the midpoint along the direction, <x - m, v>, in float64."""
        return (activations.double() - self.midpoint) @ self.vector

    def position(self, activations: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Place each row between the poles: <x - m, v> / (norm / 2), so +1 and -1 are the poles' means.

        Only a mean difference has poles; its `norm` is the distance between them.

        Raises:
            RequestError: The direction was not fitted as a mean difference.
        """
        if self.method != "mean_difference":
            raise RequestError(
                f"A '{self.method}' direction has no poles to place rows between.", fix="Use project()."
            )
        return self.project(activations) / (self.norm / 2)

    def cosine(self, other: ConceptDirection) -> float:
        """Cosine with another direction, -1 to 1."""
        return float(self.vector @ other.vector)

    def flipped(self) -> ConceptDirection:
        """Return the direction with its poles swapped."""
        return ConceptDirection(-self.vector, self.norm, self.midpoint, self.method)


def make_direction(raw: Float[Tensor, " d"], midpoint: Float[Tensor, " d"], method: str) -> ConceptDirection:
    """Scale `raw` to length one and keep its length.

    Raises:
        RunError: `raw` is zero to rounding beside the midpoint, so it has no direction.
    """
    norm = float(torch.linalg.vector_norm(raw))
    scale = max(float(torch.linalg.vector_norm(midpoint)), 1.0)
    if norm <= 8 * torch.finfo(torch.float64).eps * scale:
        raise RunError(
            "The two groups of activations do not differ, so there is no direction between them.",
            fix="Look for the same texts on both sides, or for a layer before the words that differ.",
        )
    return ConceptDirection(raw / norm, norm, midpoint, method)


def as_float64(activations: Num[Tensor, "n d"], name: str) -> Float[Tensor, "n d"]:
    """Return the rows in float64 on the CPU.

    Raises:
        ActivationError: There is no row, or a value is NaN or infinite.
    """
    rows = activations.detach().to(device="cpu", dtype=torch.float64)
    if not len(rows):
        raise ActivationError(f"No {name} activations were given.", fix="Give at least one row.")
    bad = ~torch.isfinite(rows).all(dim=1)
    if bad.any():
        first = int(bad.nonzero()[0])
        raise ActivationError(
            f"{int(bad.sum())} of {len(rows)} {name} activations are NaN or infinite.",
            why=f"The first is row {first}.",
            fix="Read the model in float32 or bfloat16; float16 overflows in many models.",
        )
    return rows
