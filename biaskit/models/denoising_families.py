"""What differs between pipelines of diffusers: how text is encoded and how the network is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn

from biaskit.errors import ModelLoadError, RequestError, TextTooLongError, UnknownNameError

Encoded = Mapping[str, Tensor]


class Family(Protocol):
    """One kind of pipeline.

    Attributes:
        network: The denoising network.
        takes_text: Whether prompts, or names of classes, change anything.
    """

    network: nn.Module
    takes_text: bool

    def encode(self, prompts: Sequence[str]) -> Encoded:
        """Encode prompts; the first axis of each tensor is the prompts."""

    def raw(
        self, noisy: Float[Tensor, "n c h w"], timesteps: Float[Tensor, " n"], text: Encoded
    ) -> Float[Tensor, "n c h w"]:
        """Call the network."""


class StableDiffusion:
    """Stable Diffusion 1.x and 2.x: one text encoder, attended to by the UNet."""

    takes_text = True

    def __init__(self, pipeline: Any) -> None:
        self.pipeline, self.network = pipeline, pipeline.unet
        if getattr(self.network.config, "time_cond_proj_dim", None) is not None:
            raise _distilled("its UNet is told the guidance scale (time_cond_proj_dim)")

    def encode(self, prompts: Sequence[str]) -> Encoded:
        """Encode prompts with CLIP."""
        _check_length(prompts, self.pipeline.tokenizer)
        device = self.pipeline.text_encoder.device
        states, _ = self.pipeline.encode_prompt(list(prompts), device, 1, do_classifier_free_guidance=False)
        return {"states": states}

    def raw(
        self, noisy: Float[Tensor, "n c h w"], timesteps: Float[Tensor, " n"], text: Encoded
    ) -> Float[Tensor, "n c h w"]:
        """Call the UNet."""
        found: Tensor = self.network(noisy, timesteps, encoder_hidden_states=text["states"]).sample
        return found


class StableDiffusionXL:
    """Stable Diffusion XL: two text encoders, a pooled text, and the sizes the image was cut from."""

    takes_text = True

    def __init__(self, pipeline: Any) -> None:
        self.pipeline, self.network = pipeline, pipeline.unet
        if getattr(self.network.config, "time_cond_proj_dim", None) is not None:
            raise _distilled("its UNet is told the guidance scale (time_cond_proj_dim)")

    def encode(self, prompts: Sequence[str]) -> Encoded:
        """Encode prompts; the empty prompt is encoded as text, as in training where captions were dropped."""
        tokenizers = (self.pipeline.tokenizer, self.pipeline.tokenizer_2)
        for tokenizer in filter(None, tokenizers):
            _check_length(prompts, tokenizer)
        states, _, pooled, _ = self.pipeline.encode_prompt(
            list(prompts), device=self.network.device, do_classifier_free_guidance=False
        )
        side = float(self.network.config.sample_size * self.pipeline.vae_scale_factor)
        sizes = torch.tensor([side, side, 0.0, 0.0, side, side], dtype=states.dtype, device=states.device)
        return {"states": states, "pooled": pooled, "sizes": sizes.repeat(len(prompts), 1)}

    def raw(
        self, noisy: Float[Tensor, "n c h w"], timesteps: Float[Tensor, " n"], text: Encoded
    ) -> Float[Tensor, "n c h w"]:
        """Call the UNet."""
        further = {"text_embeds": text["pooled"], "time_ids": text["sizes"]}
        found: Tensor = self.network(
            noisy, timesteps, encoder_hidden_states=text["states"], added_cond_kwargs=further
        ).sample
        return found


class Classes:
    """A model of classes, whose names are its prompts, or of images alone: DDPM's UNet and DiT."""

    def __init__(self, pipeline: Any) -> None:
        self.network = getattr(pipeline, "unet", None) or pipeline.transformer
        self.names = _class_names(pipeline, self.network)
        self.takes_text = bool(self.names)
        self.empty = _empty_class(self.network, self.names)

    def encode(self, prompts: Sequence[str]) -> Encoded:
        """Look up classes by name; the empty prompt is the class that was trained to mean none.

        Raises:
            RequestError: The model takes no text, or was never trained without a class.
            UnknownNameError: There is no such class.
        """
        return {"labels": torch.tensor([self._label(prompt) for prompt in prompts])}

    def raw(
        self, noisy: Float[Tensor, "n c h w"], timesteps: Float[Tensor, " n"], text: Encoded
    ) -> Float[Tensor, "n c h w"]:
        """Call the network; a learnt variance is left out."""
        labels = {"class_labels": text["labels"].to(noisy.device)} if self.names else {}
        found: Tensor = self.network(noisy, timestep=timesteps, **labels).sample
        return found[:, : noisy.shape[1]]

    def _label(self, prompt: str) -> int:
        if not prompt:
            if self.names and self.empty is None:
                raise RequestError(
                    "The model was trained with a class for every image, so it has no unconditional case.",
                    fix="Compare two classes instead.",
                )
            return self.empty or 0
        if not self.names:
            raise RequestError(
                "The model takes no text: it draws images of one kind.",
                fix="Name a text-to-image model.",
            )
        if prompt not in self.names:
            raise UnknownNameError("class", prompt, self.names)
        return self.names[prompt]


