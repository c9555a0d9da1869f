"""A report as JUnit XML: one test case a verdict, so that a build server shows each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from junitparser import Error, Failure, JUnitXml, Skipped
from junitparser.xunit2 import TestCase, TestSuite

from biaskit.records.audit_spec import FailOn
from biaskit.records.consequence import Consequences, Effect
from biaskit.reporting import words
from biaskit.reporting.decided import decided

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biaskit.records.report import Report
    from biaskit.reporting.decided import Decided

_RESULTS = {
    Effect.FAILS: Failure,
    Effect.ERRS: Error,
    Effect.FORBIDDEN: Failure,
    Effect.NOTHING: Error,
    Effect.SKIPS: Skipped,
}


def render(report: Report, fail_on: FailOn = FailOn.FAIL) -> str:
    """Return one suite named after the audit, with one case a verdict.

    A failed verdict is a failure, one that could not be judged an error, and an undecided one a failure where
    that is forbidden, as it is in a partial run, and else skipped; waived and advisory ones are skipped with
    what they say. A run that stopped before its end, or judged nothing, has a case of its own that says so.
    So a case fails exactly where the exit code is not 0. Value, interval, n and minimum detectable effect
    stand among the properties of each case.
    """
    suite = TestSuite(words.plain(f"biaskit {report.spec.name}"))
    suite.timestamp = report.run.started_at.strftime("%Y-%m-%dT%H:%M:%S")
    for name, text in _run(report):
        suite.add_property(name, words.plain(text))
    for case in (*(_case(one, report) for one in decided(report, fail_on)), *_whole(report, fail_on)):
        suite.add_testcase(case)
    suite.update_statistics()
    suite.time = round(report.run.duration_s, 3)
    document = JUnitXml("biaskit")
    document.append(suite)
    # Its own count of skipped cases has no place in the published schema.
    for name in ("tests", "failures", "errors", "time"):
        setattr(document, name, getattr(suite, name))
    body: str = document.tostring().decode("utf-8")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _case(one: Decided, report: Report) -> TestCase:
    verdict = one.verdict
    case = TestCase(one.about, classname=words.plain(f"{report.spec.name}.{verdict.gate}"))
    for name, text in one.numbers():
        case.add_property(name, words.plain(text))
    if one.effect is not Effect.PASSES:
        said = words.plain(f"{one.word}: {verdict.reason}")
        result = _RESULTS[one.effect](said, verdict.outcome.value)
        case.result = [result]
    return case


def _run(report: Report) -> Iterator[tuple[str, str]]:
    yield "model", report.subject.source
    yield "fingerprint", report.subject.fingerprint
    yield "run", report.run.id
    yield "spec_digest", report.spec_digest
    yield "status", report.run.status.value
    yield "biaskit", report.tool_version


def _whole(report: Report, fail_on: FailOn) -> Iterator[TestCase]:
    """Yield what no verdict says: a run that stopped, and one on which nothing was judged."""
    found = Consequences(report, fail_on)
    if not (found.stopped or found.nothing) and report.verdicts:
        return
    case = TestCase("the run", classname=words.plain(f"{report.spec.name}.run"))
    if found.stopped:
        said = " ".join((words.STATUS_WORDS[report.run.status], *report.not_measured[:3]))
        case.result = [Error(words.plain(said), report.run.status.value)]
    elif found.nothing:
        case.result = [Error("Nothing was audited, or nothing for a gate.", "nothing")]
    else:
        case.result = [Skipped("Nothing was judged: no gate was declared.", "undecided")]
    yield case
