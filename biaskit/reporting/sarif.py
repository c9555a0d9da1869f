"""A report as SARIF 2.1.0: a rule a gate, a result a verdict that is not a pass."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from biaskit.records.audit_spec import FailOn
from biaskit.records.consequence import Consequences, Effect
from biaskit.records.report import Outcome, Status
from biaskit.reporting import words
from biaskit.reporting.decided import decided

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from biaskit.records.audit_spec import Gate
    from biaskit.records.report import Report
    from biaskit.reporting.decided import Decided

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MOST_RESULTS = 5000
"""How many results a code-scanning page shows; the gravest stand first."""

_FALLBACK = "report.json"
_LEVELS = {"low": "warning", "medium": "error", "high": "error"}


def render(report: Report, spec: Path | None = None, fail_on: FailOn = FailOn.FAIL) -> str:
    """Return one run whose results are identified by gate and target, never by the value.

    Args:
        report: The report.
        spec: The audit's TOML file: each result then stands at its gate's line there, where it can be acted
            on; without it, at the report.
        fail_on: What fails a build; the rest are notes.
    """
    shown = [one for one in decided(report, fail_on) if one.effect is not Effect.PASSES]
    rules = {gate.id: _rule(gate) for gate in report.spec.gates}
    rules |= {one.verdict.gate: {"id": _id(one.verdict.gate)} for one in shown if one.gate is None}
    order, places = {name: index for index, name in enumerate(rules)}, _places(spec, rules)
    run = {
        "tool": {
            "driver": {
                "name": "biaskit",
                "version": report.tool_version,
                "semanticVersion": report.tool_version,
                "rules": list(rules.values()),
            }
        },
        "automationDetails": {"id": f"biaskit/{_id(report.spec.name)}/"},
        "invocations": [_invocation(report, len(shown), fail_on)],
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(one, order[one.verdict.gate], places[one.verdict.gate]) for one in shown[:MOST_RESULTS]
        ],
        "properties": {
            "model": words.plain(report.subject.source),
            "fingerprint": report.subject.fingerprint,
            "run": report.run.id,
            "specDigest": report.spec_digest,
        },
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _id(name: str) -> str:
    return words.plain(name) or "gate"


def _rule(gate: Gate) -> dict[str, Any]:
    bounds = ((gate.at_least, "at least"), (gate.at_most, "at most"))
    limit = " and ".join(f"{word} {end:g}" for end, word in bounds if end is not None)
    if gate.within is not None:
        limit = f"within {gate.within[0]:g} and {gate.within[1]:g}"
    about = words.plain(f"{words.metric(gate.metric)} ({gate.metric}): {limit}")
    return {
        "id": _id(gate.id),
        "shortDescription": {"text": about},
        "fullDescription": {"text": words.plain(gate.rationale) or about},
        "defaultConfiguration": {"level": _LEVELS[gate.severity]},
        "properties": {"tags": ["bias"], "precision": "high", "rule": gate.rule.value},
    }


def _level(one: Decided) -> str:
    """Return the severity's level; what fails no build is a note, and undecided never reads as a failure."""
    skipped = one.effect is Effect.SKIPS and one.verdict.outcome is not Outcome.WAIVED
    return "note" if skipped else _LEVELS[one.verdict.severity]


def _result(one: Decided, index: int, place: dict[str, Any]) -> dict[str, Any]:
    verdict = one.verdict
    said = words.plain(verdict.reason)
    result: dict[str, Any] = {
        "ruleId": _id(verdict.gate),
        "ruleIndex": index,
        "level": _level(one),
        "message": {"text": f"{one.word}, {one.about}: {said}"},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"biaskitVerdict/v1": hashlib.sha256(one.key.encode()).hexdigest()},
        "properties": dict(_numbers(one)),
    }
    if verdict.outcome is Outcome.WAIVED and one.effect is Effect.SKIPS:
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": said}]
    return result


def _numbers(one: Decided) -> Iterator[tuple[str, Any]]:
    yield "outcome", one.verdict.outcome.value
    yield "advisory", one.verdict.advisory
    if one.finding is None:
        return
    estimate = one.finding.estimate
    yield from (("unit", estimate.unit.value), ("n", estimate.n), ("value", estimate.value))
    if estimate.interval is not None:
        yield "interval", [estimate.interval.low, estimate.interval.high]
    yield "minimumDetectableEffect", estimate.minimum_detectable_effect


def _invocation(report: Report, results: int, fail_on: FailOn) -> dict[str, Any]:
    run, found = report.run, Consequences(report, fail_on)
    ended = run.started_at + timedelta(seconds=run.duration_s)
    told = [words.plain(line) for line in report.not_measured] if run.status is not Status.COMPLETE else []
    if results > MOST_RESULTS:
        told.append(f"{results - MOST_RESULTS} more results stand in report.json.")
    return {
        "executionSuccessful": not (found.stopped or found.nothing),
        "startTimeUtc": run.started_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "endTimeUtc": ended.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "toolExecutionNotifications": [{"level": "warning", "message": {"text": one}} for one in told],
    }


def _places(spec: Path | None, gates: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return where each gate stands in the audit's file, on its first line where it is not found."""
    lines = {} if spec is None else dict(_ids(spec.read_text(encoding="utf-8").splitlines()))
    uri = _FALLBACK if spec is None else quote(_relative(spec).as_posix())
    return {
        gate: {"artifactLocation": {"uri": uri}, "region": {"startLine": lines.get(gate, 1)}}
        for gate in gates
    }


def _relative(path: Path) -> Path:
    """Return a path as seen from the working folder, where it lies inside: code scanning knows no others."""
    here, there = Path.cwd(), path.resolve()
    return there.relative_to(here) if there.is_relative_to(here) else path


def _ids(lines: Iterable[str]) -> Iterator[tuple[str, int]]:
    for number, line in enumerate(lines, 1):
        found = re.match(r"""\s*id\s*=\s*["'](.*?)["']\s*(#.*)?$""", line)
        if found:
            yield found[1], number
