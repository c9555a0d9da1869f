"""Training a sparse autoencoder of a site on activations streamed out of generation; nothing is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.concepts.sae_training import Architecture, SaeTraining, StreamedTraining, TrainedOn
from biaskit.concepts.site_autoencoder import Explained, SiteAutoencoder, SiteRecord
from biaskit.errors import RequestError
from biaskit.steering.trajectories import Asked, Look, Place

if TYPE_CHECKING:
    from biaskit.protocols import DenoisingModel
    from biaskit.records.progress import Progress

FEWEST_IMAGES = 64


@dataclass(frozen=True, slots=True)
class Learning:
    """How an autoencoder is trained.

    Attributes:
        images: Images that are drawn for it; as many again in a sixth are held out to judge it.
        latents: Number of latents.
        active: Latents that fire for a row, exactly (`topk`) or on average (`batchtopk`).
        architecture: `batchtopk` is read with a threshold, so that some latents can be read alone.
        passes: How often each row is seen.
        batch: Rows of a step.
        buffer: Rows that are held at once, from which batches are mixed.
        seed: Seed of the weights and of the first image.
    """

    images: int = 384
    latents: int = 512
    active: int = 24
    architecture: Architecture = "batchtopk"
    passes: float = 8.0
    batch: int = 256
    buffer: int = 4096
    seed: int = 0

    def check(self) -> None:
        """Raise a RequestError where nothing could be learnt."""
        if self.images < FEWEST_IMAGES or min(self.batch, self.buffer) < 1 or self.passes <= 0:
            raise RequestError(
                f"An autoencoder cannot be trained on {self.images} images.",
                fix=f"Give at least {FEWEST_IMAGES} images, one row a batch and more than no pass.",
            )


@dataclass(eq=False)
class _Buffer:
    """A fixed number of rows; a full one gives batches of rows at random and makes room for new ones."""

    size: int
    rng: torch.Generator
    rows: Tensor | None = None

    def take(self, rows: Float[Tensor, "n d"]) -> None:
        held = rows if self.rows is None else torch.cat([self.rows, rows])
        if len(held) > self.size:
            held = held[torch.randperm(len(held), generator=self.rng)[: self.size]]
        self.rows = held

    def batch(self, count: int) -> Float[Tensor, "b d"]:
        if self.rows is None:
            raise RequestError("There is no row to learn from.")
        return self.rows[torch.randint(len(self.rows), (count,), generator=self.rng)]


def learn(
    model: DenoisingModel,
    place: Place,
    prompts: Sequence[str],
    settings: Learning,
    progress: Progress | None = None,
) -> SiteAutoencoder:
    """Draw images of `prompts` and train on what passes the site; memory does not grow with the images.

    Rows of every step go through a buffer of fixed size. What is explained at each timestep, and which
    latents never fire, is measured on images of further seeds. Latents that fall silent are trained on what
    the others miss (AuxK, sae-lens). The same seed gives the same weights.

    Raises:
        RequestError: The settings cannot be trained.
    """
    settings.check()
    asked, look = Asked.of(prompts, settings.images, settings.seed), Look(place.layout)
    rng = torch.Generator().manual_seed(settings.seed)
    mixed = _Mixed(model, place, settings, _Buffer(settings.buffer, rng))
    parts = list(asked.batches(model.batch_size))
    for part in parts if progress is None else progress.track(parts, "learning features", len(parts)):
        model.draw(part.prompts, part.seeds, place.sampling, {place.site: look})
        mixed.learn(torch.cat(list(look.kept.values())), len(part))
    held_out = Asked.of(prompts, max(settings.images // 6, 24), settings.seed + settings.images)
    return mixed.judged(held_out)


@dataclass(eq=False)
class _Mixed:
    """Trains on a buffer that rows flow through."""

    model: DenoisingModel
    place: Place
    settings: Learning
    buffer: _Buffer
    trainer: StreamedTraining | None = None
    owed: float = 0.0

    def learn(self, fresh: Float[Tensor, "n d"], images: int) -> None:
        """Take in rows of some images, and as many steps as they pay for."""
        self.buffer.take(fresh)
        if self.trainer is None:
            rows = len(fresh) * self.settings.images / images
            self.trainer = StreamedTraining(fresh, self._training(rows), self._source())
        self.owed += len(fresh) * self.settings.passes / self.settings.batch
        while self.owed >= 1:
            self.trainer.step(self.buffer.batch(self.settings.batch))
            self.owed -= 1

    def judged(self, held_out: Asked) -> SiteAutoencoder:
        """Say on other images what the autoencoder explains, and put it together with its record."""
        if self.trainer is None:
            raise RequestError("No image was drawn to learn from.")
        sae, look = self.trainer.finish(), Look(self.place.layout)
        seen = Explained(sae)
        for part in held_out.batches(self.model.batch_size):
            self.model.draw(part.prompts, part.seeds, self.place.sampling, {self.place.site: look})
            for timestep, each in look.kept.items():
                seen.add(timestep, each)
        explained, dead = seen.found()
        record = SiteRecord(
            model=self.model.subject.fingerprint,
            site=self.place.site,
            layout=self.place.layout,
            shape=look.shape,
            timesteps=(min(seen.moments), max(seen.moments)),
            images=self.settings.images,
            explained=explained,
            dead=dead,
        )
        return SiteAutoencoder(sae, record)

    def _training(self, rows: float) -> SaeTraining:
        return SaeTraining(
            d_sae=self.settings.latents,
            k=self.settings.active,
            architecture=self.settings.architecture,
            steps=max(int(rows * self.settings.passes / self.settings.batch), 1),
            batch=self.settings.batch,
            seed=self.settings.seed,
        )

    def _source(self) -> TrainedOn:
        return TrainedOn(self.place.site, self.model.subject.name, prepend_bos=False)
