"""The findings about one question: how well it is read, by what, where, and what the controls reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from biaskit.analyzers.sparse_probing.methods import LOGISTIC
from biaskit.analyzers.sparse_probing.results import LATENTS, NEURONS, RESIDUAL
from biaskit.analyzers.sparse_probing.wrong_rows import wrong_rows
from biaskit.concepts.probe_auc import clustered_auc
from biaskit.probing.comparison import difference_on_one
from biaskit.probing.evaluation import Evaluation, best_of
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Direction, Finding

if TYPE_CHECKING:
    from biaskit.analyzers.sparse_probing.questions import Question
    from biaskit.analyzers.sparse_probing.results import Result, Results
    from biaskit.records.site import Site

CONTROL_METRICS = {
    "shuffled labels": "shuffled",
    "random coordinates": "random_coordinates",
    "random weights": "random_weights",
    "bag of words": "bag_of_words",
    "length": "length",
}
NEAR = 0.01
"""A probe of few latents that comes this near to the dense probe reads as well, for `k_needed`."""


@dataclass(frozen=True, slots=True)
class Scribe:
    """Writes the findings about one question.

    Attributes:
        results: Everything that was measured.
        question: What was told apart.
        focus: The site at which methods are compared.
    """

    results: Results
    question: Question
    focus: Site

    @property
    def direction(self) -> Direction:
        """A sensitive attribute should not be readable; a concept may."""
        return Direction.LOWER if self.question.sensitive else Direction.NONE

    def findings(self) -> Iterator[Finding]:
        """Yield the findings, those for the first page first."""
        yield from self._chosen_layer()
        yield from self._sparse()
        yield from self._controls()
        yield from self._each()

    def baselines(self) -> dict[str, Evaluation]:
        """Return the dense probes at the focus site, by name."""
        found = self.results.where(self.question, view=RESIDUAL)
        return {
            one.evaluation.probe: one.evaluation for one in found if one.site == self.focus and one.k is None
        }

    def latents(self) -> dict[str, Evaluation]:
        """Return the probes of few latents at the focus site, by variant."""
        found = self.results.where(self.question, view=LATENTS)
        return {one.evaluation.variant: one.evaluation for one in found}

    def best_baseline(self) -> str:
        """Return the baseline with the best mean validation AUC."""
        return max(self.baselines().items(), key=lambda item: mean_validation(item[1]))[0]

    def finding(
        self, metric: str, estimate: Estimate, group: str, site: Site | None, **rest: object
    ) -> Finding:
        """Return a finding about the question; `rest` are further fields of `Finding`."""
        return Finding.model_validate(
            {
                "metric": f"sparse_probing.{metric}",
                "concepts": (self.question.name,),
                "site": site,
                "group": group,
                "direction": self.direction,
                "estimate": estimate,
            }
            | rest
        )

    def _chosen_layer(self) -> Iterator[Finding]:
        by_site = {
            str(one.site): one.evaluation
            for one in self.results.where(self.question, probe=LOGISTIC)
            if one.view != NEURONS and one.k is None
        }
        if not by_site:
            return
        best = best_of(by_site)
        chosen = Counter(str(fold.values["chosen"]) for fold in best.folds).most_common(1)[0][0]
        estimate = self._auc(best, f"layer chosen inside the folds, mostly {chosen}")
        rows = wrong_rows(self.question, best)
        yield self.finding(
            "chosen_layer_auc", estimate, "logistic regression", None, headline=True, evidence=rows
        )

    def _sparse(self) -> Iterator[Finding]:
        latents, baselines = self.latents(), self.baselines()
        if not latents or not baselines:
            return
        best = best_of(latents)
        group = "SAE latents, k chosen inside"
        yield self.finding("auc", self._auc(best), group, self.focus, headline=True)
        fixed = self.best_baseline()
        method = f"AUC of the SAE probe, k chosen inside, less that of {fixed}, paired by fold"
        gain = difference_on_one(
            best.fold_scores(), baselines[fixed].fold_scores(), method, self.question.problem.grouping
        )
        yield self.finding("sae_gain", gain, f"less {fixed}", self.focus, headline=True)
        yield self.finding("k_needed", self._k_needed(), "SAE latents", self.focus, headline=True)

    def _k_needed(self) -> Estimate:
        dense = self.baselines().get(LOGISTIC)
        level = None if dense is None else dense.auc
        enough = [
            evaluation.folds[0].k
            for evaluation in self.latents().values()
            if level is not None and evaluation.auc is not None and evaluation.auc >= level - NEAR
        ]
        known = [k for k in enough if k is not None]
        reason = "it is read off the path of k, whose AUCs have intervals of their own"
        if not known:
            reason = f"no number of latents that was tried comes within {NEAR} of logistic regression"
        return Estimate(
            value=float(min(known)) if known else None,
            unit=Unit.COUNT,
            n=len(np.unique(self.question.problem.groups)),
            resampling_unit=self.question.problem.grouping,
            method=f"fewest latents within {NEAR} AUC of logistic regression on all coordinates",
            reason=reason,
        )

    def _controls(self) -> Iterator[Finding]:
        for control, metric in CONTROL_METRICS.items():
            for result in self._last(self.results.where(self.question, control=control)):
                name = f"{result.evaluation.probe} {result.evaluation.variant}".strip()
                shown = metric in {"shuffled", "random_coordinates"}
                yield self.finding(
                    metric,
                    self._auc(result.evaluation),
                    name,
                    result.site,
                    headline=shown,
                    direction=Direction.NONE,
                )

    def _last(self, found: Iterable[Result]) -> list[Result]:
        """Keep each probe's largest variant, at the focus site or at none."""
        kept = {(one.evaluation.probe, one.view): one for one in found if one.site in (None, self.focus)}
        return list(kept.values())

    def _each(self) -> Iterator[Finding]:
        for result in self.results.where(self.question):
            name = (
                result.evaluation.probe if result.k is None else f"{result.view}, {result.evaluation.variant}"
            )
            yield self.finding("auc", self._auc(result.evaluation), name, result.site)
            yield self.finding("optimism", self._optimism(result.evaluation), name, result.site)

    def _auc(self, evaluation: Evaluation, how: str = "") -> Estimate:
        scores = evaluation.fold_scores()
        if not scores:
            return nothing(Unit.AUC, "no fold's test rows hold both classes")
        estimate = clustered_auc(scores, self.question.problem.grouping)
        stuck = sum(not fold.converged for fold in evaluation.folds)
        said = [estimate.method, how, f"{stuck} fits did not converge" if stuck else ""]
        return estimate.model_copy(update={"method": "; ".join(part for part in said if part)})

    def _optimism(self, evaluation: Evaluation) -> Estimate:
        gap = evaluation.optimism
        if gap is None:
            return nothing(Unit.AUC, "there are no inner folds")
        return Estimate(
            value=gap,
            unit=Unit.AUC,
            n=len(evaluation.folds),
            resampling_unit="folds",
            method="mean over folds of validation AUC less test AUC",
            reason="folds share rows; it describes the choice of settings and is not tested",
        )


def mean_validation(evaluation: Evaluation) -> float:
    """Return the mean validation AUC over splits; below any AUC where there is none."""
    known = [fold.validation_auc for fold in evaluation.folds if fold.validation_auc is not None]
    return float(np.mean(known)) if known else -1.0


def nothing(unit: Unit, reason: str) -> Estimate:
    """Return an estimate that could not be measured."""
    return Estimate(
        value=None, unit=unit, n=0, resampling_unit="nothing", method="not measured", reason=reason
    )
