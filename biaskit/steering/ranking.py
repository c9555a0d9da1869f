"""Which latents carry an attribute: attributions of a probe's probability, with their controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from biaskit.concepts.integrated_gradients import LatentProbe, summed
from biaskit.concepts.site_autoencoder import SiteAutoencoder
from biaskit.concepts.site_rows import per_image
from biaskit.concepts.step_probe import StepProbe, fit_step_probe, require_every_class
from biaskit.steering.trajectories import Trajectories

LEFT = 0.05
"""Share of a class's variance that must be left beside all else for the two to be parted."""


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """Latents and activations of labelled images along their trajectories.

    Attributes:
        latents: Mean latents of each image, by timestep.
        rows: Mean activations of each image, by timestep.
        labels: The class of each image.
        classes: Names of the classes.
        apart: What else sets images apart, one column of 0 and 1 for each noun or other class.
    """

    latents: Mapping[float, Float[Tensor, "n s"]]
    rows: Mapping[float, Float[Tensor, "n d"]]
    labels: Int[Tensor, " n"]
    classes: tuple[str, ...]
    apart: Float[ndarray, "n m"]

    @classmethod
    def of(
        cls,
        autoencoder: SiteAutoencoder,
        seen: Trajectories,
        classes: Sequence[str],
        apart: Sequence[Sequence[str] | Int[ndarray, " n"]] = (),
    ) -> Codes:
        """Encode trajectories; with a row a place, latents and rows are averaged over places.

        `apart` gives values of each image, such as the noun of its prompt or its class in another attribute:
        differences between classes are taken with these held equal.
        """
        latents = {
            step: per_image(autoencoder.sae.encode(rows), seen.images) for step, rows in seen.rows.items()
        }
        rows = {step: seen.by_image(step) for step in seen.rows}
        columns = [np.asarray(values) == one for values in apart for one in np.unique(values)]
        table = np.array([np.ones(seen.images), *columns], dtype=float).T
        return cls(latents, rows, seen.labels, tuple(classes), table)

    def part(self, which: Int[Tensor, " m"]) -> Codes:
        """Return some of the images."""
        return Codes(
            {step: one[which] for step, one in self.latents.items()},
            {step: one[which] for step, one in self.rows.items()},
            self.labels[which],
            self.classes,
            self.apart[which.numpy()],
        )

    def relabelled(self, labels: Int[Tensor, " n"]) -> Codes:
        """Return the same images under other labels."""
        return Codes(self.latents, self.rows, labels, self.classes, self.apart)

    def contrasts(self) -> Float[Tensor, "k n"]:
        """Return the weights of the images by which a class differs from the others, all else held equal.

        `w = r / |r|^2` with r what least squares on `apart` leaves of the class's indicator, so that
        `sum_i w_i x_i` is the coefficient of the class in a regression of x on it and on `apart` (Frisch and
        Waugh 1933); without anything apart it is the plain difference of means. So it is where `apart` tells
        the class almost by itself, and the two cannot be parted.
        """
        return torch.stack([self._contrast(number) for number in range(len(self.classes))])

    def _contrast(self, number: int) -> Float[Tensor, " n"]:
        shows = (self.labels == number).double().numpy()
        plain = shows - shows.mean()
        left = shows - self.apart @ np.linalg.lstsq(self.apart, shows, rcond=None)[0]
        kept = left if left @ left >= LEFT * (plain @ plain) else plain
        return torch.from_numpy(kept / max(float(kept @ kept), 1e-12))

    def differences(self) -> Float[Tensor, "k t s"]:
        """Latents of each class less those of all others at each timestep, all else held equal."""
        weights = self.contrasts()
        return torch.stack([weights.to(one.dtype) @ one for one in self.latents.values()], dim=1)

    def directions(self) -> Float[Tensor, "k t d"]:
        """Activations of each class less those of all others at each timestep, all else held equal."""
        weights = self.contrasts()
        return torch.stack([weights.to(one.dtype) @ one for one in self.rows.values()], dim=1)


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """How much each latent carries each class.

    Attributes:
        scores: Integrated gradients of the class's probability, summed over its images and all timesteps and
            divided by the number of its images: probability that a latent brings in, over the trajectory.
        probes: The probe of each timestep.
    """

    scores: Float[Tensor, "k s"]
    probes: tuple[StepProbe, ...]

    def top(self, number: int, count: int) -> tuple[int, ...]:
        """Return the latents that bring class `number` in most, most first; only those above 0."""
        scores = self.scores[number]
        order = torch.argsort(scores, descending=True, stable=True)[:count].tolist()
        return tuple(latent for latent in order if scores[latent] > 0)


