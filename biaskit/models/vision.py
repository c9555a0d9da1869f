"""The vision adapter: logits, activations and gradients of an image classifier of any backbone."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from biaskit.errors import RequestError, RunError
from biaskit.hooks.capture import capture
from biaskit.hooks.finite import require_finite
from biaskit.models import fingerprint
from biaskit.models.batches import Batcher
from biaskit.models.network import at_rest, forward_only
from biaskit.models.sources import Source
from biaskit.models.vision_attention import attentions_of
from biaskit.models.vision_head import Head, find_head, with_new_head
from biaskit.models.vision_input import Described, VisionInput
from biaskit.models.vision_network import Ending, VisionNetwork
from biaskit.models.vision_sites import find_sites
from biaskit.records.audit_spec import Subject
from biaskit.records.probe_set import Modality
from biaskit.records.report import SubjectRecord
from biaskit.records.site import Site
from biaskit.saliency.classifier import Score, Sensitivity
from biaskit.saliency.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

K = TypeVar("K", bound=Hashable)
_ONE_LOGIT = "The model gives one logit, read as two classes: 0 for the first, the logit for the second."
_COARSE = "The model runs in {}, so activations and logits lie on a coarse grid."
_FROM_PROBABILITIES = "The model ends in {}; its logits are computed back from probabilities."


@dataclass(frozen=True, slots=True, eq=False)
class VisionParts:
    """What a vision adapter is put together from.

    Attributes:
        module: The model.
        described: What it takes, its classes and declared layouts.
        settings: How it was opened.
        source: What was opened.
        folder: The local folder it was read from.
        config: What else tells it from another model with the same weights, as one string.
        draw: Returns the same architecture with weights drawn from a seed; None where nobody can.
        notes: What was noticed while it was opened.
    """

    module: nn.Module
    described: Described
    settings: Subject
    source: Source
    folder: Path | None = None
    config: str = ""
    draw: Callable[[int], nn.Module] | None = None
    notes: tuple[str, ...] = field(default=())


class VisionAdapter:
    """An image classifier, as `biaskit.protocols.VisionModel` describes it.

    It always runs in evaluation mode and leaves mode, weights, their gradients and flags as they were. Rows
    come back in the order of the pixels, float32, on the CPU, whatever the batching.
    """

    modality: ClassVar[Modality] = Modality.IMAGE

    def __init__(self, parts: VisionParts) -> None:
        self._parts = parts
        self._network = VisionNetwork(parts.module, parts.described.input)
        probe = self._network.probe()
        count = probe.logits.shape[1]
        self._classes = _class_names(parts.described.classes, count)
        self._sites = find_sites(parts.module, probe.runs, self.size, parts.described.layouts)
        self._found_head = find_head(probe)
        self._batcher = Batcher(parts.settings.batch_size)
        self._notes = (*parts.notes, *_notes(self._network, count), *self._sites.notes)

    @property
    def module(self) -> nn.Module:
        """The torch module."""
        return self._parts.module

    @cached_property
    def subject(self) -> SubjectRecord:
        """What was loaded; the first look digests the weights."""
        return _describe(self._parts, len(self._sites.points), self._width)

    @property
    def settings(self) -> Subject:
        """How the model was opened."""
        return self._parts.settings

    @property
    def folder(self) -> Path | None:
        """The local folder the model was read from; None for a model that was handed over."""
        return self._parts.folder

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the results should know, one sentence each."""
        return (*self._notes, *self._batcher.notes)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the logits; numbers where nobody named them."""
        return self._classes

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the pixels it takes."""
        return self._network.input.size

    @property
    def input(self) -> VisionInput:
        """What it takes: size, normalisation, how images are resized."""
        return self._network.input

    def prepare(self, images: Sequence[Image]) -> Float[Tensor, "n c h w"]:
        """Resize and crop as the model's own config says; values in [0, 1], not yet normalised.

        Raises:
            RequestError: There is no image.
        """
        return self._network.input.prepare(images)

    def sites(self) -> tuple[Site, ...]:
        """Every site, bottom first; of some of them the layout may be unclear."""
        return tuple(self._sites.points)

    def spatial_sites(self) -> tuple[Site, ...]:
        """The sites whose layout is clear, bottom first; empty for a model without spatial axes."""
        return self._sites.spatial()

    def locate(self, site: Site) -> nn.Module:
        """The module whose output is the activation at `site`.

        Raises:
            UnknownNameError: The model has no such site; near names are given.
            LayoutError: It has no spatial axes anywhere.
        """
        return self._sites.find(site).module

    def path(self, site: Site) -> str:
        """Dotted path of that module.

        Raises:
            UnknownNameError: The model has no such site; near names are given.
            LayoutError: It has no spatial axes anywhere.
        """
        return self._sites.find(site).path

    def layout(self, site: Site) -> Layout:
        """How the activation at `site` lies over the image.

        Raises:
            LayoutError: Two readings of its shape tie, or the model has no spatial axes anywhere.
            UnknownNameError: The model has no such site.
        """
        return self._sites.layout(site)

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Run one batch, in the caller's gradient mode and on the caller's graph; float32.

        Raises:
            RequestError: The pixels do not fit the model.
        """
        return self._network.logits(pixels)

    def logits(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Logits of any number of images, without gradients, in batches; float32 on the CPU.

        Raises:
            RequestError: There is no image, or the pixels do not fit the model.
            ActivationError: A logit is NaN or infinite.
        """
        with forward_only(self.module):
            found = self._gathered(pixels, lambda rows: {"logits": self._network.logits(pixels[rows])})
        require_finite(found["logits"], "the logits")
        return found["logits"]

    def sensitivity(
        self, pixels: Float[Tensor, "n c h w"], score: Score, sites: Sequence[Site]
    ) -> Sensitivity:
        """Run forward and backward once a batch and return score, activations and gradients at `sites`.

        The score of all rows is asked for at each batch, with zeros as logits of the rows outside it, so that
        it may know its rows by number; what it gives for those is not looked at. Where a site does not reach
        the score its gradient is 0. Nothing below the lowest site is kept for the backward pass.

        Raises:
            LayoutError, UnknownNameError: As `layout`.
            RequestError: There is no image, or the pixels do not fit the model.
            RunError: The score depends on none of the sites.
            ActivationError: A logit or gradient is NaN or infinite.
        """
        layouts = {site: self.layout(site) for site in sites}
        places = {site: self.locate(site) for site in sites}

        def step(rows: list[int]) -> dict[object, Tensor]:
            with capture(self.module, places, gradient=True) as seen:
                logits = self._network.logits(pixels[rows].detach())
                scores = _scored(score, logits, rows, len(pixels))
                gradients = _gradients(scores, [seen[site] for site in sites])
            out: dict[object, Tensor] = {"scores": scores.detach(), "logits": logits.detach()}
            for site, gradient in zip(sites, gradients, strict=True):
                out["activation", site] = layouts[site].to_nchw(seen[site].detach())
                out["gradient", site] = layouts[site].to_nchw(gradient)
            return out

        with torch.inference_mode(mode=False), at_rest(self.module, frozen=True):
            found = self._gathered(pixels, step)
        for key, values in found.items():
            require_finite(values, key if isinstance(key, str) else f"{key[1]} ({key[0]})")  # type: ignore[index]
        activations, gradients = (
            {site: found[kind, site] for site in sites} for kind in ("activation", "gradient")
        )
        return Sensitivity(found["scores"], found["logits"], activations, gradients)

    def attentions(self, pixels: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n a t t"], ...]:
        """Attention weights of every block, bottom first; the model runs with eager attention for it.

        Raises:
            RequestError: The model has no attention that can be read.
        """
        with forward_only(self.module):
            found = self._gathered(
                pixels,
                lambda rows: dict(enumerate(attentions_of(self.module, self._network.taken(pixels[rows])))),
            )
        return tuple(found.values())

    def features(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """What the classifier head (the last linear layer) is given; float32 on the CPU.

        Raises:
            RequestError: The model does not end in a linear layer that gives its logits.
            ActivationError: A feature is NaN or infinite.
        """
        layer = self._head().layer

        def step(rows: list[int]) -> dict[str, Tensor]:
            with capture(self.module, {"features": layer}, read="input", stop=True) as seen:
                self._network.raw(pixels[rows])
            return seen

        with forward_only(self.module):
            found = self._gathered(pixels, step)
        require_finite(found["features"], "the head's input")
        return found["features"]

    def head(self) -> tuple[Float[Tensor, "k d"], Float[Tensor, " k"]]:
        """Weight and bias of the classifier head: logits = features weight^T + bias.

        Of a model whose output is probabilities this holds but for a number that all classes share.

        Raises:
            RequestError: The model does not end in a linear layer that gives its logits.
        """
        return self._head().weights()

    def with_head(self, weight: Float[Tensor, "k d"], bias: Float[Tensor, " k"]) -> VisionAdapter:
        """Return the same model with another head; this one is left as it is, the other weights are shared.

        Raises:
            RequestError: The model does not end in a linear layer that gives its logits, or it does not fit.
        """
        module = with_new_head(self.module, self._head(), weight, bias)
        return self._sibling(module, "other head")

    def reinitialised(self, seed: int) -> VisionAdapter:
        """Return a random-weights twin: same architecture, input and classes, weights drawn from `seed`.

        Raises:
            RequestError: Nothing says how this model's weights were first drawn.
        """
        if self._parts.draw is None:
            raise RequestError(
                f"'{self.subject.name}' has no random-weights twin.",
                why="It holds weights of which nothing says how they were first drawn.",
                fix="Open it by its name or with its factory, or leave the random-weights control out.",
            )
        return self._sibling(self._parts.draw(seed), f"random weights, seed {seed}")

    @property
    def _width(self) -> int:
        return 0 if isinstance(self._found_head, RequestError) else self._found_head.layer.in_features

    def _head(self) -> Head:
        if isinstance(self._found_head, RequestError):
            raise self._found_head
        return self._found_head

    def _sibling(self, module: nn.Module, words: str) -> VisionAdapter:
        source = Source(f"{self._parts.source.name} ({words})", f"{self._parts.source.label} ({words})")
        renamed = self.settings.model_copy(update={"model": source.name, "revision": None})
        return VisionAdapter(
            replace(self._parts, module=module, source=source, settings=renamed, folder=None)
        )

    def _gathered(
        self, pixels: Float[Tensor, "n c h w"], step: Callable[[list[int]], Mapping[K, Tensor]]
    ) -> dict[K, Tensor]:
        """Run `step` over batches and put its rows one below the other, float32, on the CPU."""
        if not len(pixels):
            raise RequestError("There is no image to look at.")
        out: dict[K, Tensor] = {}
        for rows, found in self._batcher.run([1] * len(pixels), step):
            for key, value in found.items():
                if key not in out:
                    # Made outside inference mode, so that callers may differentiate through what they get.
                    with torch.inference_mode(mode=False):
                        out[key] = torch.empty((len(pixels), *value.shape[1:]), dtype=torch.float32)
                out[key][rows] = value.float().cpu()
        return out


def _scored(score: Score, logits: Float[Tensor, "b k"], rows: list[int], count: int) -> Float[Tensor, " b"]:
    everywhere = logits.new_zeros(count, logits.shape[1]).index_copy(
        0, torch.tensor(rows, device=logits.device), logits
    )
    return score(everywhere)[rows]


def _gradients(scores: Float[Tensor, " b"], activations: list[Tensor]) -> list[Tensor]:
    if not activations:
        return []
    if not scores.requires_grad:
        raise RunError(
            "The score depends on none of the sites.",
            why="No activation among them reaches the logits, or the score is constant.",
            fix="Choose other sites, and a score that is differentiable.",
        )
    found: Sequence[Tensor | None] = torch.autograd.grad(scores.sum(), activations, allow_unused=True)
    return [
        torch.zeros_like(seen) if grad is None else grad
        for seen, grad in zip(activations, found, strict=True)
    ]


def _class_names(given: tuple[str, ...], count: int) -> tuple[str, ...]:
    if count == 1 and len(given) < 2:
        return (f"not {given[0]}", given[0]) if given else ("0", "1")
    wanted = max(count, 2)
    if given and len(given) != wanted:
        raise RequestError(
            f"{len(given)} classes are named and the model has {wanted}.",
            fix="Name one class for each logit, in their order.",
        )
    if len(set(given)) != len(given):
        raise RequestError("Two classes have the same name.", fix="Give each class a name of its own.")
    return given or tuple(map(str, range(count)))


def _notes(network: VisionNetwork, count: int) -> list[str]:
    notes = (
        [] if network.dtype is torch.float32 else [_COARSE.format(str(network.dtype).removeprefix("torch."))]
    )
    if network.ending is not Ending.LOGITS:
        notes.append(_FROM_PROBABILITIES.format(network.ending))
    return [*notes, _ONE_LOGIT] if count == 1 else notes


def _describe(parts: VisionParts, sites: int, width: int) -> SubjectRecord:
    module, source = parts.module, parts.source
    weights = list(module.parameters())
    return SubjectRecord(
        name=source.name,
        source=source.label,
        revision=parts.settings.revision,
        architecture=getattr(getattr(module, "config", None), "model_type", type(module).__name__),
        layout=f"{sites} sites with spatial axes, found by a probing pass",
        layers=sites,
        width=width,
        parameters=sum(weight.numel() for weight in weights),
        dtype=str(weights[0].dtype if weights else torch.float32).removeprefix("torch."),
        device=str(weights[0].device if weights else "cpu"),
        fingerprint=_fingerprint(parts),
    )


def _fingerprint(parts: VisionParts) -> str:
    if parts.folder is not None and (parts.folder / "config.json").is_file():
        return fingerprint.of_folder(parts.folder)
    config = f"{parts.config}\0{parts.described.input}\0{parts.described.classes}"
    return fingerprint.of_module(parts.module, config)
