"""The findings about one question: how well it is read, by what, where, and what the controls reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from biaskit.analyzers.sparse_probing.floors import SHUFFLED
from biaskit.analyzers.sparse_probing.long_table import JUDGED, JUDGED_COLUMNS, from_folds
from biaskit.analyzers.sparse_probing.measure import SHIFT
from biaskit.analyzers.sparse_probing.methods import LOGISTIC, in_words
from biaskit.analyzers.sparse_probing.results import DENSE, LATENTS, mean_validation
from biaskit.analyzers.sparse_probing.shuffles import (
    BEST_SITE,
    CHOSEN_ANEW,
    REFITTED,
    against_shuffles,
    at_best_site,
    at_chosen_site,
    at_one_site,
    mean_of_shuffles,
)
from biaskit.analyzers.sparse_probing.text_table import TextTable
from biaskit.analyzers.sparse_probing.wrong_rows import wrong_rows
from biaskit.concepts.probe_auc import clustered_auc
from biaskit.probing.comparison import difference_on_one
from biaskit.probing.evaluation import Evaluation, best_of
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Direction, Finding, FromRows, Statistic

if TYPE_CHECKING:
    from biaskit.analyzers.sparse_probing.questions import Question
    from biaskit.analyzers.sparse_probing.results import Result, Results
    from biaskit.records.site import Site
    from biaskit.records.table import Cell

CONTROL_METRICS = {
    "shuffled labels": "shuffled",
    "random coordinates": "random_coordinates",
    "random weights": "random_weights",
    "bag of words": "bag_of_words",
    "length": "length",
}
SHOWN_CONTROLS = {"shuffled", "random_coordinates"}
SHOWN_K = 4
CHANCE = 0.5
NEAR = 0.01
"""A probe of few latents that comes this near to the dense probe reads as well, for `k_needed`."""
ROUNDING = 1e-12
"""What a mean over folds may fall short by and still come as near: AUCs of small folds tie exactly."""


@dataclass(frozen=True, slots=True)
class Scribe:
    """Writes the findings about one question.

    Attributes:
        results: Everything that was measured.
        question: What was told apart.
        focus: The site at which methods are compared.
        given: Whether that site was given, and not chosen among several on these very rows.
        judged: The AUC of each fold or shuffle behind the numbers; it grows with the findings.
        texts: What was measured of each text; likewise.
    """

    results: Results
    question: Question
    focus: Site
    given: bool
    judged: list[tuple[Cell, ...]] = field(default_factory=list)
    texts: TextTable = field(default_factory=TextTable)

    @property
    def direction(self) -> Direction:
        """A sensitive attribute should not be readable; a concept may."""
        return Direction.LOWER if self.question.sensitive else Direction.NONE

    def findings(self) -> Iterator[Finding]:
        """Yield the findings, those for the first page first."""
        yield from self._chosen_layer()
        yield from self._dense()
        yield from self._sparse()
        yield from self._shifted()
        yield from self._controls()
        yield from self._each()

    def baselines(self) -> dict[str, Evaluation]:
        """Return the dense probes at the focus site, by name."""
        found = [one for one in self.results.where(self.question) if one.view in DENSE and one.k is None]
        return {one.evaluation.probe: one.evaluation for one in found if one.site == self.focus}

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
            if one.k is None
        }
        if not by_site:
            return
        best = best_of(by_site)
        if len(by_site) > 1 and all(fold.validation_auc is None for fold in best.folds):
            missing = nothing(Unit.AUC, "there are no inner folds to choose a site on")
            yield self.finding("chosen_layer_auc", missing, in_words(LOGISTIC), None, headline=True)
            return
        chosen = Counter(str(fold.values["chosen"]) for fold in best.folds).most_common(1)[0][0]
        estimate = self._auc(best, f"layer chosen inside the folds, mostly {chosen}")
        estimate = against_shuffles(estimate, best, at_chosen_site(self._shuffled()), CHOSEN_ANEW)
        rows = wrong_rows(self.question, best)
        yield self.finding(
            "chosen_layer_auc",
            estimate,
            in_words(LOGISTIC),
            None,
            headline=True,
            evidence=rows,
            rows=self._keep("chosen_layer_auc", in_words(LOGISTIC), None, aucs(best)),
        )

    def _dense(self) -> Iterator[Finding]:
        """Yield what logistic regression reads at the focus site, tested against shuffled labels."""
        evaluation = self.baselines().get(LOGISTIC)
        if evaluation is not None:
            shuffles, estimate = self._shuffled(), self._auc(evaluation)
            if self.given:
                reached, what = at_one_site(shuffles, self.focus), REFITTED
            else:
                reached, what = at_best_site(shuffles), BEST_SITE
            tested = against_shuffles(estimate, evaluation, reached, what)
            about = "auc", in_words(LOGISTIC), self.focus
            rows = self._keep(*about, aucs(evaluation))
            yield self.finding("auc", tested, *about[1:], headline=True, rows=rows)

    def _shuffled(self) -> list[Result]:
        """Return the dense probe on shuffled labels at every site."""
        return [one for one in self.results.where(self.question, control=SHUFFLED) if one.k is None]

    def _sparse(self) -> Iterator[Finding]:
        latents, baselines = self.latents(), self.baselines()
        if not latents or not baselines:
            return
        best = best_of(latents)
        group = "SAE latents, k chosen inside"
        rows = self._keep("auc", group, self.focus, aucs(best))
        yield self.finding("auc", self._auc(best), group, self.focus, headline=True, rows=rows)
        fixed = self.best_baseline()
        method = f"AUC of the SAE probe, k chosen inside, less that of {in_words(fixed)}, paired by fold"
        gain = difference_on_one(
            best.fold_scores(), baselines[fixed].fold_scores(), method, self.question.problem.grouping
        )
        group = f"less {in_words(fixed)}"
        rows = self._keep("sae_gain", group, self.focus, aucs(best), aucs(baselines[fixed]))
        yield self.finding("sae_gain", gain, group, self.focus, headline=True, rows=rows)
        needed, rows = self._k_needed(), self._keep_path()
        yield self.finding("k_needed", needed, "SAE latents", self.focus, headline=True, rows=rows)

    def _k_needed(self) -> Estimate:
        dense = self._auc(self.baselines()[LOGISTIC])
        if dense.value is None or dense.interval is None or dense.interval.low <= CHANCE:
            return nothing(Unit.COUNT, "logistic regression itself is not shown to read it")
        enough = [
            evaluation.folds[0].k
            for evaluation in self.latents().values()
            if evaluation.auc is not None and evaluation.auc >= dense.value - NEAR - ROUNDING
        ]
        known = [k for k in enough if k is not None]
        if not known:
            return nothing(Unit.COUNT, f"no number of latents comes within {NEAR} of logistic regression")
        return Estimate(
            value=float(min(known)),
            unit=Unit.COUNT,
            n=dense.n,
            resampling_unit=dense.resampling_unit,
            method=f"fewest latents within {NEAR} AUC of logistic regression on all coordinates",
            reason="it is read off the path of k, whose AUCs have intervals of their own",
        )

    def _controls(self) -> Iterator[Finding]:
        for control, metric in CONTROL_METRICS.items():
            for name, results in self._by_name(self.results.where(self.question, control=control)).items():
                yield self.finding(
                    metric,
                    self._floor(results),
                    name,
                    results[0].site,
                    headline=metric in SHOWN_CONTROLS,
                    direction=Direction.NONE,
                    rows=self._keep(metric, name, results[0].site, _floors(results)),
                )

    def _by_name(self, found: Iterable[Result]) -> dict[str, list[Result]]:
        """Gather results at the focus site, or at none, by probe; of each path over k the k nearest 4."""
        named: dict[tuple[str, str], list[Result]] = {}
        for one in found:
            if one.site in {None, self.focus}:
                named.setdefault((one.view, one.evaluation.probe), []).append(one)
        kept = [[one for one in own if one.k == _shown_k(own)] for own in named.values()]
        return {_name(own[0]): own for own in kept}

    def _floor(self, results: Sequence[Result]) -> Estimate:
        """Return the one result with its interval, or the mean of several shuffles with their range."""
        if len(results) == 1:
            return self._auc(results[0].evaluation)
        return mean_of_shuffles([one.evaluation for one in results])

    def _each(self) -> Iterator[Finding]:
        for result in self.results.where(self.question):
            if result.evaluation.probe != LOGISTIC or result.site != self.focus:
                about = (_name(result), result.site)
                rows = from_folds(result, "auc")
                yield self.finding("auc", self._auc(result.evaluation), *about, rows=rows)
            gap, rows = self._optimism(result.evaluation), from_folds(result, "optimism")
            yield self.finding("optimism", gap, _name(result), result.site, rows=rows)

    def _shifted(self) -> Iterator[Finding]:
        """Yield what probes trained on a data set's own texts read of its shifted texts."""
        for result in self.results.where(self.question, regime=SHIFT):
            about = "shifted_auc", _name(result), result.site
            rows = self._keep(*about, aucs(result.evaluation))
            auc = self._auc(result.evaluation)
            yield self.finding("shifted_auc", auc, *about[1:], headline=True, rows=rows)

    def _keep(
        self,
        metric: str,
        group: str,
        site: Site | None,
        own: Sequence[float | None],
        other: Sequence[float | None] = (),
    ) -> FromRows:
        """Keep the AUC of each fold, or of each shuffle, and say that a number is their mean."""
        about: tuple[Cell, ...] = (self.question.name, metric, group, str(site) if site else None)
        pairs = zip(own, other or [None] * len(own), strict=True)
        self.judged.extend((*about, place, None, *both) for place, both in enumerate(pairs))
        where = dict(zip(JUDGED_COLUMNS, about, strict=False))
        return FromRows(table=JUDGED, column="auc", where=where, less="other" if other else "")

    def _keep_path(self) -> FromRows:
        """Keep what every number of latents reaches on each fold, and what it must reach there."""
        about: tuple[Cell, ...] = (self.question.name, "k_needed", "SAE latents", str(self.focus))
        enough = [None if auc is None else auc - NEAR for auc in aucs(self.baselines()[LOGISTIC])]
        for evaluation in self.latents().values():
            pairs = enumerate(zip(aucs(evaluation), enough, strict=True))
            self.judged.extend((*about, fold, evaluation.folds[fold].k, *both) for fold, both in pairs)
        return FromRows(
            table=JUDGED,
            column="auc",
            where=dict(zip(JUDGED_COLUMNS, about, strict=False)),
            statistic=Statistic.THRESHOLD,
            less="other",
            beside="k",
        )

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


def aucs(evaluation: Evaluation) -> list[float | None]:
    """Return the test AUC of each fold; None where its test rows lack a class."""
    return [fold.metrics.auc for fold in evaluation.folds]


def _floors(results: Sequence[Result]) -> list[float | None]:
    """Return the folds of the one result, or the mean of each of several."""
    if len(results) == 1:
        return aucs(results[0].evaluation)
    return [one.evaluation.auc for one in results]


def _shown_k(results: Sequence[Result]) -> int | None:
    ks = [one.k for one in results if one.k is not None]
    return min(ks, key=lambda k: abs(k - SHOWN_K), default=None)


def _name(result: Result) -> str:
    """Return how a reader meets a probe: its name, or what its k coordinates are."""
    if result.k is None:
        return in_words(result.evaluation.probe)
    what = "SAE latents" if result.view == LATENTS else f"{result.view} coordinates"
    return f"{what}, {result.evaluation.variant}"


def nothing(unit: Unit, reason: str) -> Estimate:
    """Return an estimate that could not be measured."""
    return Estimate(
        value=None, unit=unit, n=0, resampling_unit="nothing", method="not measured", reason=reason
    )
