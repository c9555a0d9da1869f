"""What a plan says a gate can see is what simulated gates see."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from biaskit.gates import judge
from biaskit.records.audit_spec import Gate, Rule, Statistics, Subject
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Finding
from biaskit.records.report import Outcome, Status
from biaskit.runner.planning import plan
from biaskit.runner.request import Request
from biaskit.stats.bootstrap import two_way_interval
from tests.gates.test_changes import run_of

TODAY = date(2026, 11, 23)


def cells(rng, truth):
    """Many templates and one noun, so that one run tells the spread well."""
    return truth + rng.normal(size=(150, 1))


def measured(table):
    return Finding(
        metric="biaslens.score",
        concepts=("food",),
        estimate=Estimate(
            value=float(table.mean()),
            unit=Unit.NAT,
            n=table.size,
            resampling_unit="templates",
            method="mean",
            interval=two_way_interval(table),
            reason="no null",
        ),
    )


@pytest.fixture
def earlier():
    rng = np.random.default_rng(0)
    found = run_of({name: cells(rng, 0.0) for name in ("food", "price", "music")})
    return found.model_copy(update={"probe_sets": ()})


def request(earlier, *gates, **changes):
    spec = earlier.spec.model_copy(
        update={"gates": gates, "waivers": (), "subject": Subject(model="demo"), **changes}
    )
    return Request(spec=spec, comparisons=(), model="demo")


def gate(**more):
    return Gate(**({"id": "gap", "metric": "biaslens.score", "at_most": 0.5} | more))


def test_without_a_run_nothing_is_known_and_it_says_why(earlier):
    found = plan(request(earlier, gate(mde=0.1)))
    (one,) = found.gates
    assert (one.minimum_detectable_effect, one.n, one.impossible) == (None, None, False)
    assert "--from" in one.basis
    assert (found.duration_s, found.memory_mib) == (None, None)


def test_a_run_of_the_same_design_tells_time_memory_and_sight(earlier):
    found = plan(request(earlier, gate(mde=5.0)), earlier)
    assert found.duration_s == earlier.run.duration_s
    assert found.memory_mib == earlier.run.peak_memory_mib
    assert len(found.gates) == 3
    assert all(one.power > 0.99 and not one.impossible for one in found.gates)
    assert found.weights_mib > 0


def test_a_gate_that_promises_too_much_is_refused_with_what_it_would_take(earlier):
    (one, *_) = plan(request(earlier, gate(mde=0.1)), earlier).gates
    assert one.impossible
    assert one.needed == pytest.approx(one.n * (one.minimum_detectable_effect / 0.1) ** 2, rel=0.01)
    assert one.power < 0.5


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"references": ("wealth",)}, "references differ"),
        ({"analyzers": ()}, "analyzers differ"),
    ],
)
def test_a_run_of_another_design_tells_nothing(earlier, change, said):
    (one,) = plan(request(earlier, gate(), **change), earlier).gates
    assert one.minimum_detectable_effect is None
    assert said in one.basis


def test_a_partial_run_tells_nothing(earlier):
    partial = earlier.model_copy(update={"run": earlier.run.model_copy(update={"status": Status.PARTIAL})})
    (one,) = plan(request(earlier, gate()), partial).gates
    assert "partial" in one.basis


def test_a_change_needs_two_runs(earlier):
    one = gate(against="baseline", at_most=0.2)
    asked = request(earlier, one)
    found = plan(asked, earlier)
    assert "--baseline" in found.gates[0].basis
    assert "none is named" in found.warnings[0]
    both = plan(replace(asked, baseline=earlier), earlier)
    assert both.gates[0].minimum_detectable_effect == 0.0


def test_a_partial_plan_warns(earlier):
    assert "partial" in plan(replace(request(earlier, gate()), partial=True), earlier).warnings[0]


def failures(truth, planned, limit, how, runs=200):
    """Share of simulated runs in which the first of the family fails, the others being far inside."""
    rng, failed = np.random.default_rng(1), 0
    for _ in range(runs):
        found = [measured(cells(rng, one)) for one in (truth, 0.0, 0.0)]
        verdicts = judge(found, [limit], (), TODAY, how)
        failed += verdicts[0].outcome is Outcome.FAIL
    return failed / runs


def test_the_smallest_effect_is_found_with_the_power_that_is_said(earlier):
    """A violation of the planned size fails in about 80 % of runs, one of half the size far less often."""
    how, limit = Statistics(), gate(at_most=1.0)
    planned = plan(request(earlier, limit), earlier).gates[0]
    size = planned.minimum_detectable_effect
    found = failures(1.0 + size, planned, limit, how)
    assert 0.7 <= found <= 0.92
    assert failures(1.0 + size / 2, planned, limit, how, runs=100) <= 0.5


def test_a_fair_model_passes_as_often_as_is_said():
    rng = np.random.default_rng(2)
    earlier = run_of({"food": cells(rng, 0.0)}).model_copy(update={"probe_sets": ()})
    width = two_way_interval(cells(rng, 0.0))
    limit = gate(at_most=0.9 * (width.high - width.low) / 2 * 1.4, rule=Rule.EVIDENCE_OF_COMPLIANCE)
    said = plan(request(earlier, limit), earlier).gates[0].passes
    passed = [
        judge([measured(cells(rng, 0.0))], [limit], (), TODAY)[0].outcome is Outcome.PASS for _ in range(150)
    ]
    assert np.mean(passed) == pytest.approx(said, abs=0.15)
    assert 0.1 < said < 0.95
