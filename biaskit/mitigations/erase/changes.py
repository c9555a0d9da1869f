"""What a text remedy does at one site: three kinds of change, each with a strength and a random twin.

With strength 0 each returns the activation it was given, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.concepts.erasure import Eraser, random_erasers
from biaskit.concepts.feature_reader import FeatureReader
from biaskit.errors import RequestError
from biaskit.hooks.edits import Add, Affine, Chain, Edit, Mapped

_READER = ("encoder", "bias", "threshold", "chosen")


@dataclass(frozen=True, slots=True, eq=False)
class Erasing:
    """h' = h - s L R (h - m), as an eraser does at s = 1.

    Attributes:
        left: L, the directions taken away.
        right: R, what is read of each activation.
        mean: m, the point that stays where it is.
    """

    kind: ClassVar[str] = "erasing"
    left: Float[Tensor, "d k"]
    right: Float[Tensor, "k d"]
    mean: Float[Tensor, " d"]

    @classmethod
    def of(cls, eraser: Eraser) -> Erasing:
        """Take over a fitted eraser, in float32."""
        return cls(eraser.left.float(), eraser.right.float(), eraser.mean.float())

    def edit(self, strength: float) -> Edit:
        """Return the change for a running model."""
        if not strength or not len(self.right):
            return Chain(())
        matrix = torch.eye(len(self.mean)) - strength * self.left @ self.right
        return Affine(matrix, self.mean)

    def random(self, generator: torch.Generator) -> Erasing:
        """Return a projection of equal rank about the same mean, in uniformly random directions."""
        if not len(self.right):
            return self
        return Erasing.of(random_erasers(1, len(self.right), self.mean, generator)[0])

    def tensors(self) -> dict[str, Tensor]:
        """Return what is saved."""
        return {"left": self.left, "right": self.right, "mean": self.mean}

    @classmethod
    def read(cls, tensors: Mapping[str, Tensor]) -> Erasing:
        """Return what was saved."""
        return cls(tensors["left"], tensors["right"], tensors["mean"])


@dataclass(frozen=True, slots=True, eq=False)
class Adding:
    """h' = h + s v.

    Attributes:
        vector: v.
    """

    kind: ClassVar[str] = "adding"
    vector: Float[Tensor, " d"]

    def edit(self, strength: float) -> Edit:
        """Return the change for a running model."""
        return Add(self.vector[None], strength, "all") if strength else Chain(())

    def random(self, generator: torch.Generator) -> Adding:
        """Return a vector of the same length in a uniformly random direction."""
        drawn = torch.randn(len(self.vector), generator=generator)
        return Adding(drawn * (self.vector.norm() / drawn.norm()))

    def tensors(self) -> dict[str, Tensor]:
        """Return what is saved."""
        return {"vector": self.vector}

    @classmethod
    def read(cls, tensors: Mapping[str, Tensor]) -> Adding:
        """Return what was saved."""
        return cls(tensors["vector"])


@dataclass(frozen=True, slots=True, eq=False)
class Ablating:
    """h' = h + D((1 - s) z) - D(z) = h - s sum_f z_f d_f over chosen latents: what the code misses stays.

    Attributes:
        reader: Reads z.
        decoder: d_f, what one unit of each chosen latent adds.
    """

    kind: ClassVar[str] = "ablating"
    reader: FeatureReader
    decoder: Float[Tensor, "f d"]

    def edit(self, strength: float) -> Edit:
        """Return the change for a running model."""
        if not strength:
            return Chain(())
        return Mapped(lambda rows: rows - strength * self.reader(rows) @ self.decoder)

    def random(self, generator: torch.Generator) -> Ablating:
        """Return the same latents, as often and as strongly active, with random directions as long as d_f."""
        drawn = torch.randn(self.decoder.shape, generator=generator)
        lengths = self.decoder.norm(dim=1, keepdim=True) / drawn.norm(dim=1, keepdim=True)
        return Ablating(self.reader, drawn * lengths)

    def tensors(self) -> dict[str, Tensor]:
        """Return what is saved."""
        held = {f"reader.{name}": getattr(self.reader, name) for name in _READER}
        return held | {"reader.most": torch.tensor([self.reader.most]), "decoder": self.decoder}

    @classmethod
    def read(cls, tensors: Mapping[str, Tensor]) -> Ablating:
        """Return what was saved."""
        encoder, bias, threshold, chosen = (tensors[f"reader.{name}"] for name in _READER)
        reader = FeatureReader(encoder, bias, threshold, chosen, int(tensors["reader.most"]))
        return cls(reader, tensors["decoder"])


Change: TypeAlias = Erasing | Adding | Ablating
KINDS: dict[str, type[Erasing] | type[Adding] | type[Ablating]] = {
    one.kind: one for one in (Erasing, Adding, Ablating)
}


def check_strength(strength: float, kind: str) -> float:
    """Return a strength that the kind allows.

    Raises:
        RequestError: It is not a number of at least 0, or above 1 for a change that takes something away.
    """
    highest = float("inf") if kind == Adding.kind else 1.0
    if not 0 <= strength <= highest or strength == float("inf"):
        raise RequestError(
            f"A strength of {strength:g} is out of range.",
            why="At 1 everything the remedy reads is taken away; above it the bias would turn round."
            if kind != Adding.kind
            else "It multiplies the vector that is added.",
            fix="Give a number from 0 to 1." if kind != Adding.kind else "Give a number of at least 0.",
        )
    return strength
