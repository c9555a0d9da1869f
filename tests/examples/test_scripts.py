"""Each example runs from top to bottom and finds what was planted."""

import tomllib
from pathlib import Path

import pytest

from biaskit.records.report import Outcome
from biaskit.reporting.words import METRIC_WORDS
from biaskit.testing import CHECKS

UNITS = tomllib.loads((Path(__file__).parents[2] / "docs" / "metric-units.toml").read_text())


def check_units(run):
    """The reference says of each metric the unit that it has."""
    for one in run.findings():
        if one.estimate.value is not None and one.metric in METRIC_WORDS:
            said = UNITS.get(one.metric) or UNITS[one.metric.partition(".")[0]]
            assert one.estimate.unit == said, one.metric


@pytest.mark.slow
def test_the_gate_fails_what_is_planted_and_passes_what_is_even(example, capsys):
    names = example("gate_in_ci")
    outcomes = {verdict.gate: verdict.outcome for verdict in names["run"].verdicts}
    assert outcomes == {"food-is-even": Outcome.FAIL, "acting-is-even": Outcome.PASS}
    assert "exit code 1" in capsys.readouterr().out
    check_units(names["run"])
    changes = set(names["compared"].to_frame()["change"])
    assert changes == {"unchanged"}


@pytest.mark.slow
def test_the_walk_through_of_an_analyzer(example, capsys):
    names = example("write_an_analyzer")
    assert {one.concepts[0] for one in names["analysis"].findings} == set(names["TOPICS"])
    told = capsys.readouterr().out
    assert told.count("passed  check_") == len(CHECKS) - 1
    assert "failed  check_finds_a_plant" in told


@pytest.mark.slow
def test_the_vision_audit_finds_the_patch(example):
    names = example("vision")
    check_units(names["run"])
    groups = names["groups"]
    by_patch = groups.difference().loc[("shapes", "class and patch")]
    assert by_patch["value"] > 0.9
    assert by_patch["low"] > 0.2


@pytest.mark.slow
def test_the_diffusion_audit_tells_teachers_from_doctors(example):
    run = example("diffusion")["run"]
    check_units(run)
    leans = {one.concepts[0]: one.estimate.value for one in run.findings("diffusion_pid.log_odds")}
    assert leans["teacher"] > 0 > leans["doctor"]
