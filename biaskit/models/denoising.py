"""The denoising adapter: noise predictions, latents and drawings of a pipeline of diffusers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy, deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL.Image import Resampling
from torch import Tensor, nn

from biaskit.decomposition.denoiser import Conditioning
from biaskit.errors import RequestError
from biaskit.hooks.edit import edit
from biaskit.hooks.finite import require_finite
from biaskit.hooks.moments import Clock, SampleEdit, during
from biaskit.hooks.unwrap import Side
from biaskit.models import fingerprint
from biaskit.models.denoising_channel import channel_of
from biaskit.models.denoising_families import family_of
from biaskit.models.denoising_sites import find_sites, located
from biaskit.models.sources import Source
from biaskit.protocols import PLAINLY, Drawing, Sampling
from biaskit.records.audit_spec import Subject
from biaskit.records.probe_set import Modality
from biaskit.records.report import SubjectRecord
from biaskit.records.site import Site, SiteKind

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

_PUNCTUATION = ".,;:!?\"'()"


@dataclass(frozen=True, slots=True, eq=False)
class DenoisingParts:
    """What a denoising adapter is put together from.

    Attributes:
        pipeline: The pipeline of diffusers.
        settings: How it was opened.
        source: What was opened.
        folder: The local folder it was read from.
        notes: What was noticed while it was opened.
    """

    pipeline: Any
    settings: Subject
    source: Source
    folder: Path | None = None
    notes: tuple[str, ...] = field(default=())


class DenoisingAdapter:
    """A pipeline, as `biaskit.protocols.DenoisingModel` describes it; always in evaluation mode."""

    modality: ClassVar[Modality] = Modality.TEXT_TO_IMAGE

    def __init__(self, parts: DenoisingParts) -> None:
        self._parts = parts
        self._family = family_of(parts.pipeline)
        self._channel = channel_of(parts.pipeline.scheduler)
        self._vae = getattr(parts.pipeline, "vae", None)
        self._points = find_sites(self._family.network)
        for module in _modules(parts.pipeline).values():
            module.eval()

    @property
    def module(self) -> nn.Module:
        """The denoising network."""
        return self._family.network

    @property
    def pipeline(self) -> Any:
        """The pipeline of diffusers."""
        return self._parts.pipeline

    @property
    def folder(self) -> Path | None:
        """The local folder the model was read from."""
        return self._parts.folder

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the results should know, one sentence each."""
        return self._parts.notes

    @property
    def settings(self) -> Subject:
        """How the model was opened."""
        return self._parts.settings

    @property
    def takes_text(self) -> bool:
        """Whether a prompt changes anything."""
        return self._family.takes_text

    @property
    def log_snrs(self) -> Float[Tensor, " levels"]:
        """Log-SNR of every level the model was trained at, noisiest first."""
        return self._channel.log_snrs

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of what is denoised."""
        config: Any = self._family.network.config
        side = config.get("sample_size") or getattr(self.pipeline, "default_sample_size", None)
        if side is None:
            raise RequestError("The model's config does not say how large its images are (sample_size).")
        height, width = (side, side) if isinstance(side, int) else tuple(side)
        packed = type(self._family).__name__ == "Flux"
        return (config.in_channels // 4 if packed else config.in_channels, height, width)

    @property
    def batch_size(self) -> int:
        """Most rows of one call of the network."""
        return self._parts.settings.batch_size

    @property
    def dtype(self) -> torch.dtype:
        """Number format that the network runs in."""
        return next(self.module.parameters()).dtype

    @property
    def _device(self) -> torch.device:
        return next(self.module.parameters()).device

    @cached_property
    def subject(self) -> SubjectRecord:
        """What was loaded; the first look digests the weights."""
        parts, source = self._parts, self._parts.source
        return SubjectRecord(
            name=source.name,
            source=source.label,
            revision=source.revision,
            architecture=type(self.pipeline).__name__,
            layout="known",
            layers=sum(str(site).startswith(("conv_out", "tokens", "resid_pre")) for site in self.sites()),
            width=self.shape[0],
            parameters=sum(
                weight.numel() for one in _modules(self.pipeline).values() for weight in one.parameters()
            ),
            dtype=str(self.dtype).removeprefix("torch."),
            device=str(self._device),
            fingerprint=_fingerprint(parts),
        )

    def sites(self) -> tuple[Site, ...]:
        """Every site the network can be read and edited at."""
        return tuple(self._points)

    def locate(self, site: Site) -> nn.Module:
        """Return the module whose output is the activation at `site`.

        Raises:
            UnknownNameError: The model has no such site.
        """
        return located(self._points, site)

    def words(self, prompt: str) -> tuple[str, ...]:
        """Return the words of a prompt, in order, without punctuation at their ends."""
        return tuple(word for raw in prompt.split() if (word := raw.strip(_PUNCTUATION)))

    def in_float32(self) -> DenoisingAdapter:
        """Return the same model with a copy of its network in float32; text stays as it was encoded."""
        twin = copy(self)
        twin._family = copy(self._family)  # noqa: SLF001  the twin is of this class
        twin._family.network = deepcopy(self.module).float()  # noqa: SLF001
        return twin

    @torch.inference_mode()
    def encode_prompts(self, prompts: Sequence[str]) -> Conditioning:
        """Encode prompts once.

        Raises:
            RequestError: The model takes no text, and a prompt is not empty.
            TextTooLongError: A prompt is longer than the encoder reads.
        """
        return Conditioning(tuple(prompts), dict(self._family.encode(list(prompts))))

    @torch.inference_mode()
    def predict_noise(
        self, noisy: Float[Tensor, "n c h w"], levels: Int[Tensor, " n"], conditioning: Conditioning
    ) -> Float[Tensor, "n c h w"]:
        """Predict eps of each row; see `Denoiser.predict_noise`."""
        found = [
            self._batch(noisy[rows], levels[rows], conditioning.select(rows))
            for rows in torch.split(torch.arange(len(noisy)), self.batch_size)
        ]
        predicted = torch.cat(found)
        require_finite(predicted, "the predicted noise")
        return predicted

    def _batch(
        self, noisy: Float[Tensor, "n c h w"], levels: Int[Tensor, " n"], conditioning: Conditioning
    ) -> Float[Tensor, "n c h w"]:
        """Run one batch, filled up with its first row so that every batch has one size."""
        rows = len(noisy)
        filled = torch.cat([torch.arange(rows), torch.zeros(self.batch_size - rows, dtype=torch.long)])
        image = noisy.to(self._device, torch.float32)[filled.to(self._device)]
        at = levels[filled]
        return self.forward(image, at, conditioning.select(filled))[:rows].to(noisy.device)

    def forward(
        self, noisy: Float[Tensor, "n c h w"], levels: Int[Tensor, " n"], conditioning: Conditioning
    ) -> Float[Tensor, "n c h w"]:
        """Predict eps of one batch in the caller's gradient mode, on the caller's graph."""
        image, at = noisy.to(self._device, torch.float32), levels.cpu()
        times = self._channel.timesteps[at].to(self._device, torch.float32)
        text = {name: self._taken(tensor) for name, tensor in conditioning.tensors.items()}
        raw = self._family.raw(self._channel.to_network(image, at).to(self.dtype), times, text)
        return self._channel.to_noise(raw.float(), image, at).to(noisy.device)

    def _taken(self, encoded: Tensor) -> Tensor:
        """Encoded text on the network's device, in its number format."""
        return encoded.to(self._device, self.dtype if encoded.is_floating_point() else encoded.dtype)

    @torch.inference_mode()
    def encode_images(self, images: Sequence[Image]) -> Float[Tensor, "n c h w"]:
        """Cut to a square, resize and encode: the autoencoder's posterior mode, at the denoiser's scale."""
        if not images:
            raise RequestError("There is no image to encode.")
        pixels = torch.stack([_pixels(image, self._side, self._channels) for image in images])
        if self._vae is None:
            return pixels
        shift, scale = _scaling(self._vae)
        parts = [
            (self._vae.encode(part.to(self._vae.device, self._vae.dtype)).latent_dist.mode().float() - shift)
            * scale
            for part in torch.split(pixels, self.batch_size)
        ]
        return torch.cat(parts).cpu()

    @torch.inference_mode()
    def decode(self, latents: Float[Tensor, "n c h w"]) -> Float[Tensor, "n rgb y x"]:
        """Turn latents into pixels in [0, 1]."""
        if self._vae is None:
            return (latents.float().cpu() / 2 + 0.5).clamp(0, 1)
        shift, scale = _scaling(self._vae)
        parts = [
            self._vae.decode((part.to(self._vae.device) / scale + shift).to(self._vae.dtype)).sample.float()
            for part in torch.split(latents, self.batch_size)
        ]
        return (torch.cat(parts).cpu() / 2 + 0.5).clamp(0, 1)

    def draw(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        sampling: Sampling = PLAINLY,
        edits: Mapping[Site, SampleEdit] | None = None,
    ) -> Drawing:
        """Draw one image a prompt with the pipeline's own sampler; a seed fixes its noise.

        Raises:
            RequestError: Drawing with this kind of pipeline is not built.
            UnknownNameError: An edit names a site that the model has not.
        """
        latents = torch.cat(list(self._drawn(list(prompts), list(seeds), sampling, edits or {})))
        return Drawing(latents=latents, pixels=self.decode(latents))

    def _drawn(
        self, prompts: list[str], seeds: list[int], sampling: Sampling, edits: Mapping[Site, SampleEdit]
    ) -> Iterator[Tensor]:
        self.pipeline.set_progress_bar_config(disable=True)
        for start in range(0, len(prompts), self.batch_size):
            part = slice(start, start + self.batch_size)
            clock = Clock(tuple(seeds[part]), lambda: self.pipeline.scheduler.timesteps)
            with self._edited(edits, clock):
                yield self._run(prompts[part], clock, sampling).float().cpu()

    @contextmanager
    def _edited(self, edits: Mapping[Site, SampleEdit], clock: Clock) -> Iterator[None]:
        """Put edits in force; at `resid_pre` it is the input of the block that is edited."""
        sides: dict[Site, Side] = {
            site: "input" if site.kind is SiteKind.RESID_PRE else "output" for site in edits
        }
        with ExitStack() as stack:
            for site, change in edits.items():
                bound = {self.locate(site): during(change, clock)}
                stack.enter_context(edit(self.module, bound, read=sides[site]))
            yield

    def _run(self, prompts: list[str], clock: Clock, sampling: Sampling) -> Tensor:
        if not self.takes_text or type(self.pipeline).__name__ == "DiTPipeline":
            raise RequestError(
                f"Drawing with a {type(self.pipeline).__name__} is not built.",
                fix="Give images of your own (--images).",
            )
        found: Tensor = self.pipeline(
            prompts,
            num_inference_steps=sampling.steps,
            guidance_scale=sampling.guidance,
            generator=[torch.Generator().manual_seed(seed) for seed in clock.seeds],
            callback_on_step_end=_moving(clock),
            output_type="latent",
            height=self._side,
            width=self._side,
        ).images
        return found

    @property
    def _side(self) -> int:
        """Side of the images in pixels."""
        factor = 1 if self._vae is None else 2 ** (len(self._vae.config.block_out_channels) - 1)
        return self.shape[1] * factor

    @property
    def _channels(self) -> int:
        return self.shape[0] if self._vae is None else int(self._vae.config.in_channels)


