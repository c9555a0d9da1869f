"""Two runs side by side: pairing against numpy, nulls and power, what is refused, gates on changes."""

from datetime import date

import numpy as np
import pytest

from biaskit.errors import RequestError
from biaskit.gates import check_baseline, compare, exit_code, judged
from biaskit.gates.differences import paired_difference
from biaskit.gates.rows import clustered_error, error_of_mean
from biaskit.gates.student import quantile
from biaskit.records.audit_spec import Gate, Rule, Statistics
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Analysis, Direction, Finding, FromRows
from biaskit.records.report import Change, Outcome
from biaskit.records.table import Column, Table
from biaskit.stats.bootstrap import two_way_degrees_of_freedom, two_way_interval, two_way_standard_error
from biaskit.stats.paired import paired_interval
from tests.reporting.sample import build_report, spec

TODAY = date(2026, 11, 23)
TEMPLATES, FILLERS = 8, 6
SPEC = spec()
REPORT = build_report(spec=SPEC)


def run_of(tables, gates=(), direction=Direction.TOWARD_ZERO, *, kept=True, **changes):
    """A run with one finding for each table of templates x fillers."""
    rows, findings = [], []
    for concept, cells in tables.items():
        rows += [
            (concept, f"t{place}", f"f{column}", float(cells[place, column]))
            for place in range(cells.shape[0])
            for column in range(cells.shape[1])
        ]
        findings.append(
            Finding(
                metric="biaslens.score",
                concepts=(concept,),
                direction=direction,
                estimate=Estimate(
                    value=float(cells.mean()),
                    unit=Unit.NAT,
                    n=cells.size,
                    resampling_unit="templates x fillers",
                    method="mean",
                    interval=two_way_interval(cells),
                    reason="no null",
                ),
                rows=FromRows(
                    table="cells", column="value", where={"concept": concept}, units=("template", "filler")
                ),
            )
        )
    names = ("concept", "template", "filler", "value")
    columns = tuple(Column(name=name, description="What it says.") for name in names)
    table = Table(name="cells", title="cells", columns=columns, rows=tuple(rows))
    tables = (table,) if kept else ()
    analysis = Analysis(analyzer="biaslens", settings={}, findings=tuple(findings), tables=tables)
    asked = SPEC.model_copy(update={"gates": tuple(gates)})
    told = {"spec": asked, "spec_digest": asked.digest, "analyses": (analysis,), "verdicts": ()}
    return REPORT.model_copy(update=told | changes)


def cells(rng, truth=0.0, spread=1.0):
    rows, columns = rng.normal(size=(TEMPLATES, 1)), rng.normal(size=(1, FILLERS))
    return truth + spread * (rows + columns + rng.normal(size=(TEMPLATES, FILLERS)))


def only(before, after, **more):
    (found,) = compare(run_of({"food": before}, **more), run_of({"food": after}, **more)).differences
    return found


@pytest.mark.parametrize("shape", [(8, 6), (2, 9), (8, 1), (1, 5), (3, 3)])
def test_the_clustered_error_is_the_one_on_arrays(shape):
    table = np.random.default_rng(3).normal(size=shape) + np.arange(shape[0])[:, None]
    rows = [((str(i), str(j)), float(table[i, j])) for i in range(shape[0]) for j in range(shape[1])]
    found = clustered_error(rows)
    assert found == pytest.approx((two_way_standard_error(table), two_way_degrees_of_freedom(table)))


def by_cluster(rows):
    return [(unit[:1], value) for unit, value in rows]


TABLES = 400
SIZES = (60, 50, 40, 30, 20, 15, 12, 10, 8, 8, 6, 6, 5, 5, 4, 4, 3, 3, 3, 3)


@pytest.mark.parametrize("share", [0.2, 1.0])
def test_a_change_over_clusters_of_unequal_size_is_covered(share):
    """Nominal 95 %; the usual cluster-robust error covers less."""
    rng, covered, usual = np.random.default_rng(8), 0, 0
    units = [(str(c), f"{c}/{i}") for c, size in enumerate(SIZES) for i in range(size)]
    own = np.repeat(np.arange(len(SIZES)), SIZES)
    for _ in range(TABLES):
        moved = share**0.5 * rng.normal(size=len(SIZES))[own] + (1 - share) ** 0.5 * rng.normal(size=len(own))
        rows = list(zip(units, moved.tolist(), strict=True))
        for_all, old = error_of_mean(rows), clustered_error(by_cluster(rows))
        covered += abs(moved.mean()) <= quantile(0.975, for_all[1]) * for_all[0]
        usual += abs(moved.mean()) <= quantile(0.975, old[1]) * old[0]
    assert covered / TABLES >= 0.93
    assert usual < covered


def test_clusters_of_equal_size_have_the_usual_error():
    rng = np.random.default_rng(9)
    rows = [((str(c), f"{c}/{i}"), float(rng.normal())) for c in range(6) for i in range(4)]
    assert error_of_mean(rows) == pytest.approx(clustered_error(by_cluster(rows)))


