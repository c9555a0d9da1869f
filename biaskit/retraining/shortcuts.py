"""What a network trained on images with a planted shortcut makes of the shortcut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from biaskit.images.image_set import Part
from biaskit.images.planting import Plant, Planted
from biaskit.retraining.examples import Examples
from biaskit.retraining.group_accuracy import GroupAccuracy, accuracy_of, predict
from biaskit.retraining.rule import Rule
from biaskit.stats.shortcut import ShortcutScore, randomised_auc, shortcut_score

Planter = Callable[[float, float], Plant]
"""From predictivity (rho) and availability to what is planted."""

WEAK = 1e4


@dataclass(frozen=True, slots=True)
class ShortcutProbe:
    """What one network makes of one planted shortcut, on images it was not trained on.

    Attributes:
        score: Reliance beyond that of a classifier that is fitted on the true digit and context.
        odds_shift: Mean rise of the log-odds (nats) of the class that a context implies, when that context is
            put in place of another and nothing else is changed.
        without_shortcut: AUC with the context drawn anew (S-randomised): what the network knows besides.
        shortcut_alone: AUC, for the class that the context implies, with everything else apart from it
            (S^c-randomised).
        accuracy: Accuracy by group of class x context.
        majority: Accuracy where the context is at home with the class.
        minority: Accuracy elsewhere.
    """

    score: ShortcutScore
    odds_shift: float
    without_shortcut: float
    shortcut_alone: float
    accuracy: GroupAccuracy
    majority: float
    minority: float


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of the grid of predictivity x availability.

    Attributes:
        rho: Share of training images whose context agrees with the label.
        availability: What the planter was told, such as the patch's side in pixels.
        probes: One probe for each seed.
    """

    rho: float
    availability: float
    probes: tuple[ShortcutProbe, ...]

    @property
    def value(self) -> float | None:
        """Mean shortcut score over seeds; None where it could not be measured."""
        found = [probe.score.value for probe in self.probes if probe.score.value is not None]
        return float(np.mean(found)) if found else None

    @property
    def odds_shift(self) -> float:
        """Mean shift of the log-odds over seeds, in nats."""
        return float(np.mean([probe.odds_shift for probe in self.probes]))


@dataclass(frozen=True, slots=True)
class Grid:
    """Where to look: every predictivity with every availability, each with every seed.

    Attributes:
        rhos: Shares of training images that agree with the label.
        availabilities: Steps of availability, as the planter reads them.
        seeds: Seeds of drawing, weights and batches.
    """

    rhos: Sequence[float] = (0.5, 0.7, 0.9, 0.95, 0.99)
    availabilities: Sequence[float] = (8.0,)
    seeds: Sequence[int] = (0, 1, 2)


def patch_of(rho: float, availability: float) -> Plant:
    """Plant a coloured patch of `availability` pixels a side on grey noise."""
    return Plant(rho=rho, side=round(availability), nuisance=False)


def shortcut_grid(
    rule: Rule, build: Callable[[int], nn.Module], planter: Planter = patch_of, grid: Grid = Grid()
) -> tuple[Cell, ...]:
    """Train a network at each place of a grid and measure the shortcut score there.

    Args:
        rule: How it is trained; few steps show availability, many let the core feature win.
        build: From a seed to a fresh network.
        planter: What is planted for a predictivity and an availability.
        grid: The places, and the seeds at each.
    """
    return tuple(
        Cell(rho, step, tuple(_trained(rule, build, planter(rho, step), seed) for seed in grid.seeds))
        for rho in grid.rhos
        for step in grid.availabilities
    )


def probe(network: nn.Module, planted: Planted, seed: int = 0) -> ShortcutProbe:
    """Measure a network on the test images of planted data.

    Args:
        network: A trained network; it gives logits, or an object with `.logits`.
        planted: The images; contexts should be balanced over classes in the test part.
        seed: Seed by which contexts are drawn anew.
    """
    rows = planted.rows(Part.TEST)
    labels, implied = planted.labels[rows], planted.implied[rows]
    logits = predict(network, as_pixels(planted.images[rows]))
    answers = _numbers(logits)
    anew = np.random.default_rng(seed).permutation(planted.contexts[rows])
    mixed = _numbers(predict(network, as_pixels(planted.swapped(rows, anew))))
    said = answers.argmax(axis=1)
    minority = planted.minority[rows]
    return ShortcutProbe(
        score=shortcut_score(said, _reference(planted, rows), labels, implied, planted.clusters[rows]),
        odds_shift=_odds_shift(network, planted, rows),
        without_shortcut=randomised_auc(mixed, labels),
        shortcut_alone=randomised_auc(answers, implied),
        accuracy=accuracy_of(logits, examples_of(planted, Part.TEST)),
        majority=float((said == labels)[~minority].mean()),
        minority=float((said == labels)[minority].mean()),
    )


def examples_of(planted: Planted, part: Part) -> Examples:
    """Return the images of a part as pixels in [0, 1], with labels and groups (class x context)."""
    rows = planted.rows(part)
    labels, groups = (torch.from_numpy(column[rows]) for column in (planted.labels, planted.groups))
    return Examples(as_pixels(planted.images[rows]), labels.long(), groups.long())


def as_pixels(images: UInt8[ndarray, "n h w 3"]) -> Float[Tensor, "n 3 h w"]:
    """Return 8-bit images as pixels in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float() / 255


def _trained(rule: Rule, build: Callable[[int], nn.Module], plant: Plant, seed: int) -> ShortcutProbe:
    planted = Plant(**(plant.as_dict() | {"seed": seed})).draw()
    generator = torch.Generator().manual_seed(seed)
    network = rule.train(build(seed), examples_of(planted, Part.TRAIN), generator)
    return probe(network, planted, seed)


def _reference(planted: Planted, rows: Int[ndarray, " m"]) -> Int[ndarray, " m"]:
    """What a logistic regression says that is fitted on the true class and context of training images."""
    plant, train = planted.plant, planted.rows(Part.TRAIN)
    latents = np.concatenate(
        [np.eye(plant.classes)[planted.labels], np.eye(plant.contexts)[planted.contexts]], axis=1
    )
    solver = LogisticRegression(C=WEAK, max_iter=1000).fit(latents[train], planted.labels[train])
    said: ndarray = solver.predict(latents[rows])
    return said


def _odds_shift(network: nn.Module, planted: Planted, rows: Int[ndarray, " m"]) -> float:
    """Mean rise of the log-odds of what a context implies, over all pairs of contexts that differ in that."""
    contexts = range(planted.plant.contexts)
    sure = [
        _numbers(predict(network, as_pixels(planted.swapped(rows, np.full(len(rows), context)))))
        for context in contexts
    ]
    implied = [context % planted.plant.classes for context in contexts]
    shifts = [
        (_odds(sure[here], implied[here]) - _odds(sure[there], implied[here])).mean()
        for here, there in permutations(contexts, 2)
        if implied[here] != implied[there]
    ]
    return float(np.mean(shifts))


def _odds(logits: Float[ndarray, "n k"], label: int) -> Float[ndarray, " n"]:
    """Log-odds of a class, in nats."""
    return np.asarray(logits[:, label] - np.logaddexp.reduce(np.delete(logits, label, axis=1), axis=1))


def _numbers(logits: Float[Tensor, "n k"]) -> Float[ndarray, "n k"]:
    values: ndarray = logits.double().numpy()
    return values