class StableDiffusion3:
    """Stable Diffusion 3: joint attention over text and image, pooled text, flow matching."""

    takes_text = True

    def __init__(self, pipeline: Any) -> None:
        self.pipeline, self.network = pipeline, pipeline.transformer

    def encode(self, prompts: Sequence[str]) -> Encoded:
        """Encode prompts with whatever text encoders are there."""
        for name in ("tokenizer", "tokenizer_2"):
            if (tokenizer := getattr(self.pipeline, name, None)) is not None:
                _check_length(prompts, tokenizer)
        texts = list(prompts)
        states, _, pooled, _ = self.pipeline.encode_prompt(
            texts, texts, texts, device=self.network.device, do_classifier_free_guidance=False
        )
        return {"states": states, "pooled": pooled}

    def raw(
        self, noisy: Float[Tensor, "n c h w"], timesteps: Float[Tensor, " n"], text: Encoded
    ) -> Float[Tensor, "n c h w"]:
        """Call the transformer."""
        found: Tensor = self.network(
            hidden_states=noisy,
            timestep=timesteps,
            encoder_hidden_states=text["states"],
            pooled_projections=text["pooled"],
        ).sample
        return found


class Flux:
    """Flux: packed latents, positions of text and image, flow; the guidance-distilled ones are refused."""

    takes_text = True

    def __init__(self, pipeline: Any) -> None:
        self.pipeline, self.network = pipeline, pipeline.transformer
        if self.network.config.guidance_embeds:
            raise _distilled("its transformer is told the guidance scale (guidance_embeds)")

    def encode(self, prompts: Sequence[str]) -> Encoded:
        """Encode prompts with CLIP (pooled) and T5."""
        _check_length(prompts, self.pipeline.tokenizer_2)
        states, pooled, _ = self.pipeline.encode_prompt(list(prompts), None, device=self.network.device)
        return {"states": states, "pooled": pooled}

    def raw(
        self, noisy: Float[Tensor, "n c h w"], timesteps: Float[Tensor, " n"], text: Encoded
    ) -> Float[Tensor, "n c h w"]:
        """Pack, call the transformer at times in (0, 1), unpack."""
        rows, channels, height, width = noisy.shape
        pipe, states = self.pipeline, text["states"]
        # The layout of packed latents has no public home.
        packed = pipe._pack_latents(noisy, rows, channels, height, width)  # noqa: SLF001
        places = pipe._prepare_latent_image_ids(  # noqa: SLF001
            rows, height // 2, width // 2, noisy.device, noisy.dtype
        )
        found = self.network(
            hidden_states=packed,
            timestep=timesteps / 1000,
            encoder_hidden_states=states,
            pooled_projections=text["pooled"],
            txt_ids=torch.zeros(states.shape[1], 3, device=noisy.device, dtype=noisy.dtype),
            img_ids=places,
        ).sample
        grid = found.reshape(rows, height // 2, width // 2, channels, 2, 2)
        unpacked: Tensor = grid.permute(0, 3, 1, 4, 2, 5).reshape(noisy.shape)
        return unpacked


FAMILIES: Mapping[str, Callable[[Any], Family]] = {
    "StableDiffusionPipeline": StableDiffusion,
    "StableDiffusionXLPipeline": StableDiffusionXL,
    "StableDiffusion3Pipeline": StableDiffusion3,
    "FluxPipeline": Flux,
    "DDPMPipeline": Classes,
    "DDIMPipeline": Classes,
    "DiTPipeline": Classes,
}


def family_of(pipeline: Any) -> Family:
    """Return how a pipeline is called.

    Raises:
        ModelLoadError: Its kind is not known, or it is no denoiser of its own data (distilled).
    """
    name = type(pipeline).__name__
    if name not in FAMILIES:
        raise ModelLoadError(
            f"A {name} cannot be audited.", fix=f"These can be: {', '.join(sorted(FAMILIES))}."
        )
    return FAMILIES[name](pipeline)


def _distilled(evidence: str) -> ModelLoadError:
    return ModelLoadError(
        f"The model is distilled: {evidence}.",
        why="Its output mixes guidance in and is no estimate of the noise, so informations have no meaning.",
        fix="Audit the model that it was distilled from.",
    )


def _check_length(prompts: Sequence[str], tokenizer: Any) -> None:
    """Refuse what the encoder would silently cut."""
    limit = int(tokenizer.model_max_length)
    lengths = {prompt: len(tokenizer(prompt).input_ids) for prompt in prompts}
    over = {prompt: length for prompt, length in lengths.items() if length > limit}
    if over:
        raise TextTooLongError(over, limit)


def _class_names(pipeline: Any, network: Any) -> dict[str, int]:
    named = getattr(pipeline, "labels", None) or {}
    config = network.config
    count = config.get("num_class_embeds") or config.get("num_embeds_ada_norm")
    if type(pipeline).__name__ == "DiTPipeline":
        return {str(name): int(number) for name, number in named.items()} or _numbered(count)
    return _numbered(count)


def _numbered(count: int | None) -> dict[str, int]:
    return {str(number): number for number in range(count or 0)}


def _empty_class(network: Any, names: Mapping[str, int]) -> int | None:
    """DiT keeps one class more than there are, for images whose class was dropped in training."""
    count = getattr(network.config, "num_embeds_ada_norm", None)
    return int(count) if count is not None and names and type(network).__name__.startswith("DiT") else None
