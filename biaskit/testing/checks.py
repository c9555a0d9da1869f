"""Checks of what an analyzer does: each a function that raises AssertionError and says what is wrong."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from pydantic import ValidationError
from scipy import stats

from biaskit.errors import BiaskitError
from biaskit.gates import identity
from biaskit.records.estimate import Estimate
from biaskit.records.finding import Analysis
from biaskit.runner.specimens import judgements
from biaskit.runner.verifying import Verified, recompute
from biaskit.testing.declared import DECLARED, require
from biaskit.testing.subject import Subject, Watched
from biaskit.testing.traces import (
    GENERATORS,
    HOOKS,
    MODES,
    WEIGHTS,
    InterruptedAnalysisError,
    hooks,
    interrupting,
)

# Chance alone puts more alarms than this into one null once in a thousand times.
_RARE = 0.999
_SHARE_FOUND = 0.5


def check_finds_its_planted_metric(subject: Subject) -> None:
    """Its analysis holds the metric that `planting` names."""
    found = {one.metric for one in subject.null.analysis.findings}
    metric = subject.planting.metric if subject.planting else ""
    require(metric in found, f"no finding of '{metric}'; it found {', '.join(sorted(found)) or 'nothing'}")


def check_metrics_are_declared(subject: Subject) -> None:
    """Metrics begin with the analyzer's name, and are those of `metrics` where it declares them."""
    prefix = subject.kind.name.replace("-", "_") + "."
    declared = tuple(getattr(subject.kind, "metrics", ()))
    for metric in sorted({one.metric for one in subject.null.analysis.findings}):
        require(metric.startswith(prefix), f"the metric '{metric}' does not begin with '{prefix}'")
        require(not declared or metric in declared, f"the metric '{metric}' is not among its `metrics`")


def check_estimates_are_complete(subject: Subject) -> None:
    """Each estimate has a unit, a sample size, what was sampled, a method, and an interval or a reason."""
    for number, finding in enumerate(subject.null.analysis.findings):
        estimate = finding.estimate
        try:
            Estimate.model_validate(estimate.model_dump(warnings=False))
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]["msg"]
            require(held=False, message=f"estimate {number} ({finding.metric}): {problem}")
        counted = estimate.value is None or estimate.n > 0
        require(counted, f"estimate {number} ({finding.metric}) has a value and n = 0")


def check_numbers_are_finite(subject: Subject) -> None:
    """Nothing in the analysis is NaN or infinite."""
    for watched in (subject.null, subject.planted):
        place = next(_not_finite(watched.analysis.model_dump(warnings=False), "analysis"), None)
        require(
            place is None, f"{place} is no finite number; what could not be measured is None with a reason"
        )


def check_findings_are_told_apart(subject: Subject) -> None:
    """No two findings have the same metric, concepts, references, site and group."""
    for watched in (subject.null, subject.planted):
        seen = Counter(map(identity, watched.analysis.findings))
        about, count = max(seen.items(), key=lambda pair: pair[1], default=((), 0))
        require(count <= 1, f"{count} findings are about the same: {about}; tell them apart by their group")


def check_numbers_follow_from_rows(subject: Subject) -> None:
    """Each number names the rows of a table that give it again, or says in `unkept` why none are kept."""
    analysis = subject.null.analysis
    for finding in analysis.findings:
        found = Verified()
        recompute(analysis, finding, found)
        require(not found.problems, " ".join(found.problems))
        told = finding.rows is None and finding.unkept
        for metric, (_, why) in found.others.items():
            require(told, f"a value of {metric} cannot be computed again: {why}; `unkept` may say why")


def check_analysis_survives_json(subject: Subject) -> None:
    """The analysis, written as JSON and read again, is the same."""
    analysis = subject.null.analysis
    try:
        again = Analysis.model_validate_json(analysis.model_dump_json(warnings=False))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise AssertionError(f"it cannot be read back: {place}: {problem['msg']}") from error
    require(again == analysis, "it is not the same after JSON; give lists for tuples in `settings`")


def check_records_its_settings(subject: Subject) -> None:
    """The analysis carries the analyzer's name, every setting it ran with, and its limitations."""
    analysis, kind = subject.null.analysis, subject.kind
    require(analysis.analyzer == kind.name, f"its analysis is by '{analysis.analyzer}', not '{kind.name}'")
    own: dict[str, Any] = asdict(subject.null.analyzer)  # type: ignore[call-overload]
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in own.items()}
    require(analysis.settings == plain, f"it ran with {plain} and recorded {analysis.settings}")
    first = analysis.limitations[: len(kind.limitations)]
    require(first == kind.limitations, "its analysis does not carry its limitations, before any of the run's")


