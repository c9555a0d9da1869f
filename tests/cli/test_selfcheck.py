"""`biaskit selfcheck`: the file it writes, what it says, and exit code 6."""

import json

from biaskit.records.calibration import CalibrationFile
from tests.selfcheck import conftest as selfchecks

gauge = selfchecks.gauge


def test_it_writes_a_calibration_and_says_what_was_found(biaskit, gauge, tmp_path):
    done = biaskit("selfcheck", "--analyzers", gauge, "--profile", "standard")
    assert done.code == 0
    written = CalibrationFile.model_validate_json((tmp_path / "biaskit-calibration.json").read_text())
    (made,) = written.calibrations
    assert made.sentence in done.out.replace("\n", " ")
    assert "null: zeros" in done.out


def test_an_instrument_that_fails_gives_exit_code_6_and_its_file(biaskit, gauge, tmp_path):
    done = biaskit(
        "selfcheck", "--analyzers", gauge, "--profile", "standard", "-A", "error=0.04", "--out", "c.json"
    )
    assert done.code == 6
    assert "failed its own check: gauge" in done.err
    assert json.loads((tmp_path / "c.json").read_text())["calibrations"][0]["trouble"]


def test_mistakes_are_answered_before_anything_runs(biaskit, gauge):
    assert biaskit("selfcheck", "--analyzers", "gaug").code == 2
    assert "Did you mean gauge?" in biaskit("selfcheck", "--analyzers", "gaug").err
    assert biaskit("selfcheck", "--analyzers", gauge, "--out", "nowhere/c.json").code == 2
    assert biaskit("selfcheck", "--analyzers", gauge, "--profile", "huge").code == 2


def test_quiet_says_one_line(biaskit, gauge):
    done = biaskit("selfcheck", "--analyzers", gauge, "-q")
    assert done.err == ""
    assert "null: zeros" not in done.out
