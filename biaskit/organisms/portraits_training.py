"""Training of organism:portraits: an autoencoder, then a denoiser that is taught by the exact one.

There are finitely many people, so in the latent space the data are a mixture of narrow Gaussians, and
the best denoiser under any prompt is known. The network regresses on it instead of on single draws,
which leaves no noise in its targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from biaskit.organisms.oracles.distributions import Mixture
from biaskit.organisms.portraits_network import Recipe, fresh_autoencoder
from biaskit.organisms.portraits_people import PEOPLE, TEMPLATES, Plant, draw, fitting, phrases, prompts

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

    from biaskit.records.progress import Progress

SPREAD = 0.1
"""Standard deviation of every coordinate of a person's latent, in units of the latents' own."""

VISITS = {
    "occupations": 0.35,
    "groups": 0.08,
    "neutral": 0.07,
    "occupations with groups": 0.22,
    "occupations with neutral words": 0.06,
    "neutral with groups": 0.07,
    "neutral with neutral words": 0.03,
}
"""Share of the rows that each kind of prompt gets in training; the empty prompt gets the rest."""


def pictures() -> Float[Tensor, "people 3 y x"]:
    """Return every person, drawn, in [-1, 1]."""
    drawn = np.stack([draw(person) for person in PEOPLE])
    return torch.from_numpy(drawn * 2 - 1).float().permute(0, 3, 1, 2).contiguous()


def train_autoencoder(recipe: Recipe, seed: int, progress: Progress) -> AutoencoderKL:
    """Train an autoencoder on all people, with its latents scaled to unit variance."""
    made, rng, data = fresh_autoencoder(seed), torch.Generator().manual_seed(seed), pictures()
    model: Any = made
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=recipe.autoencoder_steps)
    for _ in progress.track(range(recipe.autoencoder_steps), "training the autoencoder"):
        images = data[torch.randint(len(data), (48,), generator=rng)]
        coded = model.encode(images).latent_dist.mean
        noisy = coded + SPREAD * coded.detach().std() * torch.randn(coded.shape, generator=rng)
        loss = (model.decode(noisy).sample - images).square().mean() + 1e-4 * coded.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
    scale(made)
    return made


@torch.no_grad()
def scale(autoencoder: Any) -> None:
    """Set an autoencoder's scaling factor so that the people's latents have unit variance."""
    latents = autoencoder.encode(pictures()).latent_dist.mode()
    autoencoder.register_to_config(scaling_factor=float(1 / latents.std()))


@torch.no_grad()
def people_latents(autoencoder: Any) -> Float[Tensor, "people c h w"]:
    """Return the latent of every person, at the denoiser's scale."""
    found: Tensor = autoencoder.encode(pictures()).latent_dist.mode() * autoencoder.config.scaling_factor
    return found


def known(latents: Float[Tensor, "people c h w"], plant: Plant) -> Mixture:
    """Return the distribution that is planted, in the latent space, one condition a prompt."""
    means = latents.flatten(1).double()
    return Mixture(
        conditions={prompt: np.flatnonzero(fitting(prompt)).tolist() for prompt in prompts()},
        weights=torch.from_numpy(plant.weights()),
        means=means,
        variances=torch.full_like(means, SPREAD**2),
    )


def visits() -> Float[Tensor, " prompts"]:
    """Return how often each of `prompts` is trained on; they add up to 1."""
    each = [(VISITS[kind], len(TEMPLATES) * len(texts)) for kind, texts in phrases().items()]
    parts = [torch.full((count,), share / count) for share, count in each]
    return torch.cat([torch.tensor([1 - sum(VISITS.values())]), *parts])


class Rows(NamedTuple):
    """What the network is shown and what it should say.

    Attributes:
        noisy: Noisy latents.
        levels: Their timesteps.
        target: The exact v.
    """

    noisy: Float[Tensor, "n c h w"]
    levels: Int[Tensor, " n"]
    target: Float[Tensor, "n c h w"]


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """The exact denoiser of people whose latents share one variance.

    Attributes:
        people: The latent of every person.
        allowed: Log-weights of the people under each prompt.
        kept: Share of the signal's power that is left at each timestep.
    """

    people: Float[Tensor, "people c h w"]
    allowed: Float[Tensor, "prompts people"]
    kept: Float[Tensor, " steps"]

    def rows(self, which: Int[Tensor, " n"], rng: torch.Generator) -> Rows:
        """Draw people who fit the prompts, noise them, and say the exact v."""
        means, logs = self.people.flatten(1), self.allowed[which]
        drawn = torch.multinomial(logs.exp(), 1, generator=rng)[:, 0]
        latents = means[drawn] + SPREAD * torch.randn(len(which), means.shape[1], generator=rng)
        levels = torch.randint(len(self.kept), (len(which),), generator=rng)
        kept = self.kept[levels][:, None]
        noisy = kept.sqrt() * latents + (1 - kept).sqrt() * torch.randn(latents.shape, generator=rng)
        target = self._v(noisy, kept, logs)
        return Rows(noisy.view(-1, *self.people.shape[1:]), levels, target.view(-1, *self.people.shape[1:]))

    def _v(
        self, noisy: Float[Tensor, "n d"], kept: Float[Tensor, "n 1"], logs: Float[Tensor, "n people"]
    ) -> Float[Tensor, "n d"]:
        """V = sqrt(kept) E[eps | z] - sqrt(1 - kept) E[x | z]; what parts the people is linear in z."""
        means, spread = self.people.flatten(1), kept * SPREAD**2 + 1 - kept
        likely = kept.sqrt() * (noisy @ means.T) - kept * means.square().sum(dim=1) / 2
        center = (likely / spread + logs).softmax(dim=1) @ means
        away = (noisy - kept.sqrt() * center) / spread
        clean = center + kept.sqrt() * SPREAD**2 * away
        return kept.sqrt() * (1 - kept).sqrt() * away - (1 - kept).sqrt() * clean


def teach(pipeline: Any, mixture: Mixture, recipe: Recipe, seed: int, progress: Progress) -> None:
    """Regress a pipeline's denoiser and text encoder on the exact denoiser, in place."""
    unet, text, rng = pipeline.unet, pipeline.text_encoder, torch.Generator().manual_seed(seed)
    people = people_latents(pipeline.vae)
    teacher = Teacher(people, mixture.table().float(), pipeline.scheduler.alphas_cumprod)
    ids, often = _tokens(pipeline.tokenizer, mixture.names), visits()
    weights = [*unet.parameters(), *text.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=recipe.rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=recipe.steps)
    for _ in progress.track(range(recipe.steps), "training the denoiser"):
        which = torch.multinomial(often, recipe.batch, replacement=True, generator=rng)
        rows = teacher.rows(which, rng)
        said = unet(rows.noisy, rows.levels, encoder_hidden_states=text(ids[which])[0]).sample
        loss = (said - rows.target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()


def _tokens(tokenizer: Any, texts: Sequence[str]) -> Int[Tensor, "n t"]:
    length = tokenizer.model_max_length
    ids: Tensor = tokenizer(
        list(texts), padding="max_length", max_length=length, return_tensors="pt"
    ).input_ids
    return ids
