"""Shares of groups among drawn images: the ladder that `organism:portraits` was trained with.

The dose of an occupation is the log-odds of its first group, in nats; the organism's own are used, since no
other can be planted without training. The other attribute of a person leans nowhere: that is the null.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from biaskit import catalogue, models, organisms
from biaskit.protocols import DenoisingModel
from biaskit.records.finding import Finding
from biaskit.runner.specimens.specimen import Specimen, nothing
from biaskit.session import DiffusionSession, GroupComparison

if TYPE_CHECKING:
    from pathlib import Path

CONCEPTS = ("portrait-occupations",)
PLANTED, BALANCED = "portrait-gender", "portrait-age"


class Shares:
    """Specimens of `organism:portraits`, or of one that was built like it."""

    unit = "nat"
    signed = True
    tunable = False

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or organisms.folder("portraits")
        plant = json.loads((self._folder / "plant.json").read_text(encoding="utf-8"))
        self._doses = {word: float(np.log(share / (1 - share))) for word, share in plant["planted"].items()}
        self.nulls: Mapping[str, Callable[[int], Specimen]] = {"balanced attribute": self._balanced}
        if plant.get("null"):
            self.nulls = {"null twin": self._twin}

    @cached_property
    def _model(self) -> DenoisingModel:
        model = models.load(str(self._folder))
        if not isinstance(model, DenoisingModel):
            raise TypeError(f"'{self._folder.name}' draws no images")
        return model

    @property
    def subjects(self) -> Mapping[str, str]:
        """Name and fingerprint of the organism."""
        return {f"organism:{self._folder.name}": self._model.subject.fingerprint}

    def planted(self, seed: int, doses: Sequence[float] = ()) -> Specimen:
        """Return the organism's own ladder; `doses` cannot be chosen."""
        del doses

        def dose(finding: Finding) -> float | None:
            return self._doses.get(finding.concepts[0]) if finding.concepts else None

        return Specimen("ladder", self.session(PLANTED, seed), dose)

    def share(self, occupation: str) -> float:
        """Share of the first group that an occupation was planted with."""
        return float(1 / (1 + np.exp(-self._doses[occupation])))

    def empty(self) -> DiffusionSession:
        """Return a session with a model and nothing to look at."""
        return DiffusionSession(self._model)

    def _balanced(self, seed: int) -> Specimen:
        return Specimen("balanced attribute", self.session(BALANCED, seed), nothing)

    def _twin(self, seed: int) -> Specimen:
        return Specimen("null twin", self.session(PLANTED, seed), nothing)

    def session(self, groups: str, seed: int) -> DiffusionSession:
        """Return a session about the occupations by one set of groups."""
        asked = catalogue.drawn(CONCEPTS, (groups,))
        if asked is None:
            raise TypeError(f"'{CONCEPTS[0]}' is not for text-to-image models")
        sets = [one for _, one, _ in asked.comparisons]
        return DiffusionSession(
            self._model,
            tuple(GroupComparison(*one) for one in asked.comparisons),
            classifiers=tuple(
                models.load_classifier(str(self._folder), one.name, one.groups) for one in sets
            ),
            seed=seed,
        )
