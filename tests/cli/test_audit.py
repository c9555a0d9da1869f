"""`biaskit audit`: what it writes, what it says, and what it exits with."""

import json
from pathlib import Path

import pytest

from biaskit import models
from biaskit.runner.run import Run

GATED = """
format = 1
name = "gated"
concepts = ["food"]
[[gates]]
id = "gap"
metric = "steady.score"
at_most = 5.0
"""


@pytest.fixture
def suite(tmp_path):
    (tmp_path / "gated.toml").write_text(GATED, encoding="utf-8")
    return tmp_path / "gated.toml"


def the_run():
    (folder,) = Path("biaskit-runs").iterdir()
    return folder


def test_a_run_is_written_and_shown(audit):
    done = audit("--seed", "5")
    assert done.code == 0
    assert "food" in done.out
    assert "nothing was judged" in done.out
    assert done.err == ""
    assert the_run().name.startswith("demo-food-")
    report = Run.read(the_run())
    assert report.spec.seed == 5
    assert {path.name for path in the_run().iterdir()} == {
        "evidence",
        "findings.csv",
        "manifest.json",
        "report.html",
        "report.json",
    }


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        ((), 0, "passed"),
        (("-A", "shift=50"), 1, "failed"),
        (("-A", "shift=50", "--fail-on", "never"), 0, "failed"),
        (("-A", "shift=50", "--set", "gates.0.at_most=1000.0"), 0, "passed"),
        (("-A", "shift=50", "--set", "gates.0.advisory=true"), 0, "above the advisory limit of 5"),
        (("-A", "shift=50", "--limit", "2"), 4, "undecided"),
        (("-A", "shift=50", "--profile", "smoke"), 4, "undecided"),
        (("-A", "shift=50", "--limit", "2", "--fail-on", "never"), 0, "undecided"),
        (("-A", "shift=50", "--limit", "2", "--fail-on", "undecided"), 4, "partial"),
        (("--set", 'gates.0.metric="steady.other"', "--set", 'gates.0.on_undecided="fail"'), 4, "undecided"),
    ],
)
def test_gates_give_the_exit_code(audit, suite, flags, code, said):
    done = audit("-c", suite, *flags)
    assert done.code == code, done.err
    assert said in done.out


@pytest.mark.parametrize(
    ("analyzers", "code", "said"),
    [
        ("steady,crashing", 3, "ZeroDivisionError"),
        ("steady,failing", 3, "not numbers"),
        ("interrupted", 130, ""),
        ("steady,interrupted", 130, ""),
        ("asking", 2, "There is no layer named '99'"),
        ("empty", 5, "Nothing was left"),
    ],
)
def test_every_end_has_its_code_and_no_traceback(audit, analyzers, code, said):
    done = audit(analyzers=analyzers)
    assert done.code == code
    assert said in done.err
    assert "Traceback" not in done.err
    if analyzers.startswith("steady"):
        assert Run.read(the_run()).findings("steady.score")


def test_a_failed_gate_is_not_masked_by_a_crash(audit, suite):
    assert audit("-c", suite, "-A", "steady.shift=50", analyzers="steady,crashing").code == 1


def test_debug_shows_the_traceback(audit, monkeypatch):
    monkeypatch.setattr("sys.argv", ["biaskit", "--debug"])
    assert "Traceback" in audit("--debug", analyzers="steady,crashing").err


@pytest.mark.parametrize(
    ("flags", "near"),
    [
        (("--concepts", "foood"), "food"),
        (("--references", "sentimnt"), "sentiment"),
        (("-A", "shfit=1"), "shift"),
        (("-c", "qick"), "quick"),
        (("--model", "organism:revews"), "reviews"),
        (("--sed", "1"), "--seed"),
    ],
)
def test_a_typo_is_answered_with_a_near_name(audit, flags, near):
    done = audit(*flags)
    assert done.code == 2
    assert near in done.err
    assert not Path("biaskit-runs").exists()


def test_an_unknown_analyzer_is_answered_with_a_near_name(audit):
    done = audit(analyzers="stedy")
    assert (done.code, "steady" in done.err) == (2, True)


@pytest.mark.parametrize("flags", [("-A", "shift"), ("--set", "seed"), ("--seed", "-1"), ("--limit", "1")])
def test_a_wrong_value_is_refused(audit, flags):
    assert audit(*flags).code == 2


def test_quiet_says_one_line(audit):
    done = audit("-q")
    assert len(done.out.strip().splitlines()) == 1
    assert done.err == ""


def test_verbose_adds_what_the_analyzer_says(audit):
    assert "steady: It is a fake." in audit("-v").out


def test_another_run_is_not_written_over(audit, tmp_path):
    assert audit("--out-dir", tmp_path / "run", "--seed", "1").code == 0
    refused = audit("--out-dir", tmp_path / "run", "--seed", "2")
    assert (refused.code, "--force" in refused.err) == (2, True)
    assert Run.read(tmp_path / "run").spec.seed == 1
    assert audit("--out-dir", tmp_path / "run", "--seed", "2", "--force").code == 0
    assert Run.read(tmp_path / "run").spec.seed == 2


def test_a_folder_that_cannot_be_written_loses_nothing(audit, tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = audit("--out-dir", tmp_path / "file" / "run")
    assert done.code == 0
    rescued = Path(done.err.split("it is in ")[1].strip().rstrip("."))
    assert Run.read(rescued).findings("steady.score")


def test_variables_set_options(audit, monkeypatch):
    monkeypatch.setenv("BIASKIT_SEED", "11")
    monkeypatch.setenv("BIASKIT_OUT_DIR", "elsewhere")
    assert audit().code == 0
    assert json.loads(Path("elsewhere/report.json").read_text())["spec"]["seed"] == 11


def test_the_flags_reach_the_model(audit, monkeypatch):
    seen = {}

    def load(model, *, tokenizer, subject, offline):
        seen.update(model=model, subject=subject, offline=offline)
        raise KeyboardInterrupt

    monkeypatch.setattr(models, "load", load)
    flags = ("--dtype", "bfloat16", "--device", "cpu", "--revision", "abc", "--batch-size", "3", "--offline")
    done = audit(*flags)
    assert done.code == 130
    assert seen["model"] == "some/model"
    assert seen["offline"] is True
    subject = seen["subject"]
    assert (subject.dtype, subject.device, subject.revision, subject.batch_size) == (
        "bfloat16",
        "cpu",
        "abc",
        3,
    )
