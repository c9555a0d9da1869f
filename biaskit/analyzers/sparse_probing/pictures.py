"""The curves: AUC against site, number of coordinates, and each hard regime."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from biaskit.analyzers.sparse_probing.results import RESIDUAL
from biaskit.concepts.probe_auc import clustered_auc
from biaskit.records.estimate import Unit
from biaskit.records.figure import AxisScale, Curve, Figure, Point, Role

if TYPE_CHECKING:
    from biaskit.analyzers.sparse_probing.questions import Question
    from biaskit.analyzers.sparse_probing.results import Result, Results
    from biaskit.records.site import Site

LEVEL = 0.95
FEWEST_FOR_A_BAND = 3
MOST_APART = 6
"""Up to so many questions each has its own figures of the hard regimes."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """The horizontal axis of a regime's figure."""

    title: str
    label: str
    scale: AxisScale = AxisScale.LINEAR
    y_label: str = "AUC"
    band: str = "95 % t interval over questions"


REGIME_AXES = {
    "scarcity": _Axis("AUC with few training rows", "training rows", AxisScale.LOG),
    "imbalance": _Axis("AUC with uneven classes", "share of positive rows"),
    "label-noise": _Axis("AUC with wrong training labels", "share of flipped labels"),
}


def figures(
    results: Results, questions: Sequence[Question], sites: Sequence[Site], readable: Collection[str]
) -> Iterator[Figure]:
    """Yield every figure that has something to show.

    Args:
        results: What was measured.
        questions: What was told apart.
        sites: Every site of the profile.
        readable: Names of the questions that are shown to be readable; with many questions the hard regimes
            are averaged over these alone.
    """
    for number, question in enumerate(questions):
        yield from _layers(results, question, sites, number)
        yield from _against_k(results, question, number)
    for regime, axis in REGIME_AXES.items():
        found = list(results.where(regime=regime))
        if len(questions) <= MOST_APART:
            for number, question in enumerate(questions):
                own = [result for result in found if result.question is question]
                yield from _regime(own, f"{regime}-{number}", _apart(axis, question))
        else:
            kept = [result for result in found if result.question.name in readable] or found
            yield from _regime(kept, regime, _averaged(axis, kept, len(questions)))


def _layers(results: Results, question: Question, sites: Sequence[Site], number: int) -> Iterator[Figure]:
    lines = (
        ("logistic regression", Role.SUBJECT, results.where(question, probe="logistic")),
        ("shuffled labels", Role.CONTROL, results.where(question, control="shuffled labels")),
        ("random weights", Role.CONTROL, results.where(question, control="random weights")),
    )
    order = {site: place for place, site in enumerate(sites)}
    curves = [
        Curve(name=name, role=role, points=points)
        for name, role, found in lines
        if (points := _points((order[one.site], one) for one in found if one.site in order))
    ]
    if len(sites) > 1 and curves:
        names = ", ".join(f"{place} {site}" for site, place in order.items())
        yield Figure(
            name=f"sites-{number}",
            title=f"{question.name}: where it can be read ({names})",
            x_label="site",
            y_label="AUC",
            unit=Unit.AUC,
            chance=0.5,
            band=f"95 % interval over {question.problem.grouping}; of shuffled labels the range",
            curves=tuple(curves),
        )


def _against_k(results: Results, question: Question, number: int) -> Iterator[Figure]:
    dense = results.where(question, view=RESIDUAL, probe="logistic")
    curves = [
        Curve(name=name, role=role, points=points)
        for name, role, found in (
            ("SAE latents", Role.SUBJECT, results.where(question, view="latents")),
            ("residual coordinates", Role.BASELINE, results.where(question, view=RESIDUAL)),
            ("random latents", Role.CONTROL, results.where(question, control="random coordinates")),
            ("shuffled labels", Role.CONTROL, results.where(question, control="shuffled labels")),
        )
        if (points := _points((one.k, one) for one in found if one.k))
    ]
    if not curves:
        return
    ends = sorted({point.x for curve in curves for point in curve.points})
    focus = {one.site for one in results.where(question) if one.k}
    level = next((one.evaluation.auc for one in dense if one.site in focus), None)
    if level is not None:
        flat = tuple(Point(x=x, y=level) for x in (ends[0], ends[-1]))
        curves.append(Curve(name="logistic regression, all coordinates", role=Role.BASELINE, points=flat))
    yield Figure(
        name=f"k-{number}",
        title=f"{question.name}: how many coordinates it takes",
        x_label="coordinates used (k)",
        y_label="AUC",
        unit=Unit.AUC,
        x_scale=AxisScale.LOG,
        chance=0.5,
        band=f"95 % interval over {question.problem.grouping}; of shuffled labels the range",
        curves=tuple(curves),
    )


