"""An analyzer under check: its analyses of a null and of a plant, each made once and watched."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from biaskit import analyzers
from biaskit.records.calibration import Planting
from biaskit.records.probe_set import Modality
from biaskit.runner.specimens import Bench, Specimen, bench
from biaskit.testing.traces import traces

if TYPE_CHECKING:
    from pydantic import JsonValue

    from biaskit.protocols import Analyzer
    from biaskit.records.finding import Analysis

_PLANTS = {Modality.IMAGE: "attributes", Modality.TEXT_TO_IMAGE: "shares"}
STRONG = {
    "associations": (1.0,),
    "choices": (1.0,),
    "labels": (0.5,),
    "attributes": (0.8,),
    "shares": (),
    "turns": (0.9,),
}


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """An analysis with what it was made of.

    Attributes:
        specimen: What was analysed.
        analyzer: What analysed it.
        analysis: What was found.
        before: Traces before it.
        after: Traces after it.
        printed: What it wrote to the standard output.
    """

    specimen: Specimen
    analyzer: Analyzer
    analysis: Analysis
    before: Mapping[str, str]
    after: Mapping[str, str]
    printed: str


class Subject:
    """An analyzer's class on a bench; every analysis is made once, however many checks look at it."""

    def __init__(
        self,
        kind: type[Analyzer],
        settings: Mapping[str, JsonValue] | None = None,
        shown: Bench | None = None,
        seed: int = 0,
    ) -> None:
        self.kind, self.seed = kind, seed
        self._given, self._shown = settings or {}, shown

    @property
    def planting(self) -> Planting | None:
        """How the analyzer says that it is planted."""
        found = getattr(self.kind, "planting", None)
        return found if isinstance(found, Planting) else None

    @property
    def plant(self) -> str:
        """The kind of plant it is shown."""
        fitting = _PLANTS.get(getattr(self.kind, "modality", Modality.TEXT), "associations")
        return self.planting.plant if self.planting else fitting

    @cached_property
    def bench(self) -> Bench:
        """Where its specimens come from."""
        return self._shown or bench(self.plant)

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings that it is checked with."""
        planting = self.planting
        return {**(planting.lean | planting.quick if planting else {}), **self._given}

    @cached_property
    def analyzer(self) -> Analyzer:
        """The analyzer with these settings."""
        return analyzers.make(self.kind, self.settings)

    @cached_property
    def null(self) -> Watched:
        """Its analysis where there is nothing to find."""
        return self._watched(self._null())

    @cached_property
    def again(self) -> Watched:
        """The same once more, from the start."""
        return self._watched(self._null())

    @cached_property
    def planted(self) -> Watched:
        """Its analysis of strong plants."""
        return self._watched(self.bench.planted(self.seed, STRONG[self.plant]))

    def fresh(self) -> Specimen:
        """Return a null that was not looked at."""
        return self._null()

    def _null(self) -> Specimen:
        make = next(iter(self.bench.nulls.values()))
        return make(self.seed)

    def _watched(self, specimen: Specimen) -> Watched:
        module, printed = specimen.model.module, io.StringIO()
        analyzer, before = specimen.fitted(self.analyzer), traces(module)
        with redirect_stdout(printed):
            analysis = analyzer.analyze(specimen.session)
        return Watched(specimen, analyzer, analysis, before, traces(module), printed.getvalue())
