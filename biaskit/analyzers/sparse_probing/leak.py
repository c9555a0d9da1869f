"""Leakage: can a sensitive attribute be read, and what of it is left after erasure?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from biaskit.analyzers.sparse_probing.long_table import from_folds
from biaskit.analyzers.sparse_probing.methods import LOGISTIC, dense, in_words
from biaskit.analyzers.sparse_probing.results import Result, Results
from biaskit.concepts.probe_auc import clustered_auc
from biaskit.errors import RequestError
from biaskit.probing.evaluation import Task
from biaskit.probing.leakage import Erasure, Leak, LeakageTest
from biaskit.probing.splits import GroupFolds
from biaskit.records.finding import Direction, Finding

if TYPE_CHECKING:
    from biaskit.analyzers.sparse_probing.bench import Bench, Place
    from biaskit.analyzers.sparse_probing.measure import Subject
    from biaskit.records.estimate import Estimate

ERASERS = {
    "mean-projection": Erasure.MEAN_PROJECTION,
    "leace": Erasure.LEACE,
    "inlp": Erasure.INLP,
}
METRICS = {Erasure.NONE: "leakage", Erasure.SHUFFLED: "leakage_shuffled"}
"""Names of what leaks and of its floor; what is left after an eraser is `leakage_erased`."""
CHANCE = 0.5
PROBES = (LOGISTIC, "mlp")
"""A linear and a non-linear reader: what the first no longer reads the second may."""


@dataclass(frozen=True, slots=True)
class Leakage:
    """What is read before and after each erasure.

    Attributes:
        results: Every probe on every fold, with the erasure as its control.
        findings: The AUC of each.
        sentences: The same in words, one an attribute.
    """

    results: Results
    findings: tuple[Finding, ...]
    sentences: tuple[str, ...]


def leakage_test(erasers: Sequence[str], inner_folds: int, *, apart: bool) -> LeakageTest:
    """Return the test with the named erasers between the untouched activations and the shuffled floor."""
    steps = (Erasure.NONE, *(ERASERS[name] for name in erasers), Erasure.SHUFFLED)
    return LeakageTest(steps, GroupFolds(inner_folds), apart)


def leakage(bench: Bench, subject: Subject, test: LeakageTest) -> Leakage:
    """Test every sensitive attribute at the focus site; one that no probe reads has nothing to erase."""
    results, findings, sentences = Results(), list[Finding](), list[str]()
    places = [place for place in subject.residual(subject.focus) if place.question.sensitive]
    for place in bench.session.progress.track(places, "erasing and reading again"):
        try:
            leaks = _leaks(bench, place, test)
        except RequestError as error:
            results.caveats.append(f"{place.question.name}: leakage was not measured. {error.what}")
            continue
        results.found += [_result(place, leak) for leak in leaks]
        found = [_finding(place, leak) for leak in leaks]
        if not any(map(_is_read, found)):
            results.notes.append(f"{place.question.name}: not shown to be readable, so nothing was erased.")
            found = [one.model_copy(update={"headline": False}) for one in found]
        else:
            sentences.append(_sentence(place, leaks, found))
        findings += found
    return Leakage(results, tuple(findings), tuple(sentences))


def _leaks(bench: Bench, place: Place, test: LeakageTest) -> tuple[Leak, ...]:
    """Read the untouched rows and the shuffled floor; erase where something is read."""
    question = place.question
    task = Task(place.rows, question.problem, bench.splits[question.name])
    probes = [dense(name) for name in PROBES]

    def run(steps: tuple[Erasure, ...]) -> tuple[Leak, ...]:
        rng = bench.session.rng(f"sparse-probing/leakage/{question.name}")
        return replace(test, erasures=steps).run(task, probes, rng)

    before = run((Erasure.NONE,))
    if not any(_is_read(_finding(place, leak)) for leak in before):
        return before
    return (*before, *run(tuple(step for step in test.erasures if step is not Erasure.NONE)))


def _is_read(finding: Finding) -> bool:
    interval = finding.estimate.interval
    return interval is not None and interval.low > CHANCE


def _result(place: Place, leak: Leak) -> Result:
    return Result(place.question, place.view, place.site, leak.evaluation, control=_said(leak))


def _said(leak: Leak) -> str:
    if leak.erasure is Erasure.NONE:
        return "leakage, nothing erased"
    return f"leakage, {leak.erasure}"


def _after(leak: Leak) -> str:
    if leak.erasure is Erasure.NONE:
        return "nothing erased"
    return str(leak.erasure) if leak.erasure is Erasure.SHUFFLED else f"after {leak.erasure}"


def _finding(place: Place, leak: Leak) -> Finding:
    return Finding(
        metric=f"sparse_probing.{METRICS.get(leak.erasure, 'leakage_erased')}",
        concepts=(place.question.name,),
        site=place.site,
        group=f"{in_words(leak.evaluation.probe)}, {_after(leak)}",
        direction=Direction.NONE if leak.erasure is Erasure.SHUFFLED else Direction.LOWER,
        headline=True,
        estimate=_estimate(place, leak),
        rows=from_folds(_result(place, leak), "auc"),
    )


def _estimate(place: Place, leak: Leak) -> Estimate:
    estimate = clustered_auc(leak.evaluation.fold_scores(), place.question.problem.grouping)
    if not max(leak.ranks, default=0):
        return estimate
    low, high = min(leak.ranks), max(leak.ranks)
    rank = f"{low}" if low == high else f"{low} to {high}"
    return estimate.model_copy(update={"method": f"{estimate.method}; {rank} dimensions erased"})


def _sentence(place: Place, leaks: Sequence[Leak], findings: Sequence[Finding]) -> str:
    """Say for each erasure what the linear and the non-linear probe read."""
    read: dict[Erasure, list[str]] = {}
    for leak, finding in zip(leaks, findings, strict=True):
        value = finding.estimate.value
        read.setdefault(leak.erasure, []).append("not measured" if value is None else f"{value:.3f}")
    steps = "; ".join(f"{_step(erasure)} {' and '.join(values)}" for erasure, values in read.items())
    return f"{place.question.name} at {place.site}, AUC of logistic regression and a small MLP: {steps}."


def _step(erasure: Erasure) -> str:
    if erasure in {Erasure.NONE, Erasure.SHUFFLED}:
        return "untouched" if erasure is Erasure.NONE else "shuffled labels"
    return f"after {erasure}"