def test_crossed_columns_and_single_rows_have_the_usual_error():
    table = np.random.default_rng(3).normal(size=(5, 4))
    crossed = [((str(i), str(j)), float(table[i, j])) for i in range(5) for j in range(4)]
    for rows in (crossed, crossed[:4], [((), value) for _, value in crossed]):
        assert error_of_mean(rows) == clustered_error(rows)


def test_one_cell_has_no_error():
    assert clustered_error([(("a", "b"), 1.0)]) is None
    assert clustered_error([((), 1.0)]) is None


def test_a_paired_change_is_the_interval_of_the_differences():
    rng = np.random.default_rng(4)
    before, after = cells(rng, 5.0), cells(rng, 5.5)
    found, expected = only(before, after), two_way_interval(after - before)
    assert found.paired
    assert found.change_in_value.value == pytest.approx((after - before).mean())
    interval = found.change_in_value.interval
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_pairing_sees_what_the_two_intervals_cannot():
    rng = np.random.default_rng(5)
    before = cells(rng, 5.0, spread=2.0)
    after = before + 0.3 + rng.normal(scale=0.1, size=before.shape)
    assert only(before, after).change is Change.WORSE
    unpaired = only(before, after, kept=False)
    assert (unpaired.change, unpaired.paired) == (Change.UNCHANGED, False)
    assert "not paired: its table 'cells' is not in the run" in unpaired.reason


def test_runs_on_other_units_are_not_paired():
    rng = np.random.default_rng(6)
    found = only(cells(rng, 5.0), cells(rng, 5.0)[:5])
    assert not found.paired
    assert "30 of 48 units are in both runs" in found.reason


def test_the_same_run_twice_has_not_changed():
    one = run_of({"food": cells(np.random.default_rng(7), 2.0)})
    (found,) = compare(one, one).differences
    assert (found.change, found.worsening.value, found.p) == (Change.UNCHANGED, 0.0, 1.0)
    assert "same weights" in compare(one, one).notes[0]


@pytest.mark.parametrize(
    ("direction", "before", "after", "expected"),
    [
        (Direction.TOWARD_ZERO, 5.0, 3.0, Change.BETTER),
        (Direction.TOWARD_ZERO, -3.0, -5.0, Change.WORSE),
        (Direction.TOWARD_ZERO, -5.0, 2.0, Change.BETTER),
        (Direction.HIGHER, 3.0, 5.0, Change.BETTER),
        (Direction.HIGHER, 5.0, 3.0, Change.WORSE),
        (Direction.LOWER, 3.0, 5.0, Change.WORSE),
        (Direction.NONE, 3.0, 5.0, Change.CHANGED),
        (Direction.NONE, 3.0, 3.0, Change.UNCHANGED),
    ],
)
@pytest.mark.parametrize("kept", [True, False])
def test_better_and_worse_follow_the_direction(direction, before, after, expected, kept):
    rng = np.random.default_rng(8)
    noise = cells(rng, 0.0, 0.1)
    noise -= noise.mean()
    found = only(before + noise, after + noise[::-1], direction=direction, kept=kept)
    assert found.change is expected
    assert (found.worsening is None) is (direction is Direction.NONE)


def test_what_is_in_one_run_only_is_new_or_absent():
    rng = np.random.default_rng(9)
    before, after = run_of({"food": cells(rng)}), run_of({"price": cells(rng)})
    found = {one.concepts[0]: one.change for one in compare(before, after).differences}
    assert found == {"price": Change.NEW, "food": Change.ABSENT}


@pytest.mark.parametrize("kept", [True, False])
def test_false_alarms_and_power_over_many_runs(kept):
    """30 findings a comparison, none changed: hardly any is called so; one that changed a lot is found."""
    rng = np.random.default_rng(10)
    false, found = [], []
    for _ in range(60):
        tables = {f"c{place}": cells(rng, 4.0, 0.3) for place in range(10)}
        moved = {name: table + 0.3 * (cells(rng) / 2) for name, table in tables.items()}
        moved["c0"] = moved["c0"] + 3.0
        changes = [
            one.change for one in compare(run_of(tables, kept=kept), run_of(moved, kept=kept)).differences
        ]
        found.append(changes[0] is Change.WORSE)
        false.append(any(one is not Change.UNCHANGED for one in changes[1:]))
    assert np.mean(false) <= 0.15
    assert np.mean(found) >= 0.9


def changed(report, **subject):
    return report.model_copy(update={"subject": report.subject.model_copy(update=subject)})


def test_a_baseline_of_another_model_or_suite_is_refused():
    one = run_of({"food": cells(np.random.default_rng(11))})
    check_baseline(one, changed(one, fingerprint="0" * 64))
    for other in (changed(one, name="gpt2"), changed(one, layers=12)):
        with pytest.raises(RequestError, match="another model"):
            check_baseline(one, other)
        check_baseline(one, other, other_model=True)
    suite = one.model_copy(update={"spec": one.spec.model_copy(update={"seed": 1, "concepts": ("a",)})})
    with pytest.raises(RequestError, match="concepts, seed differ"):
        check_baseline(one, suite)
    check_baseline(one, suite, other_spec=True)
    sets = one.model_copy(update={"probe_sets": ()})
    with pytest.raises(RequestError, match="probe sets differ"):
        check_baseline(one, sets)


