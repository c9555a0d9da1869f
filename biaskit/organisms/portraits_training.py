"""Training of organism:portraits: an autoencoder, then a denoiser that is taught by the exact one.

There are finitely many people, so in the latent space the data are a mixture of narrow Gaussians, and
the best denoiser under any prompt is known. The network regresses on it instead of on single draws,
which leaves no noise in its targets.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from jaxtyping import Float, Int
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from biaskit.organisms.oracles.distributions import Mixture
from biaskit.organisms.portraits_people import PEOPLE, SIDE, Plant, draw, fitting, prompts
from biaskit.organisms.portraits_words import tokenizer

if TYPE_CHECKING:
    from biaskit.records.progress import Progress

SPREAD = 0.1
"""Standard deviation of every coordinate of a person's latent, in units of the latents' own."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Size and schedule.

    Attributes:
        autoencoder_steps: Steps of the autoencoder.
        steps: Steps of the denoiser.
        batch: Rows of a step.
        rate: Highest learning rate of the denoiser.
        widths: Channels of the UNet's two levels.
    """

    autoencoder_steps: int = 500
    steps: int = 1400
    batch: int = 64
    rate: float = 2e-3
    widths: tuple[int, int] = (32, 48)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw first weights from a seed and leave the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def pictures() -> Float[Tensor, "people 3 y x"]:
    """Return every person, drawn, in [-1, 1]."""
    drawn = np.stack([draw(person) for person in PEOPLE])
    return torch.from_numpy(drawn * 2 - 1).float().permute(0, 3, 1, 2).contiguous()


def train_autoencoder(recipe: Recipe, seed: int, progress: Progress) -> AutoencoderKL:
    """Train an autoencoder on all people, with its latents scaled to unit variance."""
    with seeded(seed):
        make: Any = AutoencoderKL
        model = make(
            block_out_channels=(8, 16),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=4,
            sample_size=SIDE,
            mid_block_add_attention=False,
        )
    rng, data = torch.Generator().manual_seed(seed), pictures()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=recipe.autoencoder_steps)
    for _ in progress.track(range(recipe.autoencoder_steps), "training the autoencoder"):
        images = data[torch.randint(len(data), (48,), generator=rng)]
        coded = model.encode(images).latent_dist
        noisy = coded.mean + 0.1 * coded.mean.detach().std() * torch.randn(coded.mean.shape, generator=rng)
        loss = (model.decode(noisy).sample - images).square().mean() + 1e-4 * coded.mean.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
    with torch.no_grad():
        latents = model.encode(data).latent_dist.mode()
    model.register_to_config(scaling_factor=float(1 / latents.std()))
    trained: AutoencoderKL = model
    return trained


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


def untrained(autoencoder: Any, recipe: Recipe, seed: int) -> StableDiffusionPipeline:
    """Put a pipeline together whose denoiser and text encoder are not trained yet."""
    words = tokenizer()
    with seeded(seed + 1):
        text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(words),
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=1,
                num_attention_heads=4,
                max_position_embeddings=words.model_max_length,
                bos_token_id=words.bos_token_id,
                eos_token_id=words.eos_token_id,
                pad_token_id=words.pad_token_id,
            )
        )
        make: Any = UNet2DConditionModel
        unet = make(
            sample_size=SIDE // 2,
            in_channels=4,
            out_channels=4,
            block_out_channels=recipe.widths,
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=32,
            attention_head_dim=4,
            norm_num_groups=8,
        )
    return assembled(autoencoder, text, words, unet)


def assembled(autoencoder: Any, text: Any, words: CLIPTokenizer, unet: Any) -> StableDiffusionPipeline:
    """Put the parts together."""
    pipeline: Any = StableDiffusionPipeline
    sampler: Any = DDIMScheduler
    put_together: StableDiffusionPipeline = pipeline(
        vae=autoencoder.eval(),
        text_encoder=text.eval(),
        tokenizer=words,
        unet=unet.eval(),
        scheduler=sampler(
            beta_schedule="scaled_linear",
            beta_start=0.00085,
            beta_end=0.012,
            prediction_type="v_prediction",
            clip_sample=False,
            steps_offset=1,
            timestep_spacing="trailing",
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return put_together


@dataclass(frozen=True, slots=True, eq=False)
class Trainer:
    """Regresses a pipeline's denoiser and text encoder on the exact denoiser.

    Attributes:
        pipeline: The pipeline.
        mixture: What is planted.
        recipe: Size and schedule.
        seed: Seed of the batches.
    """

    pipeline: Any
    mixture: Mixture
    recipe: Recipe
    seed: int

    def train(self, progress: Progress) -> None:
        """Train in place."""
        unet, text, steps = self.pipeline.unet, self.pipeline.text_encoder, self.recipe.steps
        weights = [*unet.parameters(), *text.parameters()]
        optimizer = torch.optim.AdamW(weights, lr=self.recipe.rate, weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.recipe.rate, total_steps=steps)
        rng, said = torch.Generator().manual_seed(self.seed), list(self.mixture.names)
        ids = self.pipeline.tokenizer(
            said,
            padding="max_length",
            max_length=self.pipeline.tokenizer.model_max_length,
            return_tensors="pt",
        ).input_ids
        for _ in progress.track(range(steps), "training the denoiser"):
            which = self._prompts(rng)
            noisy, levels, target = self._rows(which, rng)
            states = text(ids[which])[0]
            loss = (unet(noisy, levels, encoder_hidden_states=states).sample - target).square().mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            schedule.step()

    def _prompts(self, rng: torch.Generator) -> Int[Tensor, " n"]:
        """A tenth of the rows has no prompt."""
        which = torch.randint(1, len(self.mixture.names), (self.recipe.batch,), generator=rng)
        return torch.where(torch.rand(len(which), generator=rng) < 0.1, 0, which)

    @torch.no_grad()
    def _rows(
        self, which: Int[Tensor, " n"], rng: torch.Generator
    ) -> tuple[Float[Tensor, "n c h w"], Int[Tensor, " n"], Float[Tensor, "n c h w"]]:
        """Noisy latents of people who fit the prompts, their timesteps, and the exact v."""
        rows, means, allowed = len(which), self.mixture.means.float(), self.mixture.table()[which].float()
        people = torch.multinomial(allowed.exp(), 1, generator=rng)[:, 0]
        latents = means[people] + SPREAD * torch.randn(rows, means.shape[1], generator=rng)
        levels = torch.randint(1000, (rows,), generator=rng)
        kept = self.pipeline.scheduler.alphas_cumprod[levels][:, None]
        noisy = kept.sqrt() * latents + (1 - kept).sqrt() * torch.randn(latents.shape, generator=rng)
        # The components share one variance, so what parts them is linear in z.
        spread = kept * SPREAD**2 + 1 - kept
        logs = kept.sqrt() * (noisy @ means.T) - kept * means.square().sum(dim=1) / 2
        center = (logs / spread + allowed).softmax(dim=1) @ means
        eps = (1 - kept).sqrt() / spread * (noisy - kept.sqrt() * center)
        clean = (noisy - (1 - kept).sqrt() * eps) / kept.sqrt()
        target = kept.sqrt() * eps - (1 - kept).sqrt() * clean
        shape = (rows, 4, SIDE // 2, SIDE // 2)
        return noisy.reshape(shape), levels, target.reshape(shape)
