"""What each rule controls: levels, equivalence, the family-wise error, and the power that is left."""

from datetime import date

import numpy as np
import pytest
from scipy import stats

from biaskit.gates import carried, judge
from biaskit.gates.evidence import violation_p
from biaskit.gates.limits import Limit
from biaskit.records.audit_spec import Gate, Rule, Statistics
from biaskit.records.estimate import Estimate, Interval, Unit
from biaskit.records.finding import Direction, Finding
from biaskit.records.report import Outcome
from biaskit.stats.bootstrap import two_way_interval

TODAY = date(2026, 11, 23)
N = 12
FAIL, PASS, UNDECIDED = Outcome.FAIL, Outcome.PASS, Outcome.UNDECIDED


def estimate(value, error, *, df=N - 1, level=0.95, unit=Unit.NAT, n=N):
    half = float(stats.t.ppf((1 + level) / 2, df)) * error
    interval = Interval(low=value - half, high=value + half, level=level, method="t", degrees_of_freedom=df)
    return Estimate(
        value=value,
        unit=unit,
        n=n,
        resampling_unit="templates",
        method="mean",
        interval=interval,
        reason="no null",
    )


def finding(one, concept="food", direction=Direction.TOWARD_ZERO):
    return Finding(metric="biaslens.score", concepts=(concept,), direction=direction, estimate=one)


def gate(**more):
    return Gate(**({"id": "gap", "metric": "biaslens.score", "at_most": 0.5} | more))


def outcomes(findings, *gates, **statistics):
    found = judge(findings, gates or [gate()], (), TODAY, Statistics(**statistics))
    return [one.outcome for one in found]


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95, 0.99, 0.999])
@pytest.mark.parametrize("df", [2, 11, 200])
def test_an_interval_at_another_level_is_the_one_computed_there(level, df):
    moved = carried(estimate(0.3, 0.1, df=df), level, Statistics())
    expected = estimate(0.3, 0.1, df=df, level=level).interval
    assert (moved.low, moved.high, moved.level) == pytest.approx((expected.low, expected.high, level))


def test_an_interval_at_its_own_level_stays_as_it_stands():
    one = estimate(0.3, 0.1)
    assert carried(one, 0.95, Statistics()) == one.interval


def test_a_skewed_interval_stays_skewed_and_a_share_stays_a_share():
    wilson = Interval(low=0.0, high=0.28, level=0.95, method="Wilson")
    one = Estimate(
        value=0.0,
        unit=Unit.PROPORTION,
        n=10,
        resampling_unit="images",
        method="share",
        interval=wilson,
        reason="-",
    )
    moved = carried(one, 0.99, Statistics())
    assert moved.low == 0.0
    assert 0.28 < moved.high <= 1.0
    assert carried(one.model_copy(update={"value": 0.27}), 0.999999, Statistics()).high <= 1.0


def test_the_normal_is_narrower_than_student_at_a_higher_level():
    one = estimate(0.0, 0.1, df=3)
    student, normal = (carried(one, 0.99, Statistics(interval=way)) for way in ("student", "normal"))
    assert student.high > normal.high > one.interval.high


@pytest.mark.parametrize("value", [-3.0, -0.8, -0.5, 0.0, 0.5, 0.7, 0.73, 2.0])
def test_p_reaches_alpha_exactly_where_the_interval_leaves_the_limit(value):
    one, limit = estimate(value, 0.1), Limit(-0.5, 0.5, "")
    beyond = one.interval.low > 0.5 or one.interval.high < -0.5
    assert (violation_p(one, limit, Statistics()) < 0.05) is beyond
    assert violation_p(one, limit, Statistics()) == 1.0 or abs(value) > 0.5


def test_a_number_without_spread_is_decided_by_where_it_stands():
    assert outcomes([finding(estimate(0.6, 0.0))]) == [FAIL]
    assert outcomes([finding(estimate(0.5, 0.0))]) == [PASS]


@pytest.mark.parametrize(
    ("limits", "direction", "value", "expected"),
    [
        ({"within": (-0.1, 0.5)}, Direction.TOWARD_ZERO, 0.2, PASS),
        ({"within": (-0.1, 0.5)}, Direction.TOWARD_ZERO, -0.3, FAIL),
        ({"within": (0.9, 1.1)}, Direction.NONE, 1.0, PASS),
        ({"within": (0.9, 1.1)}, Direction.NONE, 1.1, UNDECIDED),
    ],
)
def test_within_bounds_the_value_itself(limits, direction, value, expected):
    one = finding(estimate(value, 0.02), direction=direction)
    assert outcomes([one], gate(at_most=None, **limits)) == [expected]