def check_is_deterministic(subject: Subject) -> None:
    """The same session and seed give the same analysis."""
    same = subject.null.analysis == subject.again.analysis
    require(same, "two analyses of one session with one seed differ; draw from session.rng(label)")


def check_leaves_no_hook(subject: Subject) -> None:
    """No hook is left on the model."""
    _unchanged(subject.null, HOOKS, "hooks are left on the model; use biaskit.capture and biaskit.edit")


def check_removes_hooks_when_interrupted(subject: Subject) -> None:
    """No hook is left where the model fails in the middle."""
    specimen = subject.fresh()
    module = specimen.model.module
    before = hooks(module)
    try:
        with interrupting(module):
            specimen.fitted(subject.analyzer).analyze(specimen.session)
    except (InterruptedAnalysisError, BiaskitError):
        pass
    left = hooks(module) - before
    require(left == 0, f"{left} hooks are left after the model failed; enter them in a with statement")


def check_restores_the_model(subject: Subject) -> None:
    """Weights, training modes and requires_grad are as they were."""
    _unchanged(subject.null, WEIGHTS, "the model's weights were changed")
    _unchanged(subject.null, MODES, "training mode or requires_grad of a part of the model was changed")


def check_leaves_global_generators_alone(subject: Subject) -> None:
    """The global generators of numpy and torch are untouched."""
    _unchanged(subject.null, GENERATORS, "a global random generator was used; draw from session.rng(label)")


def check_prints_nothing(subject: Subject) -> None:
    """Nothing is written to the standard output."""
    printed = subject.null.printed.strip()
    require(not printed, f"it prints: {printed[:80]!r}; put it into `notes`")


def check_is_silent_on_a_null(subject: Subject) -> None:
    """It raises no more alarms on a null than tests at 5% do, but once in a thousand."""
    tests = _judged(subject, subject.null)
    require(tests, "no finding of the planted metric had a p-value on a null")
    alarms, most = sum(one.alarm for one in tests), int(stats.binom.ppf(_RARE, len(tests), 0.05))
    require(
        alarms <= most, f"{alarms} of {len(tests)} tests on a null have p <= 0.05; {most} at most by chance"
    )


def check_finds_a_plant(subject: Subject) -> None:
    """It finds half of the strong plants at least, with the right sign."""
    tests = [one for one in _judged(subject, subject.planted) if one.dose]
    require(tests, "no finding of the planted metric was about a planted dose")
    found = sum(one.found for one in tests)
    require(found >= _SHARE_FOUND * len(tests), f"it finds {found} of {len(tests)} strong plants")


def check_fails_clearly_without_data(subject: Subject) -> None:
    """With nothing to look at it raises a BiaskitError, or returns an analysis without findings."""
    try:
        analysis = subject.analyzer.analyze(subject.bench.empty())
    except BiaskitError as error:
        require(str(error).strip(), "its error without data says nothing")
        return
    except Exception as error:
        raise AssertionError(
            f"without data it raises {type(error).__name__}: {error}; raise a BiaskitError that says why"
        ) from error
    require(not analysis.findings, "it has findings without data")


def _judged(subject: Subject, watched: Watched) -> list[Any]:
    if subject.planting is None:
        return []
    return list(judgements(watched.analysis.findings, subject.planting, watched.specimen, subject.bench))


def _unchanged(watched: Watched, what: str, message: str) -> None:
    require(watched.before[what] == watched.after[what], message)


def _not_finite(content: object, place: str) -> Iterator[str]:
    if isinstance(content, float) and not math.isfinite(content):
        yield place
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _not_finite(value, f"{place}.{key}")
    if isinstance(content, list | tuple):
        for number, value in enumerate(content):
            yield from _not_finite(value, f"{place}[{number}]")


CHECKS: tuple[Callable[[Subject], None], ...] = (
    *DECLARED,
    check_finds_its_planted_metric,
    check_metrics_are_declared,
    check_estimates_are_complete,
    check_numbers_are_finite,
    check_findings_are_told_apart,
    check_numbers_follow_from_rows,
    check_analysis_survives_json,
    check_records_its_settings,
    check_is_deterministic,
    check_leaves_no_hook,
    check_removes_hooks_when_interrupted,
    check_restores_the_model,
    check_leaves_global_generators_alone,
    check_prints_nothing,
    check_is_silent_on_a_null,
    check_finds_a_plant,
    check_fails_clearly_without_data,
)
"""Every check, in the order in which they are run."""
