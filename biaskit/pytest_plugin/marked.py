"""A test of one's own that is judged like a gate: `@pytest.mark.biaskit(...)` and `biaskit_gate`."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from biaskit import gates
from biaskit.errors import BiaskitError, RequestError, UnknownNameError
from biaskit.pytest_plugin.items import baseline, of_gate
from biaskit.records.audit_spec import WHERE_KEYS, FailOn, Gate
from biaskit.records.consequence import STOPS, Consequences, Effect, forbids_undecided
from biaskit.records.estimate import Estimate
from biaskit.records.finding import Finding
from biaskit.records.report import Outcome, Report
from biaskit.reporting import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from biaskit.records.report import Verdict

_NUMBER = "test.estimate"
_OWN = frozenset(Gate.model_fields) - {"id", "where", "advisory"}


def gate(request: pytest.FixtureRequest) -> Iterator[Callable[..., tuple[Verdict, ...]]]:
    """Yield the function that judges; a test that never calls it has an error."""
    with _refusals():
        marked = Marked(request)
    yield marked.judge
    if not marked.judged:
        pytest.fail("The test says how it is judged and handed biaskit_gate nothing.", pytrace=False)


@contextmanager
def _refusals() -> Iterator[None]:
    """Show what a user can mend without a traceback."""
    try:
        yield
    except BiaskitError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


class Marked:
    """A test with its marker, read as a gate."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        """Read the marker; nothing that computes is loaded.

        Raises:
            RequestError: It has no limit, or a value that fits nothing.
            UnknownNameError: It has a key that gates do not have.
        """
        marker = request.node.get_closest_marker("biaskit")
        if marker is None or marker.args:
            raise RequestError(
                "biaskit_gate judges by the marker biaskit(...), which takes keys alone.",
                fix="Write @pytest.mark.biaskit(metric='biaslens.score', at_most=0.5) above the test.",
            )
        self._request, self.judged = request, False
        self._gate = _gate(request.node.name, marker.kwargs)

    def judge(self, given: Report | Finding | Estimate) -> tuple[Verdict, ...]:
        """Judge what the marker names; fail, skip or return the verdicts, as an item of a spec does.

        Args:
            given: A report, of which every finding is judged that the marker's metric and keys name; or a
                finding; or an estimate, whose value should be near zero.
        """
        self.judged = True
        fail_on = FailOn(self._request.config.getoption("--biaskit-fail-on"))
        with _refusals():
            found = list(self._verdicts(given, fail_on))
        said = [f"{words.OUTCOME_WORDS[one.outcome]}: {words.plain(one.reason)}" for one, _ in found]
        self._request.node.user_properties += [("biaskit", one) for one in said]
        said += self._unseen(given)
        effects = {effect for _, effect in found}
        if effects & STOPS or len(said) > len(found):
            pytest.fail("\n".join(said), pytrace=False)
        if Effect.SKIPS in effects and self._gate.on_undecided != "pass":
            pytest.skip("; ".join(said))
        return tuple(one for one, _ in found)

    def _verdicts(
        self, given: Report | Finding | Estimate, fail_on: FailOn
    ) -> Iterator[tuple[Verdict, Effect]]:
        if isinstance(given, Report):
            if self._gate.metric not in (known := {one.metric for one in given.findings()}):
                raise UnknownNameError("metric in the report", self._gate.metric, known)
            spec = given.spec.model_copy(update={"gates": (self._gate,), "waivers": ()})
            report = given.model_copy(update={"spec": spec, "verdicts": ()})
            before = baseline(self._request.config) if self._gate.against else None
            if before is not None:
                gates.check_baseline(before, report)
            report = of_gate(gates.judged(report, _today(), before), self._gate)
            effects = Consequences(report, fail_on)
            yield from ((one, effects.of(one)) for one in report.verdicts)
            return
        finding = given if isinstance(given, Finding) else _finding(given)
        own = self._gate.model_copy(update={"metric": finding.metric, "where": {}})
        for one in gates.judge((finding,), (own,), (), _today()):
            yield one, _effect(one, own, fail_on)

    def _unseen(self, given: Report | Finding | Estimate) -> list[str]:
        """Say of each number whose design cannot see what the marker promises."""
        promised = self._gate.mde
        if promised is None:
            return []
        seen = [(one, one.minimum_detectable_effect) for one in self._estimates(given)]
        return [
            f"The marker promises to see {promised:g} {one.unit}; this design sees "
            f"{'nothing that is known' if least is None else f'{least:.2g}'}. Measure on more."
            for one, least in seen
            if least is None or least > promised
        ]

    def _estimates(self, given: Report | Finding | Estimate) -> Iterable[Estimate]:
        if isinstance(given, Report):
            return [one.estimate for one in given.findings() if gates.matches(self._gate, one)]
        return [given.estimate if isinstance(given, Finding) else given]


def _gate(test: str, asked: Mapping[str, Any]) -> Gate:
    for key in asked:
        if key not in _OWN | set(WHERE_KEYS):
            raise UnknownNameError("key of the marker biaskit", key, _OWN | set(WHERE_KEYS))
    where = {key: value for key, value in asked.items() if key in WHERE_KEYS}
    own = {key: value for key, value in asked.items() if key not in WHERE_KEYS}
    try:
        made = Gate.model_validate({"metric": _NUMBER} | own | {"id": test, "where": where})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise RequestError("The marker biaskit(...) cannot be read.", why=f"{faults}.") from None
    gates.check(made)
    return made


def _finding(estimate: Estimate) -> Finding:
    return Finding(metric=_NUMBER, concepts=("the estimate",), estimate=estimate)


def _effect(verdict: Verdict, gate: Gate, fail_on: FailOn) -> Effect:
    """Return what a verdict about a number without a run does."""
    if verdict.outcome is Outcome.PASS:
        return Effect.PASSES
    if fail_on is FailOn.NEVER:
        return Effect.SKIPS
    if verdict.outcome is Outcome.FAIL:
        return Effect.FAILS
    return Effect.FORBIDDEN if forbids_undecided(gate, fail_on) else Effect.SKIPS


def _today() -> Any:
    return datetime.now(UTC).date()