def test_compliance_is_two_one_sided_tests():
    """The 90 % interval decides at a level of 95 %: the TOST of the textbooks."""
    error = 0.1
    reach = float(stats.t.ppf(0.95, N - 1)) * error
    inside, across = (
        finding(estimate(0.5 - reach - 1e-6, error)),
        finding(estimate(0.5 - reach + 1e-6, error)),
    )
    rule = {"rule": Rule.EVIDENCE_OF_COMPLIANCE}
    assert outcomes([inside], gate(**rule)) == [PASS]
    assert outcomes([across], gate(**rule)) == [UNDECIDED]
    assert outcomes([inside], gate()) == [UNDECIDED]


def test_holm_asks_more_of_a_failure_where_there_are_many():
    edge = float(stats.t.ppf(0.985, N - 1)) * 0.1
    close = finding(estimate(0.5 + edge, 0.1))
    others = [finding(estimate(0.0, 0.1), f"other-{number}") for number in range(9)]
    assert outcomes([close]) == [FAIL]
    assert outcomes([close, *others])[0] is UNDECIDED
    assert outcomes([close, *others], multiplicity="none")[0] is FAIL
    far = finding(estimate(2.0, 0.1))
    assert outcomes([far, *others])[0] is FAIL


def test_the_family_is_the_file_or_the_gate_and_advice_is_a_family_of_its_own():
    edge = float(stats.t.ppf(0.985, N - 1)) * 0.1
    close = finding(estimate(0.5 + edge, 0.1))
    others = [finding(estimate(0.0, 0.1), f"other-{number}") for number in range(9)]
    two = (gate(where={"concept": "food"}), gate(id="rest", at_most=9.0))
    assert outcomes([close, *others], *two)[0] is UNDECIDED
    assert outcomes([close, *others], *two, family="gate")[0] is FAIL
    advisory = (two[0], gate(id="rest", at_most=9.0, advisory=True))
    assert outcomes([close, *others], *advisory)[0] is FAIL


def drawn(truths, rng, templates=8, fillers=10):
    """Findings measured as analyzers measure them, all on the same templates and so dependent."""
    shared = rng.normal(size=(templates, 1))
    for place, truth in enumerate(truths):
        own = rng.normal(size=(templates, 1)), rng.normal(size=(1, fillers))
        cells = truth + 0.7 * shared + 0.7 * own[0] + own[1] + rng.normal(size=(templates, fillers))
        yield finding(
            Estimate(
                value=float(cells.mean()),
                unit=Unit.NAT,
                n=cells.size,
                resampling_unit="templates x fillers",
                method="mean",
                interval=two_way_interval(cells),
                reason="no null",
            ),
            f"concept-{place}",
        )


@pytest.fixture(scope="module")
def family_wise():
    """False failures of a file of 12 verdicts whose truths lie exactly on the limit, over 1,000 files."""
    rng = np.random.default_rng(0)
    files = [list(drawn([0.5] * 12, rng)) for _ in range(1000)]
    return {
        way: float(np.mean([FAIL in outcomes(one, gate(at_most=0.5), multiplicity=way) for one in files]))
        for way in ("holm", "none")
    }


def test_holm_keeps_the_family_wise_error(family_wise):
    assert family_wise["holm"] <= 0.05


def test_without_correction_the_family_fails_too_often(family_wise):
    assert family_wise["none"] > 0.07


def test_a_suite_complies_falsely_at_most_at_alpha():
    """Passing needs every gate to pass: no correction, and still one violation at the limit passes <= 5 %."""
    rng, rule = np.random.default_rng(1), {"rule": Rule.EVIDENCE_OF_COMPLIANCE, "at_most": 3.0}
    files = [list(drawn([3.0, 0.0, 0.0], rng)) for _ in range(1000)]
    passed = np.mean([set(outcomes(one, gate(**rule))) == {PASS} for one in files])
    assert passed <= 0.065


def test_what_is_far_beyond_is_found_among_many():
    rng = np.random.default_rng(2)
    files = [list(drawn([4.0, *[0.0] * 11], rng)) for _ in range(200)]
    found = [outcomes(one, gate(at_most=0.5)) for one in files]
    assert np.mean([one[0] is FAIL for one in found]) >= 0.8
    assert np.mean([FAIL in one[1:] for one in found]) <= 0.05
