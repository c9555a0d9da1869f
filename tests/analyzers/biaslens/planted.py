"""What was planted in an organism, and how well numbers follow it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import linregress, spearmanr

from biaskit import catalogue
from biaskit.hooks.store import ActivationStore
from biaskit.records.probe_set import TargetSet
from biaskit.session import Comparison, Session

if TYPE_CHECKING:
    from pathlib import Path

    from biaskit.analyzers.biaslens.measured import Measured
    from biaskit.concepts.pole_tokens import PoleTokens
    from biaskit.records.reading import Reading


@dataclass(frozen=True)
class Plant:
    """An organism's folder, each ladder's doses, and the reading in which each was planted."""

    folder: Path
    doses: dict[str, dict[str, float]]
    readings: dict[str, Reading]


@dataclass(frozen=True)
class Planted:
    """One ladder's pair, measured, beside every ladder's doses."""

    session: Session
    comparison: Comparison
    tokens: PoleTokens
    measured: Measured
    doses: dict[str, dict[str, float]]

    @property
    def targets(self):
        """Targets of which a word was read."""
        return [target for target, columns in self.measured.nouns.columns.items() if columns]

    def dose(self, pair):
        """Doses of those targets on the ladder of `pair`."""
        return np.array([self.doses[pair][target] for target in self.targets])

    def by_target(self, cells):
        """Mean of each target's cells."""
        columns = self.measured.nouns.columns
        return np.array([cells[:, list(columns[target])].mean() for target in self.targets])

    def rank(self, cells, pair):
        """Spearman correlation of the targets' means with the doses of `pair`."""
        return float(spearmanr(self.by_target(cells), self.dose(pair))[0])

    def slope(self, cells, pair):
        """Nats of the targets' means for one unit of dose."""
        return float(linregress(self.dose(pair), self.by_target(cells)).slope)


def new_session(model, *comparisons, seed=0):
    """A session with a store of its own, in memory."""
    return Session(model, comparisons, ActivationStore(None), seed)


def all_targets(pair, names):
    """Compare every target of the catalogue that `names` lists on `pair`, as one family."""
    shipped = (catalogue.probe_set(name) for name in catalogue.probe_sets())
    sets = {target: one for one in shipped if isinstance(one, TargetSet) for target in one.targets}
    words = {name: sets[name].targets[name] for name in names}
    targets = sets[names[0]].model_copy(update={"name": "all-targets", "targets": words})
    return Comparison(targets, catalogue.reference_pair(pair), catalogue.probe_set(targets.controls))


def some_targets(pair, names, controls=40):
    """Compare a few targets with a few controls: quick, and still a whole comparison."""
    whole = all_targets(pair, names)
    few = whole.controls.model_copy(update={"fillers": whole.controls.fillers[:controls]})
    return Comparison(whole.targets, whole.pair, few)