def rank(codes: Codes, autoencoder: SiteAutoencoder) -> Ranking:
    """Fit a probe at each timestep and attribute its probability to the latents.

    The baseline of an image of class c is the mean code of the images of all other classes, so that a latent
    counts for what sets the class apart. Closed form, see `biaskit.concepts.integrated_gradients`.

    Raises:
        RequestError: A class is too rare.
    """
    require_every_class(codes.labels, codes.classes)
    dictionary, offset = autoencoder.sae.dictionary, autoencoder.offset
    probes = [fit_step_probe(rows, codes.labels, codes.classes, step) for step, rows in codes.rows.items()]
    total = torch.zeros(len(codes.classes), dictionary.shape[0], dtype=torch.float64)
    for fitted, latents in zip(probes, codes.latents.values(), strict=True):
        through = LatentProbe.through(dictionary, offset, fitted.probe)
        for number in range(len(codes.classes)):
            own = codes.labels == number
            start = latents[~own].mean(dim=0, keepdim=True)
            labels = torch.full((int(own.sum()),), number)
            total[number] += summed(through, latents[own], labels, start)[number] / int(own.sum())
    return Ranking(total, tuple(probes))


@dataclass(frozen=True, slots=True)
class Top:
    """The latents that are asked for.

    Attributes:
        number: The class they bring in.
        count: How many.
    """

    number: int
    count: int


@dataclass(frozen=True, slots=True)
class Overlap:
    """Latents that two halves of the images name alike.

    Attributes:
        shared: Share of the top latents of one half that are top of the other, in [0, 1].
        by_chance: What they share on average where the labels of the other half are shuffled.
        p: How often those share as many or more, `(1 + #) / (draws + 1)`.
        tops: Top latents of each half.
    """

    shared: float
    by_chance: float
    p: float
    tops: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())


def split_half(
    codes: Codes, autoencoder: SiteAutoencoder, asked: Top, rng: np.random.Generator, draws: int
) -> Overlap:
    """Rank every second image of each class and the others by themselves, and compare the top latents.

    Latents that fire often come out on top whatever the labels are, so two sets drawn at random share far
    less than two halves do under labels that mean nothing. The null therefore shuffles the labels of one half
    and ranks it again: exact where labels and images have nothing to do with each other.
    """
    halves: list[list[int]] = [[], []]
    for value in range(len(codes.classes)):
        own = torch.nonzero(codes.labels == value)[:, 0].tolist()
        halves[0] += own[::2]
        halves[1] += own[1::2]
    first, second = (codes.part(torch.tensor(half)) for half in halves)

    def top(part: Codes) -> tuple[int, ...]:
        return rank(part, autoencoder).top(asked.number, asked.count)

    def shared(other: tuple[int, ...]) -> float:
        return len({*ones} & {*other}) / max(min(len(ones), len(other)), 1)

    ones, others = top(first), top(second)

    orders = [torch.from_numpy(rng.permutation(second.labels.numpy())) for _ in range(draws)]
    chance = np.array([shared(top(second.relabelled(labels))) for labels in orders])
    observed = shared(others)
    p = (1 + int((chance >= observed - 1e-12).sum())) / (draws + 1)
    return Overlap(observed, float(chance.mean()), p, (ones, others))


def shuffled_scores(
    codes: Codes, autoencoder: SiteAutoencoder, rng: np.random.Generator, draws: int
) -> Float[ndarray, "draws k"]:
    """Return the largest attribution of any latent to each class under shuffled labels, draw by draw."""
    found = []
    for _ in range(draws):
        labels = torch.from_numpy(rng.permutation(codes.labels.numpy()))
        found.append(rank(codes.relabelled(labels), autoencoder).scores.amax(dim=1).numpy())
    return np.stack(found)
