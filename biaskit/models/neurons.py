"""Finding the neurons of an architecture that no table knows, by what its parts do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from biaskit.errors import RunError
from biaskit.hooks.capture import capture
from biaskit.models.network import at_rest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from biaskit.hooks.unwrap import Side

_SIDES: tuple[Side, Side] = ("input", "output")


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A part of a block and a projection in it that may be the last thing the part does.

    Attributes:
        part: Name of the part, inside the block.
        projection: Name of the projection, inside the part.
    """

    part: str
    projection: str

    def of(self, block: nn.Module) -> tuple[nn.Module, nn.Module]:
        """Return part and projection of one block."""
        part = block.get_submodule(self.part)
        return part, part.get_submodule(self.projection)


def down_projections(
    module: nn.Module, blocks: Sequence[nn.Module], probe: Callable[[], object]
) -> list[nn.Module]:
    """Return the projection of each block's MLP whose input is its neurons; none where that is not certain.

    A part of a block counts as its MLP where (1) it puts out what one projection in it puts out, (2) at each
    token that projection's input depends on the part's own input at this token and at no other, which
    attention's does not, and (3) it does so non-linearly. Exactly one part of every block, by the same names,
    must pass. Experts among which tokens are shared out do not.

    Args:
        module: The model.
        blocks: Its blocks.
        probe: Runs it on a few tokens, two sequences or more.
    """
    # Most candidates fall at the first block, where the forward pass can end.
    passing = [
        candidate
        for candidate in _candidates(blocks[0])
        if all(_passes(module, part, candidate, probe) for part in (blocks[:1], blocks))
    ]
    if len(passing) != 1:
        return []
    return [passing[0].of(block)[1] for block in blocks]


def _candidates(block: nn.Module) -> list[_Candidate]:
    return [
        _Candidate(name, inner)
        for name, part in block.named_children()
        for inner, leaf in part.named_modules()
        if inner and not any(leaf.children()) and getattr(getattr(leaf, "weight", None), "ndim", 0) == 2
    ]


def _passes(
    module: nn.Module, blocks: Sequence[nn.Module], candidate: _Candidate, probe: Callable[[], object]
) -> bool:
    try:
        pairs = [candidate.of(block) for block in blocks]
        points = {(i, j, side): pair[j] for i, pair in enumerate(pairs) for j in (0, 1) for side in _SIDES}
        sides = {key: key[2] for key in points}
        with (
            at_rest(module, frozen=True),
            capture(module, points, read=sides, gradient=True, stop=True) as seen,
        ):
            probe()
        return all(
            _is_mlp((seen[i, 0, "input"], seen[i, 0, "output"]), (seen[i, 1, "input"], seen[i, 1, "output"]))
            for i in range(len(pairs))
        )
    except (RunError, RuntimeError, AttributeError):
        # Silent in the probe, called in an unusual way, or without a gradient: nothing is certain then.
        return False


def _is_mlp(part: tuple[Tensor, Tensor], projection: tuple[Tensor, Tensor]) -> bool:
    x, neurons = part[0], projection[0]
    if x.ndim != 3 or not torch.equal(part[1].reshape(-1), projection[1].reshape(-1)):
        return False
    # An MLP may work on flattened tokens.
    neurons = neurons.reshape(*x.shape[:-1], neurons.shape[-1])
    slopes = torch.stack([_slope(neurons, x, token)[0] for token in range(x.shape[1])])
    elsewhere = ~torch.eye(len(slopes), dtype=torch.bool, device=slopes.device)
    own = slopes[~elsewhere]
    # A token of zeros, such as padding, has no slope of its own in a gated MLP.
    own = own[(own != 0).any(dim=-1)]
    return not slopes[elsewhere].any() and len(own) > 1 and not torch.allclose(own[0], own[1])


def _slope(neurons: Float[Tensor, "b t m"], x: Float[Tensor, "b t d"], token: int) -> Float[Tensor, "b t d"]:
    """Return the gradient of the first sequence's neurons at `token` with respect to the part's input."""
    (slope,) = torch.autograd.grad(
        neurons[0, token].sum(), x, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return slope
