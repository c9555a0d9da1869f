"""Maps with what they were computed from, and whether they say anything at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from biaskit.errors import RequestError, UnknownNameError
from biaskit.records.site import Site

# Cells that are equal in theory differ by float32 rounding, measured against the largest of them.
FLAT = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """One map an image, on its method's own grid and scale.

    Attributes:
        signed: The maps before any ReLU, in units of the score; negative cells speak against it.
        scores: The score that each map explains.
        method: How the maps were computed, by name.
        site: Where the activation was read; None for methods on pixels or attention.
        zero_gradient: Whether the score's gradient at the site was exactly zero in every cell.
    """

    signed: Float[Tensor, "n h w"]
    scores: Float[Tensor, " n"]
    method: str
    site: Site | None
    zero_gradient: Bool[Tensor, " n"]

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.signed)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return self.signed.shape[1], self.signed.shape[2]

    @property
    def positive(self) -> Float[Tensor, "n h w"]:
        """What speaks for the score: max(signed, 0)."""
        return self.signed.clamp(min=0)

    @property
    def constant(self) -> Bool[Tensor, " n"]:
        """Whether all cells of a map are equal, up to rounding."""
        cells = self.signed.flatten(1)
        return cells.amax(1) - cells.amin(1) <= FLAT * cells.abs().amax(1)

    @property
    def never_positive(self) -> Bool[Tensor, " n"]:
        """Whether no cell speaks for the score."""
        return self.signed.flatten(1).amax(1) <= 0

    @property
    def dead(self) -> Bool[Tensor, " n"]:
        """Whether a map points nowhere: zero gradient, constant, or nowhere positive."""
        return self.zero_gradient | self.constant | self.never_positive

    def at(self, size: tuple[int, int]) -> Float[Tensor, "n h w"]:
        """Return the signed maps at another size, bilinear between cell centres, on the same scale."""
        if size == self.grid:
            return self.signed
        return functional.interpolate(
            self.signed[:, None], size=size, mode="bilinear", align_corners=False, antialias=False
        )[:, 0]

    def pooled(self, grid: tuple[int, int]) -> Float[Tensor, "n h w"]:
        """Return the signed maps on another grid: cell means where it is coarser, bilinear where finer."""
        finer = grid[0] >= self.grid[0] and grid[1] >= self.grid[1]
        return self.at(grid) if finer else functional.adaptive_avg_pool2d(self.signed[:, None], grid)[:, 0]

    def scaled(self, by: str = "set") -> Float[Tensor, "n h w"]:
        """Return the positive part in [0, 1] for display; a dead map is 0 everywhere.

        Args:
            by: `set` divides all maps by the largest cell of any live one, so that a weak map looks weak;
                `image` divides each by its own, so that images cannot be compared.

        Raises:
            UnknownNameError: `by` is neither.
        """
        if by not in {"image", "set"}:
            raise UnknownNameError("scale", by, ("image", "set"))
        live = self.positive * ~self.dead[:, None, None]
        peaks = live.flatten(1).amax(1) if len(self) else self.scores
        top = peaks if by == "image" else peaks.amax().expand(len(self)) if len(self) else peaks
        return live / torch.where(top > 0, top, 1.0)[:, None, None]

    def rows(self, rows: Int[Tensor, " m"]) -> Maps:
        """Return the maps of these images alone, in this order."""
        return Maps(self.signed[rows], self.scores[rows], self.method, self.site, self.zero_gradient[rows])


def joined(parts: Sequence[Maps]) -> Maps:
    """Return maps of one method and site one after the other.

    Raises:
        RequestError: There are none.
    """
    if not parts:
        raise RequestError("There is no image to explain.", fix="Give at least one.")
    return Maps(
        torch.cat([part.signed for part in parts]),
        torch.cat([part.scores for part in parts]),
        parts[0].method,
        parts[0].site,
        torch.cat([part.zero_gradient for part in parts]),
    )
