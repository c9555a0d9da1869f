"""Where images come from: drawn by the model from known seeds, or the user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.records.probe_set import SLOT

if TYPE_CHECKING:
    from PIL import Image

    from biaskit.images.image_set import ImageSet
    from biaskit.protocols import Sampling
    from biaskit.session import DiffusionSession

SEED_STRIDE = 100_003


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some images.

    Attributes:
        names: One name an image.
        prompts: What each was drawn for; the target's name for images of the user's own.
        pixels: The images, in [0, 1]; those of the user's own may differ in size.
        latents: What was denoised, or what the user's own images are to the denoiser; None where not wanted.
        captions: Captions that came with the images; empty where none did.
        known: Attributes that came with the images, by name.
    """

    names: tuple[str, ...]
    prompts: tuple[str, ...]
    pixels: tuple[Float[Tensor, "rgb _ _"], ...]
    latents: Float[Tensor, "n c h w"] | None = None
    captions: tuple[str, ...] = ()
    known: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Supply(Protocol):
    """Gives the images of nouns, always the same ones in the same order."""

    def available(self, target: str) -> int | None:
        """Return how many images of a target there are; None where there is no end."""

    def take(self, target: str, nouns: Sequence[str], first: int, count: int) -> Batch:
        """Return images `first` to `first + count` of a target."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Draws: image i of every target has the i-th seed and the i-th template in turn.

    So images of two targets, or of one model before and after a change, are compared in pairs that start from
    the same noise.

    Attributes:
        session: Model and seed.
        sampling: How images are drawn.
        templates: The templates.
    """

    session: DiffusionSession
    sampling: Sampling
    templates: tuple[str, ...]

    def available(self, target: str) -> int | None:
        """Return None: there is no end."""
        del target
        return None

    def take(self, target: str, nouns: Sequence[str], first: int, count: int) -> Batch:
        """Draw images `first` to `first + count`."""
        del target
        numbers = range(first, first + count)
        prompts = [
            self.templates[i % len(self.templates)].replace(SLOT, nouns[i % len(nouns)]) for i in numbers
        ]
        start = self.session.seed * SEED_STRIDE
        drawn = self.session.model.draw(prompts, [start + i for i in numbers], self.sampling)
        names = tuple(f"{prompt} #{start + i}" for prompt, i in zip(prompts, numbers, strict=True))
        return Batch(names, tuple(prompts), tuple(drawn.pixels), drawn.latents)


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """Takes images of the user's own whose label is the target.

    Attributes:
        images: The sets of images.
        encode: From images to what is denoised; None where that is not wanted.
    """

    images: tuple[ImageSet, ...]
    encode: Callable[[Sequence[Image.Image]], Float[Tensor, "n c h w"]] | None = None

    def available(self, target: str) -> int | None:
        """Return how many images carry the target's label."""
        return len(self._rows(target))

    def take(self, target: str, nouns: Sequence[str], first: int, count: int) -> Batch:
        """Read images `first` to `first + count`."""
        del nouns
        rows = self._rows(target)[first : first + count]
        attributes = {name for one in self.images for name in one.attributes}
        known = {
            name: tuple(one.attributes[name][row] if name in one.attributes else "" for one, row in rows)
            for name in attributes
        }
        read = [one.pictures.read(row) for one, row in rows]
        return Batch(
            names=tuple(f"{one.name}/{one.pictures.name(row)}" for one, row in rows),
            prompts=(target,) * len(rows),
            pixels=tuple(_pixels(each) for each in read),
            latents=None if self.encode is None else self.encode(read),
            captions=tuple(one.captions[row] if one.captions else "" for one, row in rows),
            known=known,
        )

    def _rows(self, target: str) -> list[tuple[ImageSet, int]]:
        return [(one, row) for one in self.images for row, label in enumerate(one.labels) if label == target]


def _pixels(image: Image.Image) -> Float[Tensor, "3 y x"]:
    table = np.asarray(image.convert("RGB"), dtype=np.float32) / 255
    return torch.from_numpy(table).permute(2, 0, 1).contiguous()
