"""Choices between the words of two poles behind a noun, as a file that a behavioural benchmark reads.

What is planted is what `associations` plants: the embeddings of neutral nouns are moved until the log-odds of
the poles have shifted by the dose. Each noun is an attribute of a word probe whose templates are the pair's
stems, and the other neutral nouns are its neutral attributes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from biaskit.hooks.store import ActivationStore
from biaskit.records.probe_set import TARGET_SLOT
from biaskit.runner.specimens.associations import Associations
from biaskit.runner.specimens.specimen import Specimen, folder_of, nothing
from biaskit.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    from biaskit.protocols import LanguageModel
    from biaskit.records.finding import Finding
    from biaskit.session import Comparison


class Choices:
    """Specimens of `organism:reviews`, each with a word probe in the setting `log_probability`."""

    unit = "nat"
    signed = True
    tunable = True

    def __init__(self, folder: Path | None = None) -> None:
        self._associations = Associations(folder)
        self._files = folder_of(self)
        self.nulls: Mapping[str, Callable[[int], Specimen]] = {
            "random concepts": self._random_concepts,
            "random weights": self._random_weights,
        }

    @property
    def subjects(self) -> Mapping[str, str]:
        """Name and fingerprint of the organism."""
        return self._associations.subjects

    def planted(self, seed: int, doses: Sequence[float]) -> Specimen:
        """Give each handful of neutral nouns one of `doses`, with either sign."""
        model, compared, shifts = self._associations.moved(seed, doses)

        def dose(finding: Finding) -> float | None:
            return shifts.get(finding.group or "")

        return self._specimen("weight edit", model, compared, seed, dose)

    def empty(self) -> Session:
        """Return a session with a model and nothing to look at."""
        return self._associations.empty()

    def _random_concepts(self, seed: int) -> Specimen:
        return self._null("random concepts", self._associations.model, seed)

    def _random_weights(self, seed: int) -> Specimen:
        return self._null("random weights", self._associations.model.reinitialised(seed), seed)

    def _null(self, kind: str, model: LanguageModel, seed: int) -> Specimen:
        compared = self._associations.handfuls(seed, np.random.default_rng([seed, 0]))
        return self._specimen(kind, model, compared, seed, nothing)

    def _specimen(
        self,
        kind: str,
        model: LanguageModel,
        compared: Comparison,
        seed: int,
        dose: Callable[[Finding], float | None],
    ) -> Specimen:
        session = Session(model, (), ActivationStore(None), seed=seed)
        return Specimen(kind, session, dose, {"log_probability": self._written(compared)})

    def _written(self, compared: Comparison) -> str:
        """Write the word probe of a comparison and return its path."""
        targets, pair = compared.targets, compared.pair
        stems = pair.stems[targets.noun_class]
        probe = {
            "name": "planted",
            "templates": [f"{stem.replace(TARGET_SLOT, '{attribute}')} {{target}}." for stem in stems],
            "targets": {pole: pair.continuations[pole] for pole in pair.poles},
            "attributes": [noun for nouns in targets.targets.values() for noun in nouns],
            "neutral": compared.controls.fillers,
        }
        text = json.dumps(probe)
        # The analysis records the path: the same words must have the same one.
        file = self._files / f"{sha256(text.encode()).hexdigest()[:16]}.json"
        file.write_text(text, encoding="utf-8")
        return str(file)
