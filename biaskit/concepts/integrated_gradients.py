"""Integrated gradients of a class probability with respect to latents, in closed form.

A decoder and a linear probe are affine, so along a straight path between two codes the logits move on a
straight line and the path integral of the softmax's gradient has no more than K dimensions:

    IG_f = (z_f - z0_f) sum_k V_kf G_k,   G_k = INT_0^1 p_c(t) (delta_ck - p_k(t)) dt,   V = W D

with p(t) the softmax of l0 + t (l1 - l0). Two classes have the exact answer
`(z_f - z0_f) v_f (s(u1) - s(u0)) / (u1 - u0)` with u the difference of logits, v that of rows of V and s the
sigmoid. More classes are integrated by Gauss-Legendre over pieces on which no logit moves far. No gradient is
computed. Integrated gradients: Sundararajan, Taly and Yan 2017 (arXiv 1703.01365).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from biaskit.errors import RequestError

NODES = 16
_REACH = 8.0
"""Most that a difference of logits moves on one piece; 16 nodes are then exact to about 1e-12."""
_MOST_PIECES = 256


@dataclass(frozen=True, slots=True, eq=False)
class LatentProbe:
    """Logits of K classes as an affine function of latents: l = V z + b.

    Attributes:
        weight: V, one row a class.
        bias: b, the logits of a code of zeros.
    """

    weight: Float[Tensor, "k s"]
    bias: Float[Tensor, " k"]

    @classmethod
    def through(
        cls, dictionary: Float[Tensor, "s d"], offset: Float[Tensor, " d"], probe: LatentProbe
    ) -> LatentProbe:
        """Carry a probe of activations back through a decoder `h = z D + offset`; float64."""
        weight = probe.weight.double()
        return cls(weight @ dictionary.double().T, weight @ offset.double() + probe.bias.double())

    def logits(self, latents: Float[Tensor, "n s"]) -> Float[Tensor, "n k"]:
        """Return the logits of codes."""
        return latents.double() @ self.weight.double().T + self.bias.double()

    def probabilities(self, latents: Float[Tensor, "n s"]) -> Float[Tensor, "n k"]:
        """Return the probabilities of codes."""
        return self.logits(latents).softmax(dim=1)


def integrated_gradients(
    probe: LatentProbe,
    latents: Float[Tensor, "n s"],
    classes: Int[Tensor, " n"],
    baseline: Float[Tensor, "#n s"] | None = None,
) -> Float[Tensor, "n s"]:
    """Attribute the probability of each row's class to its latents, along the line from a baseline.

    Complete: the attributions of a row add up to `p_c(z) - p_c(z0)`.

    Args:
        probe: Logits as a function of latents.
        latents: The codes.
        classes: The class whose probability is attributed, row by row.
        baseline: Where the lines start; a code of zeros if None.

    Returns:
        One attribution a latent, in probability, float64.

    Raises:
        RequestError: A class is none of the probe's, or there are fewer than two.
    """
    count = len(probe.bias)
    if count < 2 or (len(classes) and not 0 <= int(classes.min()) <= int(classes.max()) < count):
        raise RequestError(f"The probe tells {count} classes; an attribution was asked for another one.")
    start = torch.zeros_like(latents[:1]) if baseline is None else baseline
    ends = probe.logits(start).expand(len(latents), -1), probe.logits(latents)
    gains = _two(ends, classes) if count == 2 else _many(ends, classes)
    steps = latents.double() - start.double()
    return steps * (gains @ probe.weight.double())


def summed(
    probe: LatentProbe,
    latents: Float[Tensor, "n s"],
    classes: Int[Tensor, " n"],
    baseline: Float[Tensor, "1 s"],
) -> Float[Tensor, "k s"]:
    """Return attributions added up over the rows of each class, without one table of rows by latents more."""
    count = len(probe.bias)
    ends = probe.logits(baseline).expand(len(latents), -1), probe.logits(latents)
    gains = _two(ends, classes) if count == 2 else _many(ends, classes)
    chosen = torch.nn.functional.one_hot(classes, count).to(gains.dtype)
    by_class = torch.einsum("nc,nk,ns->cks", chosen, gains, latents.double() - baseline.double())
    return torch.einsum("cks,ks->cs", by_class, probe.weight.double())


def _two(
    ends: tuple[Float[Tensor, "n 2"], Float[Tensor, "n 2"]], classes: Int[Tensor, " n"]
) -> Float[Tensor, "n 2"]:
    before, after = (one[:, 1] - one[:, 0] for one in ends)
    moved = after - before
    middle = (before + after) / 2
    # Where the logit hardly moves the quotient is 0 / 0; its limit is the slope, right to moved^2 / 24.
    slope = middle.sigmoid() * (-middle).sigmoid()
    still = moved.abs() < 1e-5
    mean = torch.where(still, slope, (after.sigmoid() - before.sigmoid()) / torch.where(still, 1.0, moved))
    toward = torch.where(classes == 1, mean, -mean)
    return torch.stack([-toward, toward], dim=1)


def _many(
    ends: tuple[Float[Tensor, "n k"], Float[Tensor, "n k"]], classes: Int[Tensor, " n"]
) -> Float[Tensor, "n k"]:
    moved = ends[1] - ends[0]
    widest = float((moved.amax(dim=1) - moved.amin(dim=1)).max()) if len(moved) else 0.0
    pieces = min(max(ceil(widest / _REACH), 1), _MOST_PIECES)
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    found = torch.zeros_like(moved)
    own = torch.nn.functional.one_hot(classes, moved.shape[1]).to(moved.dtype)
    for piece in range(pieces):
        for node, weight in zip(nodes, weights, strict=True):
            likely = (ends[0] + (piece + (node + 1) / 2) / pieces * moved).softmax(dim=1)
            chosen = (likely * own).sum(dim=1, keepdim=True)
            found += weight / 2 / pieces * chosen * (own - likely)
    return found
