"""One image, one replicate: every prompt at the same noisy latents, and what their errors say.

With eps and -eps at each visited log-SNR, residuals r_p = eps - e(z | p) have a part that is even in eps
and one that is odd. For a denoiser that is linear in z the odd part is linear in eps, and its square
changes with the length of eps, of which only the average matters. As direction and length of Gaussian noise
are independent,

    err_p = ||even part||^2 + ||odd part||^2 d / ||eps||^2

has the same expectation there with much less variance (and to order 1 / d elsewhere). Each pair of prompts is
treated alike, so informations from these errors still add up along a chain exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from biaskit.decomposition.noise import generator, standard_normal
from biaskit.decomposition.rule import Nodes

if TYPE_CHECKING:
    from biaskit.decomposition.contrast import Contrast
    from biaskit.decomposition.denoiser import Conditioning, Denoiser
    from biaskit.decomposition.plan import Plan
    from biaskit.decomposition.rule import Rule


@dataclass(frozen=True, slots=True, eq=False)
class Replicate:
    """What one replicate found on one image; float64 on the CPU.

    Attributes:
        standard: Standard information of each contrast, in nats.
        orthogonal: Orthogonal information of each contrast, in nats.
        errors: Denoising error of each prompt at each node, summed over the latent.
        differences: Squared difference of each contrast's predictions at each node.
        levels: Level of each node.
        weights: What each node counts in a sum over log-SNR, in nats.
        standard_maps: The standard information pixel by pixel, summed over channels; empty where not asked
            for.
        orthogonal_maps: The orthogonal one.
    """

    standard: Float[Tensor, " c"]
    orthogonal: Float[Tensor, " c"]
    errors: Float[Tensor, "p k"]
    differences: Float[Tensor, "c k"]
    levels: Int[Tensor, " k"]
    weights: Float[Tensor, " k"]
    standard_maps: Float[Tensor, "c _ _"]
    orthogonal_maps: Float[Tensor, "c _ _"]


@dataclass(frozen=True, slots=True, eq=False)
class Passes:
    """How replicates are computed.

    Attributes:
        denoiser: The model.
        conditioning: The prompts, each once.
        contrasts: What is compared with what.
        rule: Which log-SNRs are visited.
        plan: How many, and how.
        maps: Whether informations are kept pixel by pixel.
    """

    denoiser: Denoiser
    conditioning: Conditioning
    contrasts: Sequence[Contrast]
    rule: Rule
    plan: Plan
    maps: bool

    def run(self, latent: Float[Tensor, "c h w"], key: str, replicate: int) -> Replicate:
        """Compute one replicate; the same key gives the same levels, noise and batches in any run."""
        nodes, noise = self.drawn(key, replicate)
        gathered = _Gathered(self, nodes)
        for at, predicted in self.predicted(latent, nodes, noise):
            gathered.add(at, noise[at], predicted)
        return gathered.replicate()

    def drawn(self, key: str, replicate: int) -> tuple[Nodes, Float[Tensor, "k c h w"]]:
        """Return the levels of a replicate and the noise at each."""
        whose = ("shared",) if self.plan.shared else ("image", key)
        place = (self.plan.seed, *whose, replicate)
        nodes = self.rule.nodes(self.plan.nodes, generator("levels", *place))
        noise = standard_normal((self.plan.nodes, *self.denoiser.shape), "noise", *place)
        return nodes, noise.to(self._device())

    def predicted(
        self, latent: Float[Tensor, "c h w"], nodes: Nodes, noise: Float[Tensor, "k c h w"]
    ) -> Iterator[tuple[Int[Tensor, " done"], Float[Tensor, "done 2 p c h w"]]]:
        """Predict the noise for every node, sign and prompt, in that order of rows, in full batches.

        Nodes come as soon as all their rows are there, so that a batch and a node are held at most.
        """
        prompts, begun = len(self.conditioning), 0
        rows, size = 2 * prompts, self.denoiser.batch_size
        held = noise.new_empty(0, *latent.shape)
        for start in range(0, rows * len(nodes.levels), size):
            batch = torch.arange(start, min(start + size, rows * len(nodes.levels)))
            held = torch.cat([held, self._batch(latent, nodes, noise, batch)])
            done = len(held) // rows
            if not done:
                continue
            whole = held[: done * rows].reshape(done, 2, prompts, *latent.shape)
            yield torch.arange(begun, begun + done), whole
            held, begun = held[done * rows :], begun + done

    def _batch(
        self,
        latent: Float[Tensor, "c h w"],
        nodes: Nodes,
        noise: Float[Tensor, "k c h w"],
        batch: Int[Tensor, " b"],
    ) -> Float[Tensor, "b c h w"]:
        """Predict some rows; noisy images are made on the device of the noise."""
        prompts = len(self.conditioning)
        node, sign = batch // (2 * prompts), 1 - 2 * (batch // prompts % 2)
        levels = torch.from_numpy(nodes.levels)[node]
        alphas, signs = (
            each.to(noise.device)[:, None, None, None] for each in (self.denoiser.log_snrs[levels], sign)
        )
        signal, amount = alphas.sigmoid().sqrt(), (-alphas).sigmoid().sqrt()
        noisy = (signal * latent.to(noise.device) + amount * signs * noise[node]).to(torch.float32)
        return self.denoiser.predict_noise(noisy, levels, self.conditioning.select(batch % prompts))

    def _device(self) -> torch.device:
        encoded = next(iter(self.conditioning.tensors.values()), None)
        return torch.device("cpu") if encoded is None else encoded.device


class _Gathered:
    """Sums over nodes, kept while predictions come in."""

    def __init__(self, passes: Passes, nodes: Nodes) -> None:
        self.passes, self.nodes = passes, nodes
        prompts, contrasts = len(passes.conditioning), len(passes.contrasts)
        height, width = passes.denoiser.shape[1:] if passes.maps else (0, 0)
        self.errors = torch.zeros(prompts, len(nodes.levels), dtype=torch.float64)
        self.differences = torch.zeros(contrasts, len(nodes.levels), dtype=torch.float64)
        self.maps = torch.zeros(2, contrasts, height, width, dtype=torch.float64)
        self.weights = torch.from_numpy(np.asarray(nodes.weights, dtype=np.float64))

    def add(
        self, at: Int[Tensor, " k"], noise: Float[Tensor, "k c h w"], predicted: Float[Tensor, "k 2 p c h w"]
    ) -> None:
        eps = noise.to(predicted.device).double()
        residuals = torch.stack([eps, -eps], dim=1)[:, :, None] - predicted.double()
        squares = self._squares(residuals, eps)
        self.errors[:, at] = squares.sum(dim=(2, 3, 4)).T.cpu()
        added, given = self._contrasted(squares.device)
        apart = (residuals[:, :, added] - residuals[:, :, given]).square().mean(dim=1)
        self.differences[:, at] = apart.sum(dim=(2, 3, 4)).T.cpu()
        if self.passes.maps:
            over = squares[:, given].sum(dim=2) - squares[:, added].sum(dim=2)
            weights = self.weights[at].to(squares.device)
            pixels = torch.stack([over, apart.sum(dim=2)])
            self.maps += torch.einsum("k,mkchw->mchw", weights / 2, pixels).cpu()

    def _contrasted(self, device: torch.device | str) -> Int[Tensor, "2 c"]:
        pairs = torch.tensor(self.passes.contrasts, dtype=torch.long, device=device)
        return pairs.reshape(-1, 2).T

    def _squares(
        self, residuals: Float[Tensor, "k 2 p c h w"], eps: Float[Tensor, "k c h w"]
    ) -> Float[Tensor, "k p c h w"]:
        """Squared errors of a pair of noises, the odd part at the average length of the noise."""
        if not self.passes.plan.normalised:
            return residuals.square().mean(dim=1)
        even, odd = (residuals[:, 0] + residuals[:, 1]) / 2, (residuals[:, 0] - residuals[:, 1]) / 2
        length = eps.square().sum(dim=(1, 2, 3))
        factor = eps[0].numel() / length
        return even.square() + odd.square() * factor[:, None, None, None, None]

    def replicate(self) -> Replicate:
        added, given = self._contrasted("cpu")
        over = self.errors[given] - self.errors[added]
        return Replicate(
            standard=over @ self.weights / 2,
            orthogonal=self.differences @ self.weights / 2,
            errors=self.errors,
            differences=self.differences,
            levels=torch.from_numpy(self.nodes.levels),
            weights=self.weights,
            standard_maps=self.maps[0],
            orthogonal_maps=self.maps[1],
        )
