"""Grades by their rules, agreement by its null, and what several analyzers say of a planted model."""

import json

import numpy as np
import pytest
from analyzers.recomputing import recomputed, silent

import biaskit
from biaskit import organisms
from biaskit.records.estimate import Estimate, Interval, Null, Unit
from biaskit.records.finding import Finding
from biaskit.triangulation import GRADES, Grade, View, triangles, triangulate

POLES = ("up", "down")
METRIC = {
    View.INSIDE: "biaslens.score",
    View.ASSOCIATION: "association.difference",
    View.BEHAVIOUR: "biaslens.behaviour",
    View.CAUSE: "biaslens.patching",
}


def estimate(value, *, half=0.1, p=0.001, unit=Unit.NAT, reason=None):
    return Estimate(
        value=value,
        unit=unit,
        n=20,
        resampling_unit="made up",
        method="made up",
        interval=Interval(low=value - half, high=value + half, level=0.95, method="made up"),
        null=Null(p=p, kind="made up"),
        minimum_detectable_effect=0.2,
        reason=reason,
    )


def finding(view, value, concept="soup", **rest):
    return Finding(
        metric=METRIC[view], concepts=(concept,), references=POLES, estimate=estimate(value, **rest)
    )


def erasure(left, concept="soup"):
    shown = estimate(left, unit=Unit.PROPORTION)
    return Finding(metric="biaslens.erasure", concepts=(concept,), references=POLES, estimate=shown)


INSIDE, BEHAVIOUR, ASSOCIATION = View.INSIDE, View.BEHAVIOUR, View.ASSOCIATION


@pytest.mark.parametrize(
    ("found", "grade"),
    [
        ([finding(INSIDE, 1), finding(BEHAVIOUR, -1), erasure(0)], Grade.CONTRADICTORY),
        ([finding(INSIDE, 1), finding(BEHAVIOUR, 1), erasure(0.1)], Grade.CAUSAL),
        ([finding(INSIDE, 1), finding(BEHAVIOUR, 1), erasure(0.45)], Grade.AGREEING),
        ([finding(INSIDE, 1), finding(BEHAVIOUR, 1)], Grade.AGREEING),
        ([finding(INSIDE, 0.05), finding(BEHAVIOUR, 1), erasure(0)], Grade.ONE_SIDED),
        ([finding(INSIDE, 1, p=0.2), finding(BEHAVIOUR, 1), erasure(0)], Grade.ONE_SIDED),
        ([finding(INSIDE, 1, reason="undecided: it says so"), finding(BEHAVIOUR, 1)], Grade.ONE_SIDED),
        ([finding(ASSOCIATION, 1, unit=Unit.COSINE), finding(BEHAVIOUR, 0.01)], Grade.ONE_SIDED),
        ([finding(INSIDE, 0.01), finding(BEHAVIOUR, 0.01), erasure(0)], Grade.NOT_SHOWN),
        ([finding(INSIDE, 0.04, half=0.001), finding(BEHAVIOUR, 0.04, half=0.001)], Grade.NOT_SHOWN),
        ([finding(INSIDE, 0.06, half=0.001), finding(BEHAVIOUR, 0.06, half=0.001)], Grade.AGREEING),
        (
            [finding(ASSOCIATION, 0.01, half=0.001, unit=Unit.COSINE), finding(BEHAVIOUR, 0.0)],
            Grade.ONE_SIDED,
        ),
    ],
)
def test_a_grade_follows_its_rule(found, grade):
    (one,) = triangles(found)
    assert one.grade is grade


def test_swapping_the_poles_changes_no_grade():
    found = [finding(INSIDE, 1), finding(BEHAVIOUR, 1), erasure(0.1)]
    turned = [
        one.model_copy(update={"references": POLES[::-1], "estimate": estimate(-1)})
        if one.metric != "biaslens.erasure"
        else one.model_copy(update={"references": POLES[::-1]})
        for one in found
    ]
    assert triangles(found)[0].grade is triangles(turned)[0].grade


def test_what_is_in_one_view_alone_is_not_triangulated():
    assert triangulate([finding(INSIDE, 1), finding(BEHAVIOUR, 1, concept="bread")]) is None


def test_disagreement_comes_first_and_nothing_says_that_there_is_no_bias():
    found = [
        finding(view, value, concept)
        for concept, values in (("soup", (0.01, 0.01)), ("bread", (1, -1)), ("rice", (1, 1)))
        for view, value in zip((INSIDE, BEHAVIOUR), values, strict=True)
    ]
    analysis = triangulate(found)
    assert analysis.conflicts[0].startswith("bread")
    assert "bread" in analysis.summary[0]
    assert "soup" in analysis.summary[-1]
    assert "not evidence of no bias" in analysis.summary[-1]
    named = [row.name.partition(",")[0] for row in analysis.dots[0].rows]
    assert list(dict.fromkeys(named)) == ["bread", "rice", "soup"]
    assert set(GRADES) == set(Grade)


def test_agreement_has_the_exact_null_of_few_concepts():
    values = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0, "e": 5.0}
    found = [
        finding(view, value, concept) for concept, value in values.items() for view in (INSIDE, BEHAVIOUR)
    ]
    analysis = triangulate(found)
    (agreement,) = analysis.findings
    assert agreement.estimate.value == 1.0
    assert recomputed(analysis) == {"agreement"}
    assert not silent(analysis)
    assert len(analysis.tables[1].rows) == 5
    assert agreement.estimate.null.p == pytest.approx(2 / 120)
    assert agreement.estimate.n == 5


def test_unrelated_views_agree_no_more_often_than_chance():
    rng, agreed = np.random.default_rng(0), 0
    for _ in range(200):
        found = [
            finding(view, float(rng.normal()), f"c{index}")
            for index in range(6)
            for view in (INSIDE, BEHAVIOUR)
        ]
        (one,) = triangulate(found).findings
        agreed += one.estimate.null.p <= 0.05
    assert agreed <= 20


@pytest.fixture(scope="module")
def run():
    return biaskit.audit(
        "organism:reviews",
        concepts=("food", "service", "price"),
        references="sentiment",
        analyzers="association,biaslens",
        offline=True,
        cache=False,
    )


def test_every_view_of_a_planted_concept_has_the_sign_of_its_dose(run):
    doses = json.loads((organisms.folder("reviews") / "plant.json").read_text())["doses"]["sentiment"]
    found = {one.concept: one for one in triangles(run)}
    assert set(found) >= {"food", "service", "price"}
    for concept, one in found.items():
        if abs(doses[concept]) >= 1:
            assert set(one.signs.values()) == {int(np.sign(doses[concept]))}, concept
            assert len(one.signs) == len(View)
            assert one.grade is Grade.CAUSAL


def test_the_report_of_several_analyzers_holds_it(run):
    assert run.analyses[-1].analyzer == "triangulation"
    table = run.table("views")
    assert set(table["view"]) == set(map(str, View))
    assert biaskit.triangulate(run).summary == run.analyses[-1].summary
