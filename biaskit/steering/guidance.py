"""A learnt correction of the noise that a model predicts, fair to every group (after InvDiff).

    e'(z) = e(z; h + s g(h)),   g(h) = U silu(V h / c + b),   U = 0 at the start

h is the activation at one site, so e' is the model's own prediction until something is learnt. The weights of
g alone are trained, on

    L = sum_g w_g L_g + penalty Var_g(L_g),   L_g = mean ||eps - e'(z)||^2 over images of group g,

with w the shares that are wanted. After Hou et al. 2024 (InvDiff, arXiv 2412.08480), with three changes: the
correction starts at the model itself and not at a scaled-down one; errors are taken to the noise and not to
the latents; images of all groups meet the same noise levels and noises, so that groups do not differ by them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import silu

from biaskit.decomposition.geometry import DifferentiableDenoiser
from biaskit.errors import RequestError
from biaskit.hooks.edit import edit
from biaskit.hooks.moments import Moment
from biaskit.hooks.unwrap import Side
from biaskit.records.site import Site, SiteKind

if TYPE_CHECKING:
    from biaskit.protocols import DenoisingModel

FEWEST = 8
"""Fewest images of a group that a correction is learnt from."""


@dataclass(frozen=True, slots=True)
class Guiding:
    """How a correction is trained.

    Attributes:
        rank: Width of g between V and U.
        steps: Steps of the optimiser.
        batch: Images of a step, in equal parts from all groups.
        rate: Learning rate of Adam, which falls to 0 along a cosine.
        penalty: Weight of the variance of the groups' losses.
    """

    rank: int = 64
    steps: int = 200
    batch: int = 64
    rate: float = 3e-3
    penalty: float = 1.0

    @property
    def evaluations(self) -> int:
        """Rows that the network is given, each forward and partly backward."""
        return self.steps * self.batch


@dataclass(frozen=True, slots=True, eq=False)
class Guidance:
    """A correction, ready to be given to `DenoisingModel.draw`.

    Attributes:
        site: Where it acts.
        down: V.
        bias: b.
        up: U.
        scale: c, the root mean square of h.
        strength: s; 0 changes nothing.
    """

    site: Site
    down: Float[Tensor, "r d"]
    bias: Float[Tensor, " r"]
    up: Float[Tensor, "d r"]
    scale: float
    strength: float = 1.0

    @property
    def weights(self) -> int:
        """How many numbers were trained."""
        return self.down.numel() + self.bias.numel() + self.up.numel()

    def stronger(self, strength: float) -> Guidance:
        """Return the same correction at another strength."""
        return replace(self, strength=strength)

    def __call__(self, activation: Float[Tensor, "b ..."], moment: Moment) -> Float[Tensor, "b ..."]:
        """Return the corrected activation."""
        del moment
        return activation if self.strength == 0 else self.corrected(activation)

    def corrected(self, activation: Float[Tensor, "b ..."]) -> Float[Tensor, "b ..."]:
        """Return `h + s g(h)`; gradients reach the weights."""
        rows = activation.flatten(1).float() / self.scale
        down, bias, up = (one.to(rows.device) for one in (self.down, self.bias, self.up))
        added = self.strength * self.scale * silu(rows @ down.T + bias) @ up.T
        return activation + added.reshape(activation.shape).to(activation.dtype)


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """Images that a correction is learnt from.

    Attributes:
        latents: The images, as the model denoises them.
        prompts: What each was drawn for.
        labels: The group of each.
        shares: The share that each group should have; they add up to 1.
    """

    latents: Float[Tensor, "n c h w"]
    prompts: Sequence[str]
    labels: Int[Tensor, " n"]
    shares: Sequence[float]

    @property
    def counts(self) -> Int[Tensor, " g"]:
        """Images of each group."""
        return torch.bincount(self.labels, minlength=len(self.shares))


def learn_guidance(
    model: DenoisingModel, site: Site, shown: Shown, settings: Guiding, rng: torch.Generator
) -> Guidance:
    """Train a correction; the model's own weights are left as they are.

    Raises:
        RequestError: A group has too few images, or the model cannot be differentiated.
    """
    if int(shown.counts.min()) < FEWEST:
        raise RequestError(
            f"A correction needs {FEWEST} images of each group, and one has {int(shown.counts.min())}.",
            fix="Give more images.",
        )
    if not isinstance(model, DifferentiableDenoiser):
        raise RequestError(f"A {type(model).__name__} cannot be differentiated.")
    batches = _Batches(model, shown, settings, rng)
    guidance = _fresh(site, _activations(model, site, batches), settings.rank, rng)
    weights = [one.requires_grad_() for one in (guidance.down, guidance.bias, guidance.up)]
    with torch.enable_grad(), edit(model.module, {model.locate(site): guidance.corrected}, read=_side(site)):
        _descend(weights, batches.loss, settings)
    down, bias, up = (one.detach() for one in weights)
    return replace(guidance, down=down, bias=bias, up=up)


def _descend(weights: Sequence[Tensor], loss: Callable[[], Tensor], settings: Guiding) -> None:
    """Change the weights in place; nothing else gets a gradient."""
    optimizer = torch.optim.Adam(weights, lr=settings.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    for _ in range(settings.steps):
        for weight, grad in zip(weights, torch.autograd.grad(loss(), weights), strict=True):
            weight.grad = grad
        optimizer.step()
        schedule.step()


@dataclass(eq=False)
class _Batches:
    """Noisy images, group by group at the same levels and noises, and the loss on them."""

    model: DifferentiableDenoiser
    shown: Shown
    settings: Guiding
    rng: torch.Generator

    def __post_init__(self) -> None:
        self.listed = list(dict.fromkeys(self.shown.prompts))
        told = self.model.encode_prompts(self.listed)
        # What was encoded in inference mode cannot be part of a graph.
        self.told = replace(told, tensors={name: one.clone() for name, one in told.tensors.items()})
        self.own = torch.tensor([self.listed.index(one) for one in self.shown.prompts])
        groups = range(len(self.shown.shares))
        self.rows = [torch.nonzero(self.shown.labels == number)[:, 0] for number in groups]

    def loss(self) -> Float[Tensor, ""]:
        """Draw a batch and return `sum w_g L_g + penalty Var_g(L_g)`."""
        groups = len(self.rows)
        each = max(self.settings.batch // groups, 1)
        levels = self._levels(each).repeat(groups)
        noise = torch.randn((each, *self.shown.latents.shape[1:]), generator=self.rng).repeat(groups, 1, 1, 1)
        which = torch.cat([self._some(rows, each) for rows in self.rows])
        alpha = self.model.log_snrs[levels][:, None, None, None]
        clean = self.shown.latents[which]
        noisy = (alpha.sigmoid().sqrt() * clean + (-alpha).sigmoid().sqrt() * noise).float()
        said = self.model.forward(noisy, levels, self.told.select(self.own[which]))
        losses = (said - noise).square().mean(dim=(1, 2, 3)).reshape(groups, each).mean(dim=1)
        wanted = torch.tensor(self.shown.shares, dtype=losses.dtype)
        return (wanted * losses).sum() + self.settings.penalty * losses.var(correction=0)

    def _levels(self, count: int) -> Int[Tensor, " n"]:
        """One level from each of `count` equal parts of those that the model was trained at."""
        places = (torch.arange(count) + torch.rand(count, generator=self.rng)) / count
        return (places * len(self.model.log_snrs)).long()

    def _some(self, rows: Int[Tensor, " m"], count: int) -> Int[Tensor, " n"]:
        return rows[torch.randint(len(rows), (count,), generator=self.rng)]


def _activations(model: DenoisingModel, site: Site, batches: _Batches) -> Float[Tensor, "b ..."]:
    """Return what the site holds for one batch."""
    kept: list[Tensor] = []

    def look(activation: Tensor) -> Tensor:
        kept.append(activation.float().cpu())
        return activation

    with torch.no_grad(), edit(model.module, {model.locate(site): look}, read=_side(site)):
        batches.loss()
    return torch.cat(kept)


def _side(site: Site) -> Side:
    return "input" if site.kind is SiteKind.RESID_PRE else "output"


def _fresh(site: Site, seen: Float[Tensor, "b ..."], rank: int, rng: torch.Generator) -> Guidance:
    """Return a correction that adds nothing yet."""
    width = seen.flatten(1).shape[1]
    down = torch.randn((rank, width), generator=rng) / width**0.5
    scale = max(float(seen.square().mean().sqrt()), 1e-6)
    return Guidance(site, down, torch.zeros(rank), torch.zeros(width, rank), scale)
