"""The planted language: which words there are, what is tied to what, and how strongly."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biaskit.records.probe_set import ControlSet, ReferencePair, TargetSet
    from biaskit.records.reading import Reading


@dataclass(frozen=True, slots=True)
class Surfaces:
    """Sentences that make the text read like its genre and carry the nuisance attributes.

    Attributes:
        fixed: Whole sentences with no slot.
        nuisance: Sentences with `{target}` and `{attribute}`, and the two attributes to choose between.
    """

    fixed: tuple[str, ...]
    nuisance: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Language:
    """Everything a corpus is drawn from.

    Attributes:
        target_sets: The probe sets whose targets carry doses.
        controls: Neutral nouns; their dose is 0 on every ladder.
        pairs: Every reference pair the text speaks of.
        planted: The reading in which each planted pair is tied to the targets; the other reading of a
            planted pair, and every pair that is not named, is independent of the targets.
        doses: For each planted pair, each target's log-odds of the first pole, in nats.
        surfaces: The genre's sentences.
    """

    target_sets: tuple[TargetSet, ...]
    controls: ControlSet
    pairs: tuple[ReferencePair, ...]
    planted: Mapping[str, Reading]
    doses: Mapping[str, Mapping[str, float]]
    surfaces: Surfaces = field(repr=False)

    def exaggerated(self, factor: float) -> Language:
        """Return the language with every dose `factor` times as large."""
        doses = {
            pair: {target: factor * dose for target, dose in ladder.items()}
            for pair, ladder in self.doses.items()
        }
        return replace(self, doses=doses)

    def nouns(self) -> dict[str, str | None]:
        """Return every noun and its target; None for a control."""
        targets = {
            filler: target
            for target_set in self.target_sets
            for target, fillers in target_set.targets.items()
            for filler in fillers
        }
        return targets | dict.fromkeys(self.controls.fillers)

    def dose(self, pair: str, reading: Reading, target: str | None) -> float:
        """Return a noun's planted log-odds in one reading of a pair, in nats; 0 where nothing is planted."""
        if target is None or self.planted.get(pair) is not reading:
            return 0.0
        return self.doses[pair][target]
