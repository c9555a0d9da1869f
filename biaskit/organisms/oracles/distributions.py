"""Distributions whose best denoiser is known: one Gaussian a condition, or subsets of a mixture's components.

In the channel `z = sqrt(sp) x + sqrt(sm) eps`, sp = sigmoid(alpha), sm = sigmoid(-alpha), a Gaussian N(m,
l) of a coordinate has `E[eps | z] = sqrt(sm) (z - sqrt(sp) m) / (sp l + sm)`; in a mixture the components'
answers are weighed by their probabilities given z.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from biaskit.errors import RequestError


class Distribution(Protocol):
    """Conditions by number, and the best noise prediction under each."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the conditions; prompts name them."""

    def noise(
        self, noisy: Float[Tensor, "n d"], alphas: Float[Tensor, " n"], which: Int[Tensor, " n"]
    ) -> Float[Tensor, "n d"]:
        """Return E[eps | z] of each row at its log-SNR under its condition, in float64."""


@dataclass(frozen=True, slots=True, eq=False)
class Gaussians:
    """One Gaussian with independent coordinates a condition.

    Attributes:
        names: Names of the conditions, such as the empty prompt first.
        means: Mean of each coordinate under each condition, float64.
        variances: Its variance.
    """

    names: tuple[str, ...]
    means: Float[Tensor, "p d"]
    variances: Float[Tensor, "p d"]

    def noise(
        self, noisy: Float[Tensor, "n d"], alphas: Float[Tensor, " n"], which: Int[Tensor, " n"]
    ) -> Float[Tensor, "n d"]:
        """Return E[eps | z] = sqrt(sm) (z - sqrt(sp) m) / (sp l + sm)."""
        signal, noise = alphas.sigmoid()[:, None], (-alphas).sigmoid()[:, None]
        spread = signal * self.variances[which] + noise
        return noise.sqrt() * (noisy - signal.sqrt() * self.means[which]) / spread


@dataclass(frozen=True, slots=True, eq=False)
class CorrelatedGaussians:
    """One Gaussian with any covariance a condition; for a few hundred coordinates at most.

    Attributes:
        names: Names of the conditions.
        means: Mean under each condition, float64.
        spectra: Variances along the axes of each condition.
        axes: Those axes, orthonormal, one a column.
    """

    names: tuple[str, ...]
    means: Float[Tensor, "p d"]
    spectra: Float[Tensor, "p d"]
    axes: Float[Tensor, "p d d"]

    @classmethod
    def of(
        cls, names: tuple[str, ...], means: Float[Tensor, "p d"], covariances: Float[Tensor, "p d d"]
    ) -> CorrelatedGaussians:
        """Return the Gaussians with these means and covariances.

        Raises:
            RequestError: A matrix is no covariance.
        """
        spectra, axes = torch.linalg.eigh(covariances.double())
        if not (spectra > 0).all() or not torch.allclose(covariances, covariances.mT):
            raise RequestError("A covariance is to be symmetric, with every eigenvalue above 0.")
        return cls(names, means.double(), spectra, axes)

    def noise(
        self, noisy: Float[Tensor, "n d"], alphas: Float[Tensor, " n"], which: Int[Tensor, " n"]
    ) -> Float[Tensor, "n d"]:
        """Return E[eps | z] = sqrt(sm) (sp S + sm I)^-1 (z - sqrt(sp) m)."""
        signal, noise = alphas.sigmoid()[:, None], (-alphas).sigmoid()[:, None]
        axes = self.axes[which]
        along = torch.einsum("nde,nd->ne", axes, noisy - signal.sqrt() * self.means[which])
        shrunk = noise.sqrt() * along / (signal * self.spectra[which] + noise)
        return torch.einsum("nde,ne->nd", axes, shrunk)


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """A mixture of Gaussians with independent coordinates; a condition is a subset of its components.

    Attributes:
        conditions: For each condition's name, the components it leaves; the others have weight 0.
        weights: Weight of each component.
        means: Mean of each coordinate in each component, float64.
        variances: Its variance.
    """

    conditions: Mapping[str, Sequence[int]]
    weights: Float[Tensor, " k"]
    means: Float[Tensor, "k d"]
    variances: Float[Tensor, "k d"]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the conditions."""
        return tuple(self.conditions)

    def noise(
        self, noisy: Float[Tensor, "n d"], alphas: Float[Tensor, " n"], which: Int[Tensor, " n"]
    ) -> Float[Tensor, "n d"]:
        """Return the components' answers, weighed by their probabilities given z and the condition."""
        signal, noise = alphas.sigmoid()[:, None, None], (-alphas).sigmoid()[:, None, None]
        spread = signal * self.variances + noise
        away = noisy[:, None] - signal.sqrt() * self.means
        logs = -0.5 * (away.square() / spread + spread.log()).sum(dim=2) + self.table()[which]
        answers = noise.sqrt() * away / spread
        return torch.einsum("nk,nkd->nd", logs.softmax(dim=1), answers)

    def log_density(self, x: Float[Tensor, "n d"], name: str) -> Float[Tensor, " n"]:
        """Return log p(x | condition), in nats."""
        allowed = self.table()[self.names.index(name)]
        away = x[:, None] - self.means
        logs = -0.5 * (away.square() / self.variances + (2 * math.pi * self.variances).log()).sum(dim=2)
        return torch.logsumexp(logs + allowed, dim=1) - torch.logsumexp(allowed, dim=0)

    def standard(self, x: Float[Tensor, "n d"], added: str, given: str) -> Float[Tensor, " n"]:
        """Return i^s(x; added | given) in nats; for nested conditions at most -log of their share."""
        return self.log_density(x, added) - self.log_density(x, given)

    def table(self) -> Float[Tensor, "p k"]:
        """Log-weights of the components under each condition."""
        table = torch.full((len(self.conditions), len(self.weights)), -math.inf, dtype=torch.float64)
        for row, kept in enumerate(self.conditions.values()):
            table[row, list(kept)] = self.weights[list(kept)].log()
        return table