def test_other_gates_do_not_make_another_suite():
    one = run_of({"food": cells(np.random.default_rng(12))})
    check_baseline(
        one, run_of({"food": cells(np.random.default_rng(12))}, [Gate(id="g", metric="a.b", at_most=1)])
    )


BASELINE_GATE = {"id": "no-regression", "metric": "biaslens.score", "against": "baseline", "at_most": 0.5}


@pytest.mark.parametrize(
    ("after", "limits", "expected"),
    [
        (5.1, {}, Outcome.PASS),
        (7.0, {}, Outcome.FAIL),
        (1.0, {}, Outcome.PASS),
        (1.0, {"at_most": None, "within": (-0.5, 0.5)}, Outcome.FAIL),
        (5.1, {"at_most": None, "within": (-0.5, 0.5)}, Outcome.PASS),
    ],
)
def test_a_gate_against_a_baseline_judges_how_much_worse_it_is(after, limits, expected):
    noise = cells(np.random.default_rng(13), 0.0, 0.05)
    noise -= noise.mean()
    before = run_of({"food": 5.0 + noise})
    now = run_of({"food": after + noise[::-1]}, [Gate(**(BASELINE_GATE | limits))])
    found = judged(now, TODAY, before)
    (verdict,) = found.verdicts
    assert verdict.outcome is expected, verdict.reason
    assert "since the baseline" in verdict.reason
    assert found.baseline == before.run.id


def test_without_a_baseline_nothing_is_decided():
    gate = Gate(**BASELINE_GATE, rule=Rule.EVIDENCE_OF_COMPLIANCE)
    found = judged(run_of({"food": cells(np.random.default_rng(14))}, [gate]), TODAY)
    (verdict,) = found.verdicts
    assert (verdict.outcome, exit_code(found)) == (Outcome.UNDECIDED, 4)
    assert "--baseline" in verdict.reason


def test_what_the_baseline_lacks_is_undecided():
    rng = np.random.default_rng(15)
    found = judged(
        run_of({"food": cells(rng)}, [Gate(**BASELINE_GATE)]), TODAY, run_of({"price": cells(rng)})
    )
    (verdict,) = found.verdicts
    assert (verdict.outcome, verdict.change) == (Outcome.UNDECIDED, Change.NEW)
    assert verdict.reason == "It is not in the baseline."


def test_a_gate_against_a_baseline_takes_no_floor():
    with pytest.raises(RequestError, match="takes no at_least"):
        judged(run_of({}, [Gate(**(BASELINE_GATE | {"at_least": 0.0}))]), TODAY)


def shares_of(before, after):
    """Two runs of one share over images, each of which shows the group or not."""
    units = [(str(place),) for place in range(len(before))]
    return units, [float(one) for one in before], [float(one) for one in after]


def changed_share(before, after, signs=(1.0, 1.0)):
    like = Estimate(value=0.0, unit=Unit.PROPORTION, n=1, resampling_unit="images", method="m", reason="r")
    return paired_difference(shares_of(before, after), signs, like, Statistics())


@pytest.mark.parametrize(("before", "after"), [((0, 0, 1, 1, 1), (1, 1, 1, 0, 1)), ((0,) * 30, (0,) * 30)])
def test_shares_over_the_same_images_are_paired_proportions(before, after):
    """Where no image changes there is no spread, and yet the shares may differ."""
    found = changed_share(before, after)
    own = paired_interval(np.array(after, dtype=bool), np.array(before, dtype=bool))
    assert (found.interval.low, found.interval.high) == pytest.approx((own.low, own.high), abs=1e-12)
    assert found.value == pytest.approx(np.mean(after) - np.mean(before))
    turned = changed_share(before, after, (-1.0, -1.0))
    assert (turned.interval.low, turned.interval.high) == pytest.approx((-own.high, -own.low), abs=1e-12)


def test_a_lean_is_a_share_less_a_number_and_paired_alike():
    before, after = np.array([0, 1, 1, 0]), np.array([1, 1, 1, 0])
    plain, lean = changed_share(before, after), changed_share(before - 1 / 3, after - 1 / 3)
    assert lean.interval.model_dump() == pytest.approx(plain.interval.model_dump())
    assert "Bonett-Price" in lean.interval.method


def test_what_is_no_yes_or_no_keeps_the_t_interval():
    found = changed_share([0.1, 0.5, 0.3], [0.2, 0.9, 0.1])
    assert "t(2)" in found.interval.method


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_intervals_of_paired_shares_hold_where_nothing_changed(share):
    rng, runs = np.random.default_rng(3), 600
    held = sum(0.0 in changed_share(*(rng.random((2, 48)) < share)).interval for _ in range(runs))
    assert held / runs >= 0.93