def _points(found: Iterable[tuple[float | None, Result]]) -> tuple[Point, ...]:
    by_x: dict[float, list[Result]] = {}
    for x, result in found:
        if x is not None and result.evaluation.auc is not None:
            by_x.setdefault(x, []).append(result)
    return tuple(_point(x, by_x[x]) for x in sorted(by_x))


def _point(x: float, results: Sequence[Result]) -> Point:
    """Return one result with its interval, or the mean of several shuffles with their range."""
    aucs = [one.evaluation.auc or 0.0 for one in results]
    if len(results) > 1:
        return Point(x=x, y=float(np.mean(aucs)), low=min(aucs), high=max(aucs))
    interval = clustered_auc(
        results[0].evaluation.fold_scores(), results[0].question.problem.grouping
    ).interval
    ends = (None, None) if interval is None else (interval.low, interval.high)
    return Point(x=x, y=aucs[0], low=ends[0], high=ends[1])


def _apart(axis: _Axis, question: Question) -> _Axis:
    return replace(axis, title=f"{question.name}: {axis.title}", y_label="AUC, mean over draws of the rows")


def _averaged(axis: _Axis, kept: Sequence[Result], asked: int) -> _Axis:
    """Say over which questions the curves are averaged."""
    names = list(dict.fromkeys(result.question.name for result in kept))
    of = (
        f"{len(names)} of {asked} questions, those that can be read"
        if len(names) < asked
        else "all questions"
    )
    return replace(axis, y_label=f"AUC, mean over {of}", band=f"{axis.band}: {', '.join(names)}")


def _regime(found: Sequence[Result], name: str, axis: _Axis) -> Iterator[Figure]:
    lines: dict[str, list[Result]] = {}
    for result in found:
        line = "logistic regression" if result.k is None else f"SAE latents, {result.evaluation.variant}"
        lines.setdefault(line, []).append(result)
    banded = len({result.question.name for result in found}) >= FEWEST_FOR_A_BAND
    curves = tuple(
        Curve(
            name=line,
            role=Role.BASELINE if own[0].k is None else Role.SUBJECT,
            points=_mean_points(own, banded=banded),
        )
        for line, own in lines.items()
    )
    if curves:
        yield Figure(
            name=f"regime-{name}",
            title=axis.title,
            x_label=axis.label,
            y_label=axis.y_label,
            unit=Unit.AUC,
            x_scale=axis.scale,
            chance=0.5,
            band=axis.band if banded else "",
            curves=curves,
        )


def _mean_points(results: Sequence[Result], *, banded: bool) -> tuple[Point, ...]:
    """Average over a concept's repeats first, then over concepts."""
    by_x: dict[float, dict[str, list[float]]] = {}
    for result in results:
        for fold in result.evaluation.folds:
            if fold.metrics.auc is not None:
                own = by_x.setdefault(float(fold.split.tags["x"]), {})
                own.setdefault(result.question.name, []).append(fold.metrics.auc)
    return tuple(
        _mean_point(x, [float(np.mean(aucs)) for aucs in by_x[x].values()], banded=banded)
        for x in sorted(by_x)
    )


def _mean_point(x: float, aucs: Sequence[float], *, banded: bool) -> Point:
    mean = float(np.mean(aucs))
    if not banded or len(aucs) < FEWEST_FOR_A_BAND:
        return Point(x=x, y=mean)
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(aucs) - 1) * np.std(aucs, ddof=1) / np.sqrt(len(aucs)))
    return Point(x=x, y=mean, low=max(mean - half, 0.0), high=min(mean + half, 1.0))
