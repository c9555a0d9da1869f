"""The verb on organism:portraits: a lean is balanced on fresh seeds; the same call goes on where it was."""

from __future__ import annotations

import pytest
from analyzers.recomputing import recomputed, silent

from biaskit.mitigations.steered import SteerRemedy
from biaskit.models import load
from biaskit.runner.mitigate import mitigate, to_mitigate

QUICK = {
    "images": 128,
    "latents": 128,
    "active": 16,
    "traced": 160,
    "fine": 192,
    "rounds": 2,
    "audited": 128,
    "steps": 10,
}


@pytest.fixture(scope="module")
def balanced(tmp_path_factory):
    out = tmp_path_factory.mktemp("mitigated")
    asked = to_mitigate(
        "organism:portraits",
        "portrait-occupations/doctor",
        ("portrait-gender", "portrait-age"),
        {"offline": True},
    )
    return mitigate(asked, out, settings=QUICK), out, asked


def number(run, metric, way):
    return next(one.estimate for one in run.findings(metric) if one.concepts[1] == way)


@pytest.mark.slow
def test_a_lean_is_balanced_beside_what_else_moves(balanced):
    run, out, _ = balanced
    before, steered = (number(run, "mitigation.share", way) for way in ("before", "steered"))
    assert before.interval.high < 0.2
    assert 0.5 in steered.interval or abs(steered.value - 0.5) < 0.12
    age = number(run, "mitigation.side_effect", "steered")
    assert abs(age.value) < 0.2
    assert number(run, "mitigation.fidelity", "steered").value > -0.1
    assert {one.concepts[1] for one in run.findings("mitigation.share")} >= {"steered", "prompts rewritten"}
    for one in run.findings():
        assert one.estimate.null is not None or one.estimate.reason
    (analysis,) = (one for one in run.analyses if one.analyzer == "steer-generator")
    numbers = {"share", "effect", "random_effect", "largest_fall", "side_effect", "fidelity"}
    assert recomputed(analysis) == numbers
    assert silent(analysis) == set()
    assert (out / "report.html").is_file()
    SteerRemedy.load(out / "remedy").apply(load("organism:portraits"))


@pytest.mark.slow
def test_the_same_call_ends_alike_and_learns_nothing_anew(balanced):
    run, out, asked = balanced
    kept = {path: path.stat().st_mtime_ns for path in (out / "work").rglob("*") if path.is_file()}
    again = mitigate(asked, out, settings=QUICK)
    assert [one.estimate for one in again.findings()] == [one.estimate for one in run.findings()]
    assert kept == {path: path.stat().st_mtime_ns for path in (out / "work").rglob("*") if path.is_file()}
