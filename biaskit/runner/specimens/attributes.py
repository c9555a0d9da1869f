"""Attributes of images that say, as often as the dose wants, whether the classifier is right.

The classifier of an organism is right on some images and wrong on others. An attribute of an image repeats
that with probability `rho` and says the opposite otherwise, so that its accuracy differs between the two
values by `rho a / (rho a + (1 - rho)(1 - a)) - (1 - rho) a / ((1 - rho) a + rho (1 - a))`, a being its
accuracy; that is the dose, and with rho = 0.5 the attribute says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool
from numpy import ndarray
from torch import Tensor

from biaskit import models, organisms
from biaskit.images.image_set import ImageSet, Part
from biaskit.protocols import VisionModel
from biaskit.records.finding import Finding
from biaskit.runner.specimens.specimen import Specimen, nothing
from biaskit.session import VisionSession

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = 12
_BATCH = 256


class Attributes:
    """Specimens of `organism:shapes`, or of one that was built like it."""

    unit = "proportion"
    signed = False
    tunable = True

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or organisms.folder("shapes")
        self.nulls: Mapping[str, Callable[[int], Specimen]] = {
            "random attributes": self._random_attributes,
            "random weights": self._random_weights,
        }

    @cached_property
    def _model(self) -> VisionModel:
        model = models.load(str(self._folder))
        if not isinstance(model, VisionModel):
            raise TypeError(f"'{self._folder.name}' is no image classifier")
        return model

    @cached_property
    def _images(self) -> ImageSet:
        return organisms.images(self._folder)

    @cached_property
    def _right(self) -> Bool[ndarray, " n"]:
        """Whether the classifier is right on each image."""
        images, classes = self._images, list(self._model.classes)
        found: list[Tensor] = []
        for start in range(0, len(images), _BATCH):
            rows = range(start, min(start + _BATCH, len(images)))
            pixels = self._model.prepare([images.pictures.read(row) for row in rows])
            found.append(self._model.logits(pixels).argmax(dim=1))
        labels = torch.tensor([classes.index(label) for label in images.labels])
        right: ndarray = (torch.cat(found) == labels).numpy()
        return right

    @property
    def subjects(self) -> Mapping[str, str]:
        """Name and fingerprint of the organism."""
        return {f"organism:{self._folder.name}": self._model.subject.fingerprint}

    def planted(self, seed: int, doses: Sequence[float]) -> Specimen:
        """Give the images one attribute for each of `doses`."""
        rng = np.random.default_rng([seed, 4])
        test = np.array([part is Part.TEST for part in self._images.parts])
        accuracy = float(self._right[test].mean())
        columns, named = {}, {}
        for number, asked in enumerate(doses):
            name, share = f"attribute {number + 1}", (1 + asked) / 2
            columns[name] = self._column(share, rng)
            named[name] = _gap(share, accuracy)

        def dose(finding: Finding) -> float | None:
            return named.get(finding.group or "")

        return Specimen("attributes", self._session(self._model, columns, seed), dose)

    def empty(self) -> VisionSession:
        """Return a session with a model and nothing to look at."""
        return VisionSession(self._model, ())

    def _random_attributes(self, seed: int) -> Specimen:
        return Specimen(
            "random attributes", self._session(self._model, self._noise(seed), seed), _of_attributes
        )

    def _random_weights(self, seed: int) -> Specimen:
        twin = self._model.reinitialised(seed)
        return Specimen("random weights", self._session(twin, self._noise(seed), seed), _of_attributes)

    def _noise(self, seed: int) -> dict[str, tuple[str, ...]]:
        rng = np.random.default_rng([seed, 5])
        return {f"attribute {number + 1}": self._column(0.5, rng) for number in range(COLUMNS)}

    def _column(self, share: float, rng: np.random.Generator) -> tuple[str, ...]:
        agrees = rng.random(len(self._right)) < share
        return tuple(
            "one" if right == same else "other" for right, same in zip(self._right, agrees, strict=True)
        )

    def _session(
        self, model: VisionModel, columns: Mapping[str, tuple[str, ...]], seed: int
    ) -> VisionSession:
        return VisionSession(model, (replace(self._images, attributes=columns),), seed=seed)


def _gap(share: float, accuracy: float) -> float:
    """Return the difference in accuracy between the two values of an attribute."""
    hit, miss = share * accuracy, (1 - share) * (1 - accuracy)
    fallen, kept = (1 - share) * accuracy, share * (1 - accuracy)
    return hit / (hit + miss) - fallen / (fallen + kept)


def _of_attributes(finding: Finding) -> float | None:
    """Return the dose of a finding about an attribute alone; classes may differ whatever is drawn."""
    return nothing(finding) if (finding.group or "").startswith("attribute ") else None
