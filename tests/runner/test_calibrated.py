"""Calibrations that a run requires: missing, old, failed, of another version, other settings; and cited."""

from datetime import UTC, datetime, timedelta

import pytest

import biaskit
from biaskit.errors import CatalogueError, InstrumentError
from biaskit.records.audit_spec import AnalyzerSpec, AuditSpec, CalibrationSpec, Gate
from biaskit.records.calibration import Calibration, CalibrationFile
from biaskit.records.estimate import Estimate, Interval, Unit
from biaskit.runner import calibrated

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def rate(value=0.05, n=400):
    return Estimate(
        value=value,
        unit=Unit.PROPORTION,
        n=n,
        resampling_unit="tests",
        method="share",
        interval=Interval(low=value / 2, high=value * 2, level=0.95, method="Wilson"),
        reason="a rate",
    )


def calibration(analyzer="steady", **changes):
    content = {
        "analyzer": analyzer,
        "provider": "plugin 1.0",
        "tool_version": biaskit.__version__,
        "metric": "steady.score",
        "settings": {"shift": 0.0},
        "profile": "standard",
        "seed": 0,
        "created_at": NOW - timedelta(days=10),
        "subjects": {"organism:reviews": "a" * 64},
        "nulls": (),
        "false_alarms": rate(),
    }
    return Calibration(**content | changes)


def spec(**asked):
    return AuditSpec(
        name="mine",
        analyzers=(AnalyzerSpec(name="steady"), AnalyzerSpec(name="other-one")),
        gates=(Gate(id="g", metric="steady.score", at_most=1.0),),
        calibration=CalibrationSpec(**{"require": True} | asked),
    )


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def keep(*made, name=calibrated.DEFAULT_FILE):
        path = tmp_path / name
        path.write_text(CalibrationFile(calibrations=made).model_dump_json())
        return path

    return keep


def refused(asked):
    with pytest.raises(InstrumentError) as caught:
        calibrated.required(asked, now=NOW)
    return str(caught.value)


def test_nothing_is_read_where_nothing_is_asked(kept):
    kept(calibration(trouble=("It failed.",)))
    assert calibrated.required(spec(require=False), now=NOW) == ()


def test_a_fitting_calibration_is_returned(kept):
    kept(calibration())
    assert [one.analyzer for one in calibrated.required(spec(), now=NOW)] == ["steady"]


def test_only_analyzers_that_a_gate_judges_need_one(kept):
    """`other-one` is run, and no gate is about it."""
    kept(calibration())
    assert len(calibrated.required(spec(), now=NOW)) == 1
    without = spec().model_copy(update={"gates": ()})
    assert "other-one has no calibration" in refused(without)


def test_the_newest_of_several_counts(kept):
    failed = calibration(trouble=("It failed.",), created_at=NOW - timedelta(days=20))
    kept(calibration(), failed)
    assert calibrated.required(spec(), now=NOW)[0].valid


@pytest.mark.parametrize(
    ("changes", "asked", "said"),
    [
        ({"analyzer": "another"}, {}, "steady has no calibration."),
        ({"trouble": ("It is deaf.",)}, {}, "steady failed its own check: It is deaf."),
        ({"tool_version": "0.0.1"}, {}, "calibrated with biaskit 0.0.1"),
        ({"created_at": NOW - timedelta(days=91)}, {}, "91 days old, and 90 are allowed"),
        ({"false_alarms": rate(0.08)}, {"max_false_alarm": 0.07}, "8.0% of tests, and 7.0% are allowed"),
    ],
)
def test_what_does_not_fit_is_refused_and_says_why(kept, changes, asked, said):
    kept(calibration(**changes))
    message = refused(spec(**asked))
    assert said in message
    assert "biaskit selfcheck --analyzers steady" in message


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"tool_version": "0.0.1"}, {"same_version": False}),
        ({"created_at": NOW - timedelta(days=900)}, {"max_age_days": None}),
        ({"false_alarms": rate(0.08)}, {"max_false_alarm": 0.09}),
        ({"trouble": ("It is deaf.",)}, {"require": False, "path": calibrated.DEFAULT_FILE}),
    ],
)
def test_what_the_spec_allows_is_taken(kept, changes, asked):
    kept(calibration(**changes))
    assert len(calibrated.required(spec(**asked), now=NOW)) == 1


def test_a_missing_file_says_how_to_make_one(kept):
    message = refused(spec())
    assert "biaskit-calibration.json' cannot be read" in message
    assert "biaskit selfcheck" in message


@pytest.mark.parametrize("content", ["", "{", "[]", '{"calibrations": [{"analyzer": "x"}]}'])
def test_a_file_that_is_none_is_refused(tmp_path, content):
    path = tmp_path / "c.json"
    path.write_text(content)
    with pytest.raises(InstrumentError, match="is no calibration file"):
        calibrated.read(path)


def test_a_path_does_not_leave_the_folder_of_its_audit(tmp_path):
    with pytest.raises(CatalogueError, match="leaves the folder"):
        calibrated.required(spec(path="../c.json"), tmp_path, now=NOW)


def test_what_a_saved_run_cites_counts_where_there_is_no_file(kept):
    assert calibrated.required(spec(), cited=(calibration(),), now=NOW)
    with pytest.raises(InstrumentError):
        calibrated.required(spec(), cited=(calibration(trouble=("It is deaf.",)),), now=NOW)


def test_other_settings_than_those_calibrated_are_refused():
    made = (calibration(settings={"shift": 0.0, "words": ["a"]}),)
    calibrated.check_settings(spec(), made, {"steady": {"shift": 0.0, "words": ("a",), "more": 1}})
    with pytest.raises(InstrumentError, match=r"calibrated with shift=0.0 and runs with shift=1.0"):
        calibrated.check_settings(spec(), made, {"steady": {"shift": 1.0, "words": ["a"]}})
    calibrated.check_settings(spec(same_settings=False), made, {"steady": {"shift": 1.0}})
