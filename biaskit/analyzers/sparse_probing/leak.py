"""Leakage: can a sensitive attribute be read, and what of it is left after erasure?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from biaskit.analyzers.sparse_probing.methods import LOGISTIC, dense
from biaskit.analyzers.sparse_probing.results import RESIDUAL, Result, Results
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
    named = tuple(ERASERS[name] for name in erasers)
    steps = (Erasure.NONE, *named, Erasure.SHUFFLED) if named else ()
    return LeakageTest(steps, GroupFolds(inner_folds), apart)


def leakage(bench: Bench, subject: Subject, test: LeakageTest) -> Leakage:
    """Test every sensitive attribute at the focus site; nothing where no eraser was asked for."""
    results, findings, sentences = Results(), list[Finding](), list[str]()
    places = [place for place in subject.residual(subject.focus) if place.question.sensitive]
    for place in bench.session.progress.track(places if test.erasures else [], "erasing and reading again"):
        question = place.question
        task = Task(place.rows, question.problem, bench.splits[question.name])
        probes = [dense(name) for name in PROBES]
        try:
            leaks = test.run(task, probes, bench.session.rng(f"sparse-probing/leakage/{question.name}"))
        except RequestError as error:
            results.notes.append(f"{question.name}: leakage was not measured. {error.what}")
            continue
        results.found += [
            Result(question, RESIDUAL, place.site, leak.evaluation, control=_said(leak)) for leak in leaks
        ]
        found = [_finding(place, leak) for leak in leaks]
        findings += found
        sentences.append(_sentence(place, leaks, found))
    return Leakage(results, tuple(findings), tuple(sentences))


def _said(leak: Leak) -> str:
    if leak.erasure is Erasure.NONE:
        return "leakage, nothing erased"
    return f"leakage, {leak.erasure}"


def _finding(place: Place, leak: Leak) -> Finding:
    return Finding(
        metric="sparse_probing.leakage",
        concepts=(place.question.name,),
        site=place.site,
        group=f"{leak.evaluation.probe}, {leak.erasure}",
        direction=Direction.NONE if leak.erasure is Erasure.SHUFFLED else Direction.LOWER,
        headline=True,
        estimate=_estimate(place, leak),
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
    steps = "; ".join(f"{erasure} {' and '.join(values)}" for erasure, values in read.items())
    return f"{place.question.name}, AUC of a linear and a non-linear probe after erasure: {steps}."
