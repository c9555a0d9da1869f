"""What a specimen is, and what a bench of them offers."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from biaskit.protocols import Analyzer, ModelAdapter
from biaskit.records.finding import Finding


@dataclass(frozen=True, slots=True, eq=False)
class Specimen:
    """A session in which it is known what there is to find.

    Attributes:
        kind: Where it comes from, such as `random concepts`.
        session: What an analyzer is handed.
        dose: The signed dose of what a finding is about; None where nothing is known of it.
        settings: Settings that the analyzer takes for this specimen alone, such as a file made for it.
    """

    kind: str
    session: Any
    dose: Callable[[Finding], float | None]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def fitted(self, analyzer: Analyzer) -> Analyzer:
        """Return the analyzer with the settings that the specimen brings."""
        whole: Any = analyzer
        made: Analyzer = replace(whole, **self.settings) if self.settings else analyzer
        return made

    @property
    def model(self) -> ModelAdapter:
        """The model of the session."""
        model: ModelAdapter = self.session.model
        return model


class Bench(Protocol):
    """Specimens of one organism.

    Attributes:
        unit: What doses count in.
        signed: Whether a dose has a sign that a finding must share.
        tunable: Whether any dose can be planted; else the organism's own are.
        nulls: By kind, a function from a seed to a specimen in which there is nothing to find.
    """

    unit: str
    signed: bool
    tunable: bool
    nulls: Mapping[str, Callable[[int], Specimen]]

    @property
    def subjects(self) -> Mapping[str, str]:
        """Name and fingerprint of what is looked at."""

    def planted(self, seed: int, doses: Sequence[float]) -> Specimen:
        """Plant `doses`, or where they cannot be chosen the organism's own."""

    def empty(self) -> Any:
        """Return a session with a model and nothing to look at."""


def nothing(_: Finding) -> float:
    """Return the dose of a null."""
    return 0.0


def folder_of(owner: object) -> Path:
    """Return a new folder that goes when its owner does."""
    made = Path(tempfile.mkdtemp(prefix="biaskit-specimens-"))
    weakref.finalize(owner, shutil.rmtree, made, ignore_errors=True)
    return made
