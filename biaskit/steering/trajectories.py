"""What a denoiser's site holds while images are drawn, and which class each finished image shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from biaskit.concepts.site_rows import Layout, per_image, rows_of
from biaskit.protocols import PLAINLY, Sampling
from biaskit.records.site import Site

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biaskit.hooks.moments import Moment, SampleEdit
    from biaskit.protocols import AttributeClassifier, DenoisingModel, Drawing


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model is read and edited.

    Attributes:
        site: The site.
        layout: How its activation becomes rows.
        sampling: How images are drawn.
    """

    site: Site
    layout: Layout = "map"
    sampling: Sampling = PLAINLY


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Who draws, where it is read and edited, and who tells what an image shows.

    Attributes:
        model: The model.
        place: Where it is read and edited.
        classifier: Who tells the classes.
    """

    model: DenoisingModel
    place: Place
    classifier: AttributeClassifier

    def draw(self, asked: Asked, edit: SampleEdit | None = None) -> Float[Tensor, "n rgb y x"]:
        """Draw images, under an edit at the place or without one."""
        return self.drawn(asked, edit).pixels

    def drawn(self, asked: Asked, edit: SampleEdit | None = None) -> Drawing:
        """Draw images with their latents, under an edit at the place or without one."""
        edits = None if edit is None else {self.place.site: edit}
        return self.model.draw(asked.prompts, asked.seeds, self.place.sampling, edits)


@dataclass(frozen=True, slots=True)
class Asked:
    """Images to draw: one prompt and one seed each.

    Attributes:
        prompts: The prompts.
        seeds: The seeds.
    """

    prompts: tuple[str, ...]
    seeds: tuple[int, ...]

    @classmethod
    def of(cls, prompts: Sequence[str], count: int, first: int) -> Asked:
        """Ask for `count` images of prompts in turn, with seeds from `first` on."""
        told = tuple(prompts[number % len(prompts)] for number in range(count))
        return cls(told, tuple(range(first, first + count)))

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.seeds)

    @property
    def names(self) -> tuple[str, ...]:
        """One name an image: its prompt and seed."""
        return tuple(f"{prompt} #{seed}" for prompt, seed in zip(self.prompts, self.seeds, strict=True))

    def first(self, count: int) -> Asked:
        """Return the first `count` images."""
        return Asked(self.prompts[:count], self.seeds[:count])

    def batches(self, size: int) -> Iterator[Asked]:
        """Yield parts of at most `size` images."""
        for start in range(0, len(self), size):
            yield Asked(self.prompts[start : start + size], self.seeds[start : start + size])


@dataclass(eq=False)
class Look:
    """An edit that only looks: it keeps the rows of the prompted images, step by step.

    Attributes:
        layout: How an activation becomes rows.
        every: Keeps one step in so many.
        kept: Rows of the latest batch, by timestep.
        shape: Shape of one image's activation.
    """

    layout: Layout
    every: int = 1
    kept: dict[float, Float[Tensor, "n d"]] = field(default_factory=dict)
    shape: tuple[int, ...] = ()

    def __call__(self, activation: Float[Tensor, "b ..."], moment: Moment) -> Float[Tensor, "b ..."]:
        """Keep and return what was given."""
        own = moment.prompted(activation)
        self.shape = tuple(own.shape[1:])
        if moment.step % self.every == 0:
            with torch.inference_mode(mode=False):
                self.kept[moment.timestep] = rows_of(own, self.layout).detach().float().cpu().clone()
        return activation


@dataclass(frozen=True, slots=True, eq=False)
class Trajectories:
    """Rows of some images along their trajectories.

    Attributes:
        rows: One row a place of an image, by timestep, noisiest first.
        images: How many images there are.
        pixels: The finished images.
        probabilities: What the classifier makes of them.
        shape: Shape of one image's activation.
    """

    rows: Mapping[float, Float[Tensor, "n d"]]
    images: int
    pixels: Float[Tensor, "images rgb y x"]
    probabilities: Float[Tensor, "images k"]
    shape: tuple[int, ...]

    @property
    def labels(self) -> Int[Tensor, " images"]:
        """The likeliest class of each image."""
        return self.probabilities.argmax(dim=1)

    def by_image(self, timestep: float) -> Float[Tensor, "images d"]:
        """Return the mean row of each image at a timestep."""
        return per_image(self.rows[timestep], self.images)


def follow(stage: Stage, asked: Asked, every: int = 1) -> Trajectories:
    """Draw images and keep their rows at every `every`-th step; for some hundreds of images."""
    kept: dict[float, list[Tensor]] = {}
    pixels: list[Tensor] = []
    look = Look(stage.place.layout, every)
    for part in asked.batches(stage.model.batch_size):
        pixels.append(stage.draw(part, look))
        for timestep, rows in look.kept.items():
            kept.setdefault(timestep, []).append(rows)
    images = torch.cat(pixels)
    ordered = {timestep: torch.cat(kept[timestep]) for timestep in sorted(kept, reverse=True)}
    return Trajectories(ordered, len(asked), images, stage.classifier.probabilities(images), look.shape)