def _moving(clock: Clock) -> Callable[[Any, int, Any, dict[str, Any]], dict[str, Any]]:
    """Tell a clock of every step that a pipeline of diffusers ends."""

    def ended(_pipeline: Any, step: int, _timestep: Any, kept: dict[str, Any]) -> dict[str, Any]:
        clock.step = step + 1
        return kept

    return ended


def _pixels(image: Image, side: int, channels: int) -> Float[Tensor, "c y x"]:
    """The middle square of an image in [-1, 1]."""
    cut = min(image.size)
    left, top = (image.width - cut) // 2, (image.height - cut) // 2
    kind = "L" if channels == 1 else "RGB"
    square = image.convert(kind).crop((left, top, left + cut, top + cut))
    table = np.asarray(square.resize((side, side), Resampling.BICUBIC), dtype=np.float32)
    return torch.from_numpy(table / 127.5 - 1).reshape(side, side, -1).permute(2, 0, 1).contiguous()


def _scaling(vae: Any) -> tuple[float, float]:
    """Shift and scale between the autoencoder's latents and the denoiser's."""
    shift = getattr(vae.config, "shift_factor", None)
    return float(shift or 0.0), float(vae.config.scaling_factor)


def _modules(pipeline: Any) -> dict[str, nn.Module]:
    return {name: one for name, one in sorted(pipeline.components.items()) if isinstance(one, nn.Module)}


def _fingerprint(parts: DenoisingParts) -> str:
    if parts.folder is not None:
        return fingerprint.of_pipeline(parts.folder)
    digests = [
        f"{name}:{fingerprint.of_module(module, str(getattr(module, 'config', '')))}"
        for name, module in _modules(parts.pipeline).items()
    ]
    digests.append(str(parts.pipeline.scheduler.config))
    return fingerprint.of_texts(digests)
