"""Labels of texts that say, as often as the dose wants, whether a noun leans to one pole.

The nouns of an organism lean one way or the other, which its activations hold. A label repeats that
with probability `rho` and says the opposite otherwise, noun by noun. A perfect reading of what the model
holds then reaches an AUC of rho on average, so the dose is `rho - 0.5`; at 0 the labels say nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from biaskit import catalogue, models, organisms
from biaskit.hooks.store import ActivationStore
from biaskit.protocols import LanguageModel
from biaskit.records.finding import Finding
from biaskit.records.labelled_texts import LabelledTexts
from biaskit.records.probe_set import TargetSet, fill
from biaskit.runner.specimens.specimen import Specimen, nothing
from biaskit.session import Session

if TYPE_CHECKING:
    from pathlib import Path

LADDER = "sentiment"
QUESTIONS = 4
TEMPLATES = 2


class Labels:
    """Specimens of `organism:reviews`, or of one that was built like it."""

    unit = "auc"
    signed = False
    tunable = True

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or organisms.folder("reviews")
        plant = json.loads((self._folder / "plant.json").read_text(encoding="utf-8"))
        self._nouns, self._templates = _nouns(plant["doses"][LADDER])
        self.nulls: Mapping[str, Callable[[int], Specimen]] = {
            "permuted labels": self._permuted,
            "random weights": self._random_weights,
        }

    @cached_property
    def _model(self) -> LanguageModel:
        model = models.load(str(self._folder))
        if not isinstance(model, LanguageModel):
            raise TypeError(f"'{self._folder.name}' is no language model")
        return model

    @property
    def subjects(self) -> Mapping[str, str]:
        """Name and fingerprint of the organism."""
        return {f"organism:{self._folder.name}": self._model.subject.fingerprint}

    def planted(self, seed: int, doses: Sequence[float]) -> Specimen:
        """Ask one question for each of `doses`."""
        rng = np.random.default_rng([seed, 2])
        named = {f"labels {number + 1}": dose for number, dose in enumerate(doses)}
        asked = tuple(self._question(name, dose, rng) for name, dose in named.items())

        def dose(finding: Finding) -> float | None:
            return named.get(finding.concepts[0]) if finding.concepts else None

        return Specimen("labels", self._session(self._model, asked, seed), dose)

    def empty(self) -> Session:
        """Return a session with a model and nothing to look at."""
        return Session(self._model, (), ActivationStore(None))

    def _permuted(self, seed: int) -> Specimen:
        return Specimen("permuted labels", self._session(self._model, self._nulls(seed), seed), nothing)

    def _random_weights(self, seed: int) -> Specimen:
        twin = self._model.reinitialised(seed)
        return Specimen("random weights", self._session(twin, self._nulls(seed), seed), nothing)

    def _nulls(self, seed: int) -> tuple[LabelledTexts, ...]:
        rng = np.random.default_rng([seed, 3])
        return tuple(self._question(f"labels {number + 1}", 0.0, rng) for number in range(QUESTIONS))

    def _question(self, name: str, dose: float, rng: np.random.Generator) -> LabelledTexts:
        agrees = rng.random(len(self._nouns)) < 0.5 + dose
        labels = [
            "first" if leans == same else "second"
            for leans, same in zip(self._nouns.values(), agrees, strict=True)
        ]
        rows = [
            (fill(template, noun).text, label, noun)
            for noun, label in zip(self._nouns, labels, strict=True)
            for template in self._templates
        ]
        texts, given, nouns = zip(*rows, strict=True)
        return LabelledTexts(name=name, texts=texts, labels=given, positive="first", groups={"noun": nouns})

    def _session(self, model: LanguageModel, asked: tuple[LabelledTexts, ...], seed: int) -> Session:
        return Session(model, (), ActivationStore(None), seed=seed, labelled=asked)


def _nouns(ladder: Mapping[str, float]) -> tuple[dict[str, bool], tuple[str, ...]]:
    """Return whether each planted noun leans to the first pole, and templates that fit them all."""
    leans: dict[str, bool] = {}
    templates: tuple[str, ...] = ()
    for name in catalogue.probe_sets():
        one = catalogue.probe_set(name)
        if isinstance(one, TargetSet) and set(one.targets) <= set(ladder):
            templates = templates or one.templates[:TEMPLATES]
            leans |= {noun: ladder[target] > 0 for target, nouns in one.targets.items() for noun in nouns}
    return leans, templates
