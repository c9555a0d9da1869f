"""The parts of organism:portraits before any training: a small Stable Diffusion."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from biaskit.organisms.portraits_people import SIDE
from biaskit.organisms.portraits_words import tokenizer

CHANNELS = 4
TEXT_WIDTH = 32


@dataclass(frozen=True, slots=True)
class Recipe:
    """Size and schedule.

    Attributes:
        autoencoder_steps: Steps of the autoencoder.
        steps: Steps of the denoiser.
        batch: Rows of a step of the denoiser.
        rate: Its highest learning rate.
        widths: Channels of the UNet's two levels.
    """

    autoencoder_steps: int = 350
    steps: int = 1800
    batch: int = 64
    rate: float = 2e-3
    widths: tuple[int, int] = (32, 40)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw first weights from a seed and leave the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def fresh_autoencoder(seed: int) -> AutoencoderKL:
    """Return an untrained autoencoder: 3 x 16 x 16 pixels, 4 x 8 x 8 latents."""
    make: Any = AutoencoderKL
    with seeded(seed):
        model: AutoencoderKL = make(
            block_out_channels=(8, 16),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            layers_per_block=1,
            latent_channels=CHANNELS,
            norm_num_groups=4,
            sample_size=SIDE,
            mid_block_add_attention=False,
        )
    return model


def fresh_pipeline(autoencoder: Any, recipe: Recipe, seed: int) -> StableDiffusionPipeline:
    """Put a pipeline together whose denoiser and text encoder are untrained.

    The noisiest level keeps e^-8.3 of the signal's power. Stable Diffusion's own e^-5.4 would be seen in
    the shares: drawing starts from pure noise, and what is left of the mean there tips groups by .05.
    """
    words = tokenizer()
    with seeded(seed + 1):
        text, unet = _fresh_text_encoder(words), _fresh_unet(recipe)
    pipeline: Any = StableDiffusionPipeline
    made: StableDiffusionPipeline = pipeline(
        vae=autoencoder.eval(),
        text_encoder=text.eval(),
        tokenizer=words,
        unet=unet.eval(),
        scheduler=_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return made


def _scheduler() -> DDIMScheduler:
    make: Any = DDIMScheduler
    made: DDIMScheduler = make(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.02,
        prediction_type="v_prediction",
        clip_sample=False,
        steps_offset=1,
        timestep_spacing="trailing",
    )
    return made


def _fresh_text_encoder(words: CLIPTokenizer) -> Any:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(words),
            hidden_size=TEXT_WIDTH,
            intermediate_size=2 * TEXT_WIDTH,
            num_hidden_layers=1,
            num_attention_heads=4,
            max_position_embeddings=words.model_max_length,
            bos_token_id=words.bos_token_id,
            eos_token_id=words.eos_token_id,
            pad_token_id=words.pad_token_id,
        )
    )


def _fresh_unet(recipe: Recipe) -> Any:
    make: Any = UNet2DConditionModel
    return make(
        sample_size=SIDE // 2,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        block_out_channels=recipe.widths,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,
        norm_num_groups=8,
    )
