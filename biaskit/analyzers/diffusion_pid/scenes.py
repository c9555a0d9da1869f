"""The images that a target is measured on: drawn by the model itself, or the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

from biaskit.errors import NothingAuditedError

if TYPE_CHECKING:
    from biaskit.analyzers.diffusion_pid.wordings import Wording
    from biaskit.images.image_set import ImageSet
    from biaskit.protocols import Sampling
    from biaskit.session import DiffusionSession


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Images of one prompt.

    Attributes:
        prompt: What they show.
        names: One name an image, unique in the run.
        latents: What is denoised.
        pixels: The images, in [0, 1].
    """

    prompt: str
    names: tuple[str, ...]
    latents: Float[Tensor, "n c h w"]
    pixels: Float[Tensor, "n rgb y x"]

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.names)


@dataclass(frozen=True, slots=True, eq=False)
class Painter:
    """Draws images, or takes those that were given.

    Attributes:
        session: Model, seed and images of the user's own.
        sampling: How images are drawn.
    """

    session: DiffusionSession
    sampling: Sampling

    def draw(self, prompt: str, count: int, *, whose: str, first: int = 0) -> Scene:
        """Draw images of a prompt.

        Image `first + i` of one owner starts from the same noise whatever the prompt. Each owner has noises
        of its own: a draw that leans by chance is then one owner's luck and not that of all of them.
        """
        numbers = range(first, first + count)
        seeds = [int(self.session.rng(f"draw/{whose}/{number}").integers(2**62)) for number in numbers]
        drawn = self.session.model.draw([prompt] * count, seeds, self.sampling)
        names = tuple(f"{prompt} #{number}" for number in numbers)
        return Scene(prompt, names, drawn.latents, drawn.pixels)

    def of_target(self, target: str, worded: Sequence[Wording], each: int) -> tuple[Scene, ...]:
        """Return one scene a template: images drawn for the target alone, or the user's own in equal parts.

        Raises:
            NothingAuditedError: Images were given, and too few of this target.
        """
        if not self.session.images:
            return tuple(
                self.draw(wording.alone, each, whose=target, first=place * each)
                for place, wording in enumerate(worded)
            )
        own = [(images, row) for images in self.session.images for row in _rows(images, target)]
        if len(own) < len(worded):
            raise NothingAuditedError(
                f"'{target}' has {len(own)} images, and {len(worded)} templates.",
                fix="Give at least one image a template, or leave the images out: the model then draws them.",
            )
        parts = [own[place :: len(worded)][:each] for place in range(len(worded))]
        return tuple(self._read(wording.alone, part) for wording, part in zip(worded, parts, strict=True))

    def _read(self, prompt: str, part: Sequence[tuple[ImageSet, int]]) -> Scene:
        latents = self.session.model.encode_images([images.pictures.read(row) for images, row in part])
        names = tuple(f"{images.name}/{images.pictures.name(row)}" for images, row in part)
        return Scene(prompt, names, latents, self.session.model.decode(latents))


def _rows(images: ImageSet, target: str) -> list[int]:
    return [row for row, label in enumerate(images.labels) if label == target]
