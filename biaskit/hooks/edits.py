"""Changes to an activation, as small frozen objects that know which rows and positions they act on.

Every edit computes in float32 and gives the activation's own dtype back. Tokens it does not act on
come back bit-identical. `bind` turns an edit and the rows of one batch into what `edit` takes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from biaskit.errors import RunError

Where: TypeAlias = Literal["position", "all"]
"""`position`: the token each row is read at; `all`: that one and all that are neither padding nor special."""


@dataclass(frozen=True, slots=True, eq=False)
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


def bind(edit: Edit, rows: Rows) -> Callable[[Tensor], Tensor]:
    """Return `edit` for the batch that holds `rows`, as the change that `biaskit.hooks.edit.edit` takes."""
    return lambda activation: edit(activation, rows)


@dataclass(frozen=True, slots=True, eq=False)
class Replace:
    """Put a given vector in the activation's place: h' = v[row].

    Attributes:
        vectors: One vector for each of the caller's rows, or a single one for all.
        where: Which tokens are changed.
    """

    vectors: Float[Tensor, "n d"]
    where: Where = "position"

    def __call__(self, activation: Float[Tensor, "b t d"], rows: Rows) -> Float[Tensor, "b t d"]:
        """Return the activation with the rows' vectors in it."""
        vectors = _of_rows(self.vectors, rows, activation)
        return _changed(activation, rows, self.where, vectors.expand_as)


@dataclass(frozen=True, slots=True, eq=False)
class Add:
    """Add a given vector: h' = h + strength v[row]. With strength 0 the activation itself is returned.

    Attributes:
        vectors: One vector for each of the caller's rows, or a single one for all.
        strength: Factor of the vector, in units of its length.
        where: Which tokens are changed.
    """

    vectors: Float[Tensor, "n d"]
    strength: float = 1.0
    where: Where = "position"

    def __call__(self, activation: Float[Tensor, "b t d"], rows: Rows) -> Float[Tensor, "b t d"]:
        """Return the activation with the rows' vectors added."""
        if self.strength == 0:
            return activation
        step = self.strength * _of_rows(self.vectors, rows, activation)
        return _changed(activation, rows, self.where, lambda h: h + step)


@dataclass(frozen=True, slots=True, eq=False)
class Erase:
    """Move the activation onto the mean along the directions in `basis`: h' = h - (h - m) B^T B.

    Attributes:
        basis: Orthonormal directions, one a row.
        mean: What is left along them.
        where: Which tokens are changed.

    Raises:
        RunError: The rows of `basis` are not orthonormal (to 1e-3).
    """

    basis: Float[Tensor, "k d"]
    mean: Float[Tensor, " d"]
    where: Where = "all"

    def __post_init__(self) -> None:
        """Refuse a basis that would do more or less than erase."""
        gram = self.basis.double() @ self.basis.double().T
        if not torch.allclose(gram, torch.eye(len(gram), dtype=gram.dtype, device=gram.device), atol=1e-3):
            raise RunError(
                "The directions to erase are not orthonormal.",
                why="h - (h - m) B^T B erases exactly only if B B^T is the identity.",
                fix="Orthonormalise them, for example by torch.linalg.qr(directions.T).Q.T.",
            )

    def __call__(self, activation: Float[Tensor, "b t d"], rows: Rows) -> Float[Tensor, "b t d"]:
        """Return the activation without what it says along the basis."""
        basis, mean = _like(self.basis, activation), _like(self.mean, activation)
        return _changed(activation, rows, self.where, lambda h: h - (h - mean) @ basis.T @ basis)


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """Map the activation linearly about a mean, as LEACE does: h' = m + (h - m) P^T.

    Attributes:
        matrix: P.
        mean: The point that stays where it is.
        where: Which tokens are changed.
    """

    matrix: Float[Tensor, "d d"]
    mean: Float[Tensor, " d"]
    where: Where = "all"

    def __call__(self, activation: Float[Tensor, "b t d"], rows: Rows) -> Float[Tensor, "b t d"]:
        """Return the mapped activation."""
        matrix, mean = _like(self.matrix, activation), _like(self.mean, activation)
        return _changed(activation, rows, self.where, lambda h: mean + (h - mean) @ matrix.T)


@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """Put each token's activation through a function: h' = f(h).

    Attributes:
        change: f, of rows; float32 in and out.
        where: Which tokens are changed.
    """

    change: Callable[[Float[Tensor, "n d"]], Float[Tensor, "n d"]]
    where: Where = "all"

    def __call__(self, activation: Float[Tensor, "b t d"], rows: Rows) -> Float[Tensor, "b t d"]:
        """Return the activation with its tokens changed."""
        return _changed(activation, rows, self.where, lambda h: self.change(h.flatten(0, 1)).view_as(h))


@dataclass(frozen=True, slots=True)
class Chain:
    """Several edits of one activation, the first one first.

    Attributes:
        edits: What is applied, in order; none leaves the activation as it is.
    """

    edits: tuple[Edit, ...]

    def __call__(self, activation: Float[Tensor, "b t d"], rows: Rows) -> Float[Tensor, "b t d"]:
        """Return the activation after every edit."""
        for change in self.edits:
            activation = change(activation, rows)
        return activation


def _like(vector: Tensor, activation: Tensor) -> Tensor:
    return vector.to(activation.device, torch.float32)


def _of_rows(vectors: Tensor, rows: Rows, activation: Tensor) -> Tensor:
    """Return one vector for each sequence, shaped to stand against `[b, t, d]`."""
    if len(vectors) == 1:
        return _like(vectors, activation)[None]
    last = int(rows.index.max())
    if last >= len(vectors):
        raise RunError(
            f"The edit holds {len(vectors)} vectors, but the batch asks for row {last}.",
            fix="Give one vector for each prompt, or a single one for all.",
        )
    return _like(vectors[rows.index.to(vectors.device)], activation)[:, None]


def _changed(activation: Tensor, rows: Rows, where: Where, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply `change` to the float32 copy of the tokens that `where` names, and to no other."""
    sequence, position = _read_tokens(activation, rows)
    if where == "position":
        changed = change(activation[sequence, position].float()[:, None])[:, 0]
        return activation.index_put((sequence, position), changed.to(activation.dtype))
    tokens = rows.mask.to(activation.device).index_put((sequence, position), torch.ones_like(sequence) > 0)
    return torch.where(tokens[..., None], change(activation.float()).to(activation.dtype), activation)


def _read_tokens(activation: Tensor, rows: Rows) -> tuple[Tensor, Tensor]:
    if activation.shape[:2] != rows.mask.shape:
        raise RunError(
            f"An edit for {tuple(rows.mask.shape)} tokens met an activation of {tuple(activation.shape)}.",
            why="An edit is bound to one batch and to its padding.",
            fix="Bind the edit anew for each forward pass; with a cache, to its one new token.",
        )
    sequence = torch.arange(len(activation), device=activation.device)
    return sequence, rows.position.to(activation.device)
