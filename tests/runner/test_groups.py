"""A metric by group: the groups' own numbers, and only those disparities that were measured."""

import numpy as np
import pytest

from biaskit.analyzers.vig_bias.groups import Grouped, group_findings
from biaskit.errors import RequestError, UnknownNameError
from biaskit.records.finding import Analysis
from biaskit.runner.run import Run
from tests.reporting import sample

fairlearn = pytest.importorskip("fairlearn.metrics")
LABELS = np.repeat([0, 1], 60)
SCENES = ["street, wet", "yard"] * 60


def probabilities():
    """A classifier that errs on a third of the yard and nowhere else."""
    wrong = np.array([scene == "yard" and row % 3 == 1 for row, scene in enumerate(SCENES)])
    predicted = np.where(wrong, 1 - LABELS, LABELS)
    return np.eye(2)[predicted]


@pytest.fixture(scope="module")
def run():
    names = ["cat" if label == 0 else "dog" for label in LABELS]
    grouped = Grouped("pets", {"class": names, "scene": SCENES}, clusters=())
    findings = tuple(group_findings(grouped, grouped.frame(LABELS, probabilities(), {}, seed=0)))
    held = sample.build_report().model_dump()
    held["analyses"] = [Analysis(analyzer="vig-bias", settings={}, findings=findings).model_dump()]
    return Run.model_validate(held | {"verdicts": []})


@pytest.fixture(scope="module")
def peer():
    """The same numbers by fairlearn."""
    return fairlearn.MetricFrame(
        metrics=lambda y_true, y_pred: float((y_true == y_pred).mean()),
        y_true=LABELS,
        y_pred=probabilities().argmax(axis=1),
        sensitive_features=SCENES,
    )


def test_the_groups_are_those_of_fairlearn(run, peer):
    frame = run.by_group("vig_bias.accuracy").frame
    assert list(frame.index.names) == ["concept", "attribute", "group"]
    for scene, accuracy in peer.by_group.items():
        row = frame.loc[("pets", "scene", scene)]
        assert row["value"] == pytest.approx(accuracy)
        assert row["low"] <= accuracy <= row["high"]
        assert row["n"] == 60


def test_difference_and_ratio_are_those_of_fairlearn_with_intervals(run, peer):
    groups = run.by_group("vig_bias.accuracy")
    difference, ratio = (frame.loc[("pets", "scene")] for frame in (groups.difference(), groups.ratio()))
    assert difference["value"] == pytest.approx(peer.difference())
    assert ratio["value"] == pytest.approx(peer.ratio())
    assert difference["low"] > 0 < difference["high"] < 1
    assert ratio["low"] < ratio["value"] < ratio["high"] < 1
    assert max(difference["p"], ratio["p"]) < 0.01


def test_no_disparity_of_groups_that_do_not_differ(run):
    even = run.by_group("vig_bias.accuracy").difference().loc[("pets", "class")]
    assert even["p"] > 0.05
    assert even["low"] == 0


def test_what_was_not_measured_is_not_computed(run):
    held = run.model_dump()
    kept = [one for one in held["analyses"][0]["findings"] if not one["metric"].endswith(("_gap", "_ratio"))]
    held["analyses"][0]["findings"] = kept
    groups = Run.model_validate(held).by_group("vig_bias.accuracy")
    with pytest.raises(RequestError, match="measured no difference of groups"):
        groups.difference()
    with pytest.raises(RequestError, match="measured no ratio of groups"):
        groups.ratio()


def test_typos_are_answered(run):
    with pytest.raises(UnknownNameError, match=r"vig_bias\.accuracy"):
        run.by_group("vig_bias.acuracy")
    with pytest.raises(UnknownNameError, match="pets"):
        run.by_group("vig_bias.accuracy", "pet")


def test_a_reading_is_a_group_without_attribute():
    frame = Run.model_validate(sample.build_report().model_dump()).by_group("biaslens.score").frame
    assert set(frame.index.get_level_values("attribute")) == {""}
    assert sample.FORWARD in frame.index.get_level_values("group")


def test_it_shows_itself_with_names_escaped(run):
    shown = run.by_group("vig_bias.accuracy")
    assert "yard" in repr(shown)
    assert "<table" in shown._repr_html_()
