"""JUnit, SARIF, job summary and pytest say of every combination what the exit code says."""

import json
from itertools import product

import pytest
from junitparser import JUnitXml

from biaskit.gates import exit_code
from biaskit.pytest_plugin.items import of_gate
from biaskit.records.audit_spec import FailOn, Rule
from biaskit.records.report import Outcome, Status
from biaskit.reporting import job_summary, junit, sarif
from tests.reporting.sample import build_report

WHOLE = build_report()
FINDING = WHOLE.findings("biaslens.score")[0]
SMALL = WHOLE.analyses[0].model_copy(
    update={"findings": (FINDING,), "tables": (), "figures": (), "dots": (), "sheets": ()}
)
REPORT = WHOLE.model_copy(update={"analyses": (SMALL,), "calibrations": ()})
GATE = REPORT.spec.gates[0].model_copy(update={"where": {}})
VERDICT = next(one for one in REPORT.verdicts if one.gate == GATE.id)
POLICIES = (None, "pass", "warn", "fail", Rule.EVIDENCE_OF_COMPLIANCE)
OTHER = "biaslens.nothing_of_the_kind"
CASES = {
    GATE.metric: list(product(Outcome, Status, POLICIES, (False, True), FailOn)),
    OTHER: list(product((Outcome.UNDECIDED, Outcome.ERROR), Status, POLICIES, (False, True), FailOn)),
}


def built(outcome, status, policy, advisory, metric=GATE.metric):
    asked = {"rule": policy} if isinstance(policy, Rule) else {"on_undecided": policy}
    gate = GATE.model_copy(update=asked | {"advisory": advisory, "metric": metric})
    verdict = VERDICT.model_copy(update={"outcome": outcome, "advisory": advisory})
    spec = REPORT.spec.model_copy(update={"gates": (gate,)})
    run = REPORT.run.model_copy(update={"status": status})
    return REPORT.model_copy(update={"spec": spec, "run": run, "verdicts": (verdict,)})


def fails(report, fail_on):
    """Whether each output shows a build that does not pass."""
    suites = JUnitXml.fromstring(junit.render(report, fail_on).encode())
    (run,) = json.loads(sarif.render(report, fail_on=fail_on))["runs"]
    open_ones = [one for one in run["results"] if one["level"] != "note" and "suppressions" not in one]
    mark = job_summary.render(report, fail_on).split()[1]
    return {
        "junit": bool(suites.failures + suites.errors),
        "sarif": bool(open_ones) or not run["invocations"][0]["executionSuccessful"],
        "summary": mark in {"\N{CROSS MARK}", "\N{COLLISION SYMBOL}"},
        "pytest": exit_code(of_gate(report, report.spec.gates[0]), fail_on) != 0,
    }


def disagreeing(reports):
    for case, report, fail_on in reports:
        code = exit_code(report, fail_on)
        wrong = [name for name, failed in fails(report, fail_on).items() if failed != (code != 0)]
        if wrong:
            yield case, code, wrong


@pytest.mark.parametrize("metric", list(CASES))
def test_outputs_agree_with_the_exit_code(metric):
    reports = [(case, built(*case[:-1], metric), case[-1]) for case in CASES[metric]]
    assert list(disagreeing(reports)) == []
    codes = {exit_code(report, fail_on) for _, report, fail_on in reports}
    assert codes == ({0, 1, 3, 4, 130} if metric == GATE.metric else {0, 3, 4, 5, 130})


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("fail_on", list(FailOn))
def test_so_they_do_where_nothing_was_found(status, fail_on):
    report = built(Outcome.UNDECIDED, status, None, False)
    empty = [one.model_copy(update={"findings": ()}) for one in report.analyses]
    report = report.model_copy(update={"analyses": tuple(empty)})
    assert list(disagreeing([("empty", report, fail_on)])) == []
