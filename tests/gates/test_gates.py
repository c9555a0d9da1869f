"""Every way a number can lie against a limit, and every exit code."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biaskit.errors import RequestError, UnknownNameError
from biaskit.gates import FailOn, exit_code, first_code, judge, undecided_policy
from biaskit.records.audit_spec import Gate, Rule, Waiver
from biaskit.records.estimate import Estimate, Interval, Null, Unit
from biaskit.records.finding import Direction, Finding
from biaskit.records.report import Outcome, Status
from tests.reporting.sample import build_report, spec

TODAY = date(2026, 11, 23)
PASS, FAIL, UNDECIDED, WAIVED = Outcome.PASS, Outcome.FAIL, Outcome.UNDECIDED, Outcome.WAIVED


def finding(low, high, *, p=None, adjusted=None, reason="no null", **more):
    return Finding(
        metric="biaslens.score",
        concepts=("food",),
        references=("positive", "negative"),
        group="references given target",
        **more,
        estimate=Estimate(
            value=(low + high) / 2,
            unit=Unit.NAT,
            n=36,
            resampling_unit="templates x fillers",
            method="mean difference",
            interval=Interval(low=low, high=high, level=0.95, method="bootstrap"),
            null=None if p is None else Null(p=p, kind="conformal", adjusted=adjusted),
            reason=reason,
        ),
    )


def gate(**more):
    return Gate(**({"id": "gap", "metric": "biaslens.score", "at_most": 0.5} | more))


def outcome(one, limits=None, **more):
    (verdict,) = judge([one], [limits or gate(**more)], (), TODAY)
    return verdict.outcome


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.6, 0.9, FAIL),
        (-0.9, -0.6, FAIL),
        (-0.4, 0.4, PASS),
        (0.4, 0.6, UNDECIDED),
        (-0.6, -0.4, UNDECIDED),
        (-0.6, 0.6, UNDECIDED),
        (0.5, 0.5, PASS),
        (0.5, 0.6, UNDECIDED),
    ],
)
def test_the_interval_decides_toward_zero(low, high, expected):
    assert outcome(finding(low, high)) is expected


@pytest.mark.parametrize(
    ("direction", "limits", "low", "high", "expected"),
    [
        (Direction.LOWER, {"at_most": 0.5}, -3.0, -2.0, PASS),
        (Direction.LOWER, {"at_most": 0.5}, 0.6, 0.7, FAIL),
        (Direction.HIGHER, {"at_most": None, "at_least": 0.8}, 0.85, 0.9, PASS),
        (Direction.HIGHER, {"at_most": None, "at_least": 0.8}, 0.5, 0.7, FAIL),
        (Direction.HIGHER, {"at_most": None, "at_least": 0.8}, 0.7, 0.9, UNDECIDED),
        (Direction.NONE, {"at_most": 1.1, "at_least": 0.9}, 0.95, 1.05, PASS),
        (Direction.NONE, {"at_most": 1.1, "at_least": 0.9}, 0.2, 0.3, FAIL),
        (Direction.NONE, {"at_most": 1.1, "at_least": 0.9}, 0.8, 1.2, UNDECIDED),
    ],
)
def test_other_directions_are_limited_as_they_stand(direction, limits, low, high, expected):
    assert outcome(finding(low, high, direction=direction), **limits) is expected


@given(st.floats(-3, 3), st.floats(0, 2), st.floats(0.01, 2))
def test_swapping_the_poles_never_changes_a_verdict(middle, half, limit):
    there = outcome(finding(middle - half, middle + half), at_most=limit)
    assert there is outcome(finding(-middle - half, -middle + half), at_most=limit)


@given(st.floats(-3, 3), st.floats(0.01, 2), st.floats(0.01, 2))
def test_a_wider_interval_never_turns_undecided_into_a_decision(middle, half, limit):
    narrow = outcome(finding(middle - half, middle + half), at_most=limit)
    wide = outcome(finding(middle - 2 * half, middle + 2 * half), at_most=limit)
    assert wide in {narrow, UNDECIDED}


@pytest.mark.parametrize(
    ("p", "adjusted", "expected"),
    [(0.05, None, FAIL), (0.051, None, UNDECIDED), (0.01, 0.2, UNDECIDED), (0.2, 0.04, FAIL)],
)
def test_a_failure_also_needs_its_p_value(p, adjusted, expected):
    assert outcome(finding(0.6, 0.9, p=p, adjusted=adjusted)) is expected


def test_a_pass_needs_no_p_value():
    assert outcome(finding(-0.1, 0.1, p=0.9)) is PASS


def bare(**more):
    known = {"value": None, "unit": Unit.NAT, "n": 0, "resampling_unit": "templates", "method": "none"}
    return Finding(metric="biaslens.score", concepts=("food",), estimate=Estimate(**(known | more)))


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (bare(reason="the word is unknown to the model"), "Not measured: the word is unknown to the model."),
        (bare(value=9.0, reason="one template only"), "+9 has no interval: one template only."),
        (
            finding(0.6, 0.9, reason="undecided: inside and behaviour disagree"),
            "Inside and behaviour disagree.",
        ),
        (
            finding(0.6, 0.9, reason="untested: no neutral noun is like it"),
            "+0.75 [+0.6, +0.9] nat lies beyond the limit of ±0.5, but untested: no neutral noun is like it.",
        ),
        (
            bare(value=9.0, reason="untested: no neutral noun is like it; one template only"),
            "+9 has no interval: no neutral noun is like it; one template only.",
        ),
    ],
)
def test_what_cannot_be_judged_says_why(one, said):
    (verdict,) = judge([one], [gate()], (), TODAY)
    assert (verdict.outcome, verdict.reason) == (UNDECIDED, said)


def test_a_pass_does_not_wait_for_a_test_that_was_not_made():
    assert outcome(finding(-0.1, 0.1, reason="untested: no neutral noun is like it")) is PASS


def test_a_sentence_holds_value_interval_and_limit():
    (verdict,) = judge([finding(-0.9, -0.6, p=0.01, adjusted=0.02)], [gate()], (), TODAY)
    said = "-0.75 [-0.9, -0.6] nat lies beyond the limit of ±0.5 (corrected p = 0.02)."
    assert verdict.reason == said.replace("-", "\N{MINUS SIGN}")


def test_a_gate_that_matches_nothing_is_undecided():
    (verdict,) = judge([finding(0, 1)], [gate(where={"concept": "service"})], (), TODAY)
    assert verdict.outcome is UNDECIDED
    assert "Nothing to judge" in verdict.reason


def test_where_narrows_by_every_key():
    report = build_report()
    where = {
        "concept": "food",
        "group": "references given target",
        "site": "resid_post.2",
        "positive": "rich",
        "negative": "poor",
    }
    (verdict,) = judge(report, [gate(where=where)], (), TODAY)
    assert (verdict.concept, verdict.references, verdict.group) == ("food", ("rich", "poor"), where["group"])
    assert len(judge(report, [gate()], (), TODAY)) == 20


@pytest.mark.parametrize("limits", [{"at_most": None}, {"where": {"layer": "2"}}])
def test_a_gate_that_cannot_be_judged_is_refused(limits):
    with pytest.raises(RequestError):
        judge([], [gate(**limits)], (), TODAY)


def test_an_unknown_key_is_answered_with_near_ones():
    with pytest.raises(UnknownNameError, match="concept"):
        judge([], [gate(where={"concpt": "food"})], (), TODAY)


@pytest.mark.parametrize(
    ("until", "expected"),
    [(date(2026, 11, 23), WAIVED), (date(2026, 11, 22), FAIL)],
    ids=["last day", "over"],
)
def test_a_waiver_holds_to_its_last_day(until, expected):
    waiver = Waiver(gate="gap", until=until, reason="known", approved_by="the owner")
    (verdict,) = judge([finding(0.6, 0.9)], [gate()], [waiver], TODAY)
    assert verdict.outcome is expected
    assert str(until) in verdict.reason


def test_a_waiver_covers_failures_of_its_gate_only():
    waiver = Waiver(gate="gap", until=date(2099, 1, 1), reason="known", approved_by="the owner")
    gates = [gate(), gate(id="other")]
    outcomes = [one.outcome for one in judge([finding(0.6, 0.9)], gates, [waiver], TODAY)]
    assert outcomes == [WAIVED, FAIL]
    assert judge([finding(0.4, 0.6)], [gate()], [waiver], TODAY)[0].outcome is UNDECIDED


def test_nothing_is_decided_on_a_partial_run():
    report = build_report()
    run = report.run.model_copy(update={"status": Status.PARTIAL})
    partial = report.model_copy(update={"run": run})
    assert {one.outcome for one in judge(partial, [gate()], (), TODAY)} == {UNDECIDED}
    assert FAIL in {one.outcome for one in judge(report, [gate()], (), TODAY)}


def run_with(gates=(), findings=(), status=Status.COMPLETE):
    report = build_report(spec=spec().model_copy(update={"gates": tuple(gates)}))
    analysis = report.analyses[0].model_copy(update={"findings": tuple(findings)})
    judged = report.model_copy(
        update={"analyses": (analysis,), "run": report.run.model_copy(update={"status": status})}
    )
    return judged.model_copy(update={"verdicts": judge(judged, gates, (), TODAY)})


BAD, FAIR, OPEN = finding(0.6, 0.9), finding(-0.1, 0.1), finding(0.4, 0.6)


@pytest.mark.parametrize(
    ("report", "fail_on", "expected"),
    [
        (run_with([gate()], [FAIR]), "fail", 0),
        (run_with([], [BAD]), "fail", 0),
        (run_with([gate()], [BAD]), "fail", 1),
        (run_with([gate()], [BAD]), "never", 0),
        (run_with([gate(advisory=True)], [BAD]), "undecided", 0),
        (run_with([gate()], [OPEN]), "fail", 0),
        (run_with([gate()], [OPEN]), "warn", 4),
        (run_with([gate()], [OPEN]), "undecided", 4),
        (run_with([gate(on_undecided="pass")], [OPEN]), "warn", 0),
        (run_with([gate(on_undecided="pass")], [OPEN]), "undecided", 4),
        (run_with([gate(on_undecided="fail")], [OPEN]), "fail", 4),
        (run_with([gate(on_undecided="fail")], [OPEN]), "never", 0),
        (run_with([gate(rule=Rule.EVIDENCE_OF_COMPLIANCE)], [OPEN]), "fail", 4),
        (run_with([gate(rule=Rule.EVIDENCE_OF_COMPLIANCE, on_undecided="warn")], [OPEN]), "fail", 0),
        (run_with([gate()], [BAD, OPEN]), "undecided", 1),
        (run_with([], []), "fail", 5),
        (run_with([], [BAD], Status.ERROR), "fail", 3),
        (run_with([gate()], [BAD], Status.ERROR), "fail", 1),
        (run_with([gate()], [OPEN], Status.ERROR), "undecided", 3),
        (run_with([], [], Status.ERROR), "fail", 3),
        (run_with([gate()], [BAD], Status.INTERRUPTED), "fail", 130),
        (run_with([gate()], [BAD], Status.PARTIAL), "fail", 4),
        (run_with([gate(on_undecided="pass")], [BAD], Status.PARTIAL), "fail", 4),
        (run_with([gate(advisory=True)], [BAD], Status.PARTIAL), "fail", 0),
        (run_with([gate()], [BAD], Status.PARTIAL), "never", 0),
        (run_with([gate()], [BAD], Status.PARTIAL), "undecided", 4),
    ],
)
def test_exit_codes(report, fail_on, expected):
    assert exit_code(report, FailOn(fail_on)) == expected


def test_a_gate_without_a_finding_is_undecided_before_nothing_was_audited():
    assert exit_code(run_with([gate()], []), FailOn.UNDECIDED) == 4


def test_the_order_of_exit_codes():
    assert [first_code({5, 4, 6, 3, 1, 2, 130} - gone) for gone in ({0}, {130}, {130, 2}, {130, 2, 1})] == [
        130,
        2,
        1,
        3,
    ]
    assert [first_code(codes) for codes in ((6, 4, 5), (4, 5), (5,), ())] == [6, 4, 5, 0]


def test_the_rule_decides_where_the_gate_does_not():
    assert undecided_policy(gate()) == "warn"
    assert undecided_policy(gate(rule=Rule.EVIDENCE_OF_COMPLIANCE)) == "fail"


@pytest.mark.parametrize(
    ("more", "fail_on", "code"),
    [
        ({}, FailOn.FAIL, 5),
        ({}, FailOn.UNDECIDED, 4),
        ({}, FailOn.NEVER, 0),
        ({"advisory": True}, FailOn.FAIL, 0),
        ({"on_undecided": "pass"}, FailOn.FAIL, 0),
    ],
)
def test_a_gate_that_no_finding_matches_is_not_a_pass(more, fail_on, code):
    gates = (
        Gate(id="wide", metric="biaslens.score", at_most=9.0),
        Gate(id="typo", metric="biaslens.score", where={"concept": "fod"}, at_most=9.0, **more),
    )
    report = build_report(spec=spec().model_copy(update={"gates": gates}))
    judged = report.model_copy(update={"verdicts": judge(report, gates, (), TODAY)})
    assert judged.verdicts[-1].outcome is UNDECIDED
    assert "no finding" in judged.verdicts[-1].reason
    assert exit_code(judged, fail_on) == code
    without = judged.model_copy(update={"spec": spec().model_copy(update={"gates": gates[:1]})})
    without = without.model_copy(update={"verdicts": judged.verdicts[:-1]})
    assert exit_code(without, fail_on) == 0
