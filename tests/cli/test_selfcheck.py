"""`biaskit selfcheck`: the file it writes, what it says, and exit code 6."""

import json
from datetime import UTC, datetime

from biaskit.records.calibration import CalibrationFile
from tests.runner.test_calibrated import calibration
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


SPEC = """
format = 1
name = "mine"
concepts = ["food"]

[[analyzers]]
name = "steady"

[[gates]]
id = "g"
metric = "steady.score"
at_most = 100.0

[calibration]
require = true
path = "proof.json"
max_age_days = 30
"""


def proof(folder, **changes):
    made = calibration(created_at=datetime.now(UTC), **changes)
    (folder / "proof.json").write_text(CalibrationFile(calibrations=(made,)).model_dump_json())


def test_an_audit_that_requires_a_calibration_ends_with_6_where_there_is_none(audit, tmp_path):
    (tmp_path / "mine.toml").write_text(SPEC)
    done = audit("--config", "mine.toml", "--out-dir", "run")
    assert done.code == 6
    assert "proof.json' cannot be read" in done.err
    assert not (tmp_path / "run").exists()


def test_a_calibrated_run_cites_its_calibration_and_is_gated_on_another_machine(biaskit, audit, tmp_path):
    (tmp_path / "mine.toml").write_text(SPEC)
    proof(tmp_path)
    done = audit("--config", "mine.toml", "--out-dir", "run")
    assert done.code == 0
    assert "calibration: steady: false alarms in 5.0%" in done.out.replace("\n", " ")
    page = (tmp_path / "run" / "report.html").read_text()
    assert "<b>Calibration.</b> steady: false alarms in 5.0%" in page
    (tmp_path / "proof.json").unlink()
    assert biaskit("gate", "run").code == 0


def test_a_failed_calibration_and_other_settings_end_with_6(audit, tmp_path):
    (tmp_path / "mine.toml").write_text(SPEC)
    proof(tmp_path, trouble=("It is deaf.",))
    assert "It is deaf." in audit("--config", "mine.toml").err
    proof(tmp_path)
    done = audit("--config", "mine.toml", "-A", "shift=2.0")
    assert done.code == 6
    assert "runs with shift=2.0" in done.err


def test_a_gate_that_requires_a_calibration_refuses_a_run_without(biaskit, audit, tmp_path):
    assert audit("--out-dir", "run").code == 0
    (tmp_path / "mine.toml").write_text(SPEC)
    assert biaskit("gate", "run", "--config", "mine.toml").code == 6
    proof(tmp_path)
    assert biaskit("gate", "run", "--config", "mine.toml").code == 0
