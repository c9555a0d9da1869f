"""No verdict rests on what contradicts itself or was never calibrated."""

from datetime import date

import pytest
import torch

from biaskit.analyzers.biaslens import BiasLens
from biaskit.analyzers.biaslens.findings import sign, undecided
from biaskit.analyzers.biaslens.triangulation import LEAST_AGREEMENT, conflicts, marked
from biaskit.gates import judge
from biaskit.records.audit_spec import Gate
from biaskit.records.estimate import Estimate, Interval, Unit
from biaskit.records.finding import Finding
from biaskit.records.report import Outcome
from tests.analyzers.biaslens import toys

GIVEN_TARGET = ("references given target",)
AXIS = toys.drawn("the axis of the log-odds")
AXIS = AXIS / AXIS.norm()
FAR = 4.2
"""Where the wave below is negative while its slopes at both ends still promise a rise."""


def wave(h):
    return 3 * torch.sin(h @ AXIS)


def far_off(prompt):
    """Neutral nouns lie close to 0 along the axis, soup at `FAR`; the rest of h says nothing."""
    aside = toys.by_word(prompt)
    along = 0.02 * (aside @ AXIS) + (FAR if "soup" in prompt.text or "broth" in prompt.text else 0)
    return aside - (aside @ AXIS) * AXIS + along * AXIS


def verdicts(findings, metric):
    gate = Gate(id="limit", metric=metric, at_most=0.5)
    return judge([f for f in findings if f.metric == metric], [gate], (), date(2026, 1, 1))


@pytest.fixture(scope="module")
def contradiction():
    compared = toys.comparison(targets={"soup": ("soup", "broth"), "bus": ("bus", "tram")})
    session = toys.session(toys.Toy(wave, far_off), compared)
    return BiasLens(axes=("readout",), readings=GIVEN_TARGET, autoencoder="none").analyze(session)


def test_inside_and_behaviour_that_disagree_stand_first(contradiction):
    found = {(f.metric, f.concepts[0]): f.estimate for f in contradiction.findings}
    assert sign(found["biaslens.score", "soup"]) == 1
    assert sign(found["biaslens.behaviour", "soup"]) == -1
    assert sign(found["biaslens.patching", "soup"]) == -1
    assert len(contradiction.conflicts) == 1
    assert contradiction.conflicts[0].startswith("soup, references given target: signs disagree")
    assert "inside towards up" in contradiction.conflicts[0]
    assert "behaviour towards down" in contradiction.conflicts[0]


def test_a_contradicted_score_gets_no_verdict_and_the_others_do(contradiction):
    found = {f.concepts[0]: f.estimate for f in contradiction.findings if f.metric == "biaslens.score"}
    assert found["soup"].reason.startswith("undecided: ")
    assert found["bus"].reason is None
    outcome = {v.concept: v for v in verdicts(contradiction.findings, "biaslens.score")}
    assert outcome["soup"].outcome is Outcome.UNDECIDED
    assert "disagree" in outcome["soup"].reason
    assert outcome["bus"].outcome is Outcome.PASS


def test_an_axis_that_is_not_oriented_gets_no_verdict():
    """The stated sentences differ along a direction that the behaviour does not know."""
    other = toys.drawn("what was said")
    other = other - (other @ AXIS) * AXIS

    def vectors(prompt):
        told = sum(word in prompt.text for word in toys.STATES["up"]) - sum(
            word in prompt.text for word in toys.STATES["down"]
        )
        return toys.by_word(prompt, 0.1) + 5 * told * other

    compared = toys.comparison()
    session = toys.session(toys.Toy(lambda h: h @ AXIS, vectors), compared)
    analysis = BiasLens(axes=("stated",), readings=GIVEN_TARGET, autoencoder="none").analyze(session)
    silent = [f for f in analysis.findings if f.metric == "biaslens.axis_stated"]
    assert len(silent) == len(compared.targets.targets)
    for finding in silent:
        assert finding.estimate.value is None
        assert finding.estimate.reason.startswith("undecided: not oriented")
    assert {v.outcome for v in verdicts(analysis.findings, "biaslens.axis_stated")} == {Outcome.UNDECIDED}


def finding(value, half=0.1):
    interval = Interval(low=value - half, high=value + half, level=0.95, method="made up")
    return Finding(
        metric="biaslens.score",
        concepts=("soup",),
        references=("up", "down"),
        group="reading",
        estimate=Estimate(
            value=value,
            unit=Unit.NAT,
            n=4,
            resampling_unit="stems",
            method="made up",
            interval=interval,
            reason="no null",
        ),
    )


@pytest.mark.parametrize(
    ("inside", "outside", "cause", "agreement", "expected"),
    [
        (1.0, 1.0, 1.0, 0.9, None),
        (1.0, 0.05, 1.0, 0.9, None),
        (1.0, -1.0, 1.0, 0.9, "inside towards up, behaviour towards down, cause towards up"),
        (1.0, 1.0, -1.0, 0.9, "cause towards down"),
        (0.05, 1.0, -1.0, 0.9, "inside near zero"),
        (1.0, 1.0, 1.0, LEAST_AGREEMENT - 0.01, "predicts 49%"),
        (0.0, 1.0, 1.0, 0.0, "predicts 0%"),
        (1.0, 1.0, None, -2.0, "too little"),
    ],
)
def test_what_counts_as_a_contradiction(inside, outside, cause, agreement, expected):
    causes = {} if cause is None else {"soup": finding(cause)}
    scores = {"soup": finding(inside)}
    found = conflicts(scores, {"soup": finding(outside)}, causes, agreement)
    (shown,) = marked(scores, found)
    if expected is None:
        assert found == {}
        assert shown == scores["soup"]
    else:
        assert expected in found["soup"]
        assert shown.estimate.reason == f"undecided: {found['soup']}"
        assert shown.estimate.value == inside


@pytest.mark.parametrize(("value", "expected"), [(1.0, 1), (-1.0, -1), (0.05, 0), (-0.05, 0)])
def test_a_sign_needs_an_interval_without_zero(value, expected):
    assert sign(finding(value).estimate) == expected


def test_without_a_value_or_an_interval_there_is_no_sign():
    bare = Estimate(value=2.0, unit=Unit.NAT, n=1, resampling_unit="x", method="m", reason="one cell")
    assert sign(bare) == 0
    assert sign(bare.model_copy(update={"value": None})) == 0


def test_what_is_marked_undecided_is_judged_so_even_beyond_the_limit():
    gate = Gate(id="limit", metric="biaslens.score", at_most=0.5)
    certain = finding(3.0)
    (plain,) = judge([certain], [gate], (), date(2026, 1, 1))
    (marked_,) = judge([undecided(certain, "because")], [gate], (), date(2026, 1, 1))
    assert plain.outcome is Outcome.FAIL
    assert marked_.outcome is Outcome.UNDECIDED
