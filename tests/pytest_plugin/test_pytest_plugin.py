"""Gates as test items, in a pytest of their own."""

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from biaskit.records.report import Status
from biaskit.reporting import folder
from tests.reporting.sample import FORWARD, build_report

ROOT = Path(__file__).parents[2]
SPEC = f"""
format = 1
name = "audit"

[[gates]]
id = "food"
metric = "biaslens.score"
at_most = 0.5
where = {{ concept = "food", positive = "positive", group = "{FORWARD}" }}

[[gates]]
id = "music"
metric = "biaslens.score"
at_most = 0.5
where = {{ concept = "music", positive = "positive", group = "{FORWARD}" }}

[[gates]]
id = "price"
metric = "biaslens.score"
at_most = 0.5
where = {{ concept = "price", positive = "positive", group = "{FORWARD}" }}
"""
IDLE_CPU_S = 0.02


@pytest.fixture
def place(tmp_path):
    (tmp_path / "audit.toml").write_text(SPEC)
    (tmp_path / "test_own.py").write_text("def test_own():\n    pass\n")
    folder.write(build_report(verdicts=()), tmp_path / "run")
    return tmp_path


@pytest.fixture
def run_pytest(place):
    def run(*arguments, plugins=("biaskit.pytest_plugin",), **variables):
        named = [part for name in plugins for part in ("-p", name)]
        environment = (
            os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | variables
        )
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-rs", *named, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            cwd=place,
            timeout=120,
        )

    return run


def counts(done):
    return {
        word: int(count)
        for count, word in re.findall(r"(\d+) (passed|failed|skipped|error|warning)", done.stdout)
    }


GATES = ("--biaskit-spec", "audit.toml", "--biaskit-run", "run")


def test_each_gate_is_a_test_and_undecided_is_skipped(run_pytest):
    done = run_pytest(*GATES, "--junit-xml", "out.xml", "-vv", "audit.toml")
    assert counts(done) == {"failed": 1, "passed": 1, "skipped": 1}, done.stdout + done.stderr
    assert "audit.toml::food FAILED" in done.stdout
    assert "failed: food" in done.stdout
    assert "lies beyond the limit" in done.stdout
    assert "Traceback" not in done.stdout
    assert "undecided: price" in done.stdout


def test_numbers_stand_among_the_properties(run_pytest, place):
    run_pytest(*GATES, "--junit-xml", "out.xml", "-o", "junit_family=xunit1")
    (case,) = [one for one in ET.parse(place / "out.xml").iter("testcase") if one.get("name") == "food"]
    known = {one.get("name").rpartition(": ")[2]: one.get("value") for one in case.iter("property")}
    assert (known["value"], known["unit"]) == ("1.32", "nat")
    assert known["interval"].startswith("[1.16, 1.48] at 0.95")
    assert known["n"] == "36 templates x fillers"
    assert float(known["minimum_detectable_effect"]) == 0.21
    assert case.get("line") == "5"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (("--biaskit-fail-on", "undecided"), {"failed": 2, "passed": 1}),
        (("--biaskit-fail-on", "never"), {"passed": 1, "skipped": 2}),
        pytest.param(("--biaskit-fail-on", "warn"), {"failed": 2, "passed": 1}, marks=pytest.mark.slow),
        pytest.param(("-k", "music"), {"passed": 1}, marks=pytest.mark.slow),
        pytest.param(("-m", "not biaskit"), {}, marks=pytest.mark.slow),
    ],
)
def test_policies(run_pytest, flags, expected):
    assert counts(run_pytest(*GATES, "audit.toml", *flags)) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("pass", {"failed": 1, "passed": 2, "warning": 1}), ("fail", {"failed": 2, "passed": 1})],
)
def test_undecided_is_never_silent(run_pytest, place, policy, expected):
    (place / "audit.toml").write_text(SPEC + f'on_undecided = "{policy}"\n')
    done = run_pytest(*GATES, "audit.toml")
    assert counts(done) == expected
    assert "undecided: price" in done.stdout


@pytest.mark.slow
def test_a_partial_run_passes_nothing(run_pytest, place):
    report = build_report(verdicts=())
    run = report.run.model_copy(update={"status": Status.PARTIAL})
    folder.write(report.model_copy(update={"run": run}), place / "run")
    done = run_pytest(*GATES, "audit.toml")
    assert counts(done) == {"failed": 3}
    assert "partial" in done.stdout


@pytest.mark.slow
def test_the_ini_file_names_specs_too(run_pytest, place):
    (place / "pytest.ini").write_text("[pytest]\nbiaskit_spec = audit.toml\n")
    assert counts(run_pytest("--biaskit-run", "run")) == {"failed": 1, "passed": 2, "skipped": 1}
    assert counts(run_pytest("--biaskit-run", "run", "test_own.py")) == {"passed": 1}


def test_without_a_spec_nothing_is_collected_or_loaded(run_pytest, place):
    (place / "test_own.py").write_text(
        "import sys\n\ndef test_own():\n"
        "    assert not {'numpy', 'torch', 'pydantic', 'biaskit.records.report'} & set(sys.modules)\n"
    )
    done = run_pytest("test_own.py")
    assert counts(done) == {"passed": 1}, done.stdout


def test_gates_of_a_saved_run_need_no_torch(run_pytest, place):
    (place / "test_own.py").write_text(
        "import sys\n\ndef test_own():\n    assert not {'numpy', 'torch', 'scipy'} & set(sys.modules)\n"
    )
    done = run_pytest(*GATES, "audit.toml", "test_own.py")
    assert counts(done) == {"failed": 1, "passed": 2, "skipped": 1}, done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("format = 1\nname = 'audit'\n", "declares no gate"),
        (SPEC.replace("at_most = 0.5", "at_mots = 0.5", 1), "at_mots"),
        pytest.param("format = ", "audit.toml", marks=pytest.mark.slow),
    ],
)
def test_a_spec_that_cannot_be_used_is_an_error_in_words(run_pytest, place, text, said):
    (place / "audit.toml").write_text(text)
    done = run_pytest(*GATES, "audit.toml")
    assert done.returncode == 2
    assert said in done.stdout
    assert "Traceback" not in done.stdout


def test_a_run_that_is_none_fails_in_words(run_pytest):
    done = run_pytest("--biaskit-spec", "audit.toml", "--biaskit-run", "nowhere", "audit.toml")
    assert counts(done) == {"failed": 3}
    assert "There is no report" in done.stdout


def test_a_baseline_is_rewritten_and_fails(run_pytest, place):
    flags = (*GATES, "audit.toml", "--biaskit-update-baseline")
    done = run_pytest(*flags, "--biaskit-baseline", "base")
    assert counts(done) == {"failed": 3}
    assert "The baseline was rewritten" in done.stdout
    before = json.loads((place / "base" / "report.json").read_text())
    assert before["run"]["id"] == build_report().run.id
    assert "There is no baseline to update" in run_pytest(*flags).stdout


# Stands in for the runner, which loads torch.
CONFTEST = """
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar
from biaskit.records.report import Report
from tests.reporting.sample import build_report

class Run(Report):
    failure: ClassVar[None] = None

def fake(model=None, concepts=(), **options):
    with Path("calls").open("a") as calls:
        calls.write(f"{model} {options.get('offline')}\\n")
    return Run.model_validate(build_report(verdicts=()).model_dump())

sys.modules["biaskit.runner.audit"] = SimpleNamespace(audit=fake)
"""


@pytest.mark.slow
def test_processes_of_one_session_share_one_run(run_pytest, place):
    (place / "conftest.py").write_text(CONFTEST)
    (place / "test_own.py").write_text(
        "import pytest\n\n@pytest.mark.parametrize('n', range(4))\n"
        "def test_own(bias_audit, bias_baseline, n):\n"
        "    assert bias_audit('some/model', 'food').findings()\n    assert bias_baseline is None\n"
    )
    flags = (
        "--biaskit-spec",
        "audit.toml",
        "--biaskit-offline",
        "--biaskit-model",
        "other/model",
        "audit.toml",
    )
    done = run_pytest(*flags, "test_own.py", "-n", "2", plugins=("xdist", "biaskit.pytest_plugin"))
    assert counts(done) == {"failed": 1, "passed": 5, "skipped": 1}, done.stdout + done.stderr
    calls = (place / "calls").read_text().splitlines()
    assert sorted(calls) == ["other/model True", "some/model True"]


def test_an_idle_plug_in_costs_nothing(place):
    def cpu(code):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-c", code], check=True, cwd=place, env=os.environ | {"PYTHONPATH": str(ROOT)}
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    without = min(cpu("import pytest") for _ in range(5))
    with_it = min(cpu("import pytest, biaskit.pytest_plugin") for _ in range(5))
    assert with_it - without <= IDLE_CPU_S


MARKED = """
from pathlib import Path

import pytest
from biaskit.records.estimate import Estimate, Interval, Unit
from biaskit.records.report import Report
from biaskit.reporting import folder

FOOD = {"metric": "biaslens.score", "concept": "food", "positive": "positive", "group": "GROUP"}
REPORT = folder.read(Path("run"), Report)


def number(value, mde=0.1):
    ends = Interval(low=value - 0.1, high=value + 0.1, level=0.95, method="drawn")
    kept = {"n": 40, "resampling_unit": "seeds", "method": "drawn", "reason": "not tested"}
    return Estimate(value=value, unit=Unit.NAT, interval=ends, minimum_detectable_effect=mde, **kept)


def judged(given, **asked):
    @pytest.mark.biaskit(**asked)
    def test(biaskit_gate):
        assert biaskit_gate(given)[0].outcome == "pass"

    return test


test_failed = judged(REPORT, at_most=0.5, **FOOD)
test_passed = judged(REPORT, at_most=9.0, **FOOD)
test_seen = judged(REPORT, at_most=9.0, mde=0.3, **FOOD)
test_unseen = judged(REPORT, at_most=9.0, mde=0.1, **FOOD)
test_metric = judged(REPORT, metric="biaslens.scor", at_most=9.0)
test_number = judged(number(0.1), at_most=0.5)
test_beyond = judged(number(0.9), at_most=0.5)
test_across = judged(number(0.5), at_most=0.5)
test_demanded = judged(number(0.5), at_most=0.5, rule="evidence-of-compliance")
test_blind = judged(number(0.1, None), at_most=0.5, mde=0.2)
test_key = judged(number(0.1), at_mots=0.5)
test_value = judged(number(0.1), at_most=0.5, rule="evidence")
test_limit = judged(number(0.1), mde=0.5)


@pytest.mark.biaskit(at_most=0.5)
def test_alone():
    pass


@pytest.mark.biaskit(at_most=0.5)
def test_idle(biaskit_gate):
    pass


def test_bare(biaskit_gate):
    pass
""".replace("GROUP", FORWARD)
SAID = {
    "failed": ("FAILED", "lies beyond the limit of"),
    "passed": ("PASSED", ""),
    "seen": ("PASSED", ""),
    "unseen": ("FAILED", "promises to see 0.1 nat; this design sees 0.21"),
    "metric": ("FAILED", "biaslens.score"),
    "number": ("PASSED", ""),
    "beyond": ("FAILED", "lies beyond the limit of"),
    "across": ("SKIPPED", "reaches across"),
    "demanded": ("FAILED", "reaches across"),
    "blind": ("FAILED", "sees nothing that is known"),
    "key": ("ERROR", "Did you mean at_most"),
    "value": ("ERROR", "rule: Input should be"),
    "limit": ("ERROR", "has no limit"),
    "alone": ("ERROR", "take the fixture biaskit_gate"),
    "idle": ("ERROR", "handed biaskit_gate nothing"),
    "bare": ("ERROR", "judges by the marker biaskit"),
}


def test_a_test_of_ones_own_is_judged_like_a_gate(run_pytest, place):
    (place / "test_own.py").write_text(MARKED)
    done = run_pytest("-rA", "--junitxml=own.xml", "test_own.py")
    cases = {one.get("name"): one for one in ET.parse(place / "own.xml").iter("testcase")}
    for name, (outcome, text) in SAID.items():
        case = cases[f"test_{name}"]
        told = " ".join(ET.tostring(one, encoding="unicode") for one in case)
        assert text in told, (name, told)
        kinds = {"FAILED": "failure", "ERROR": "error", "SKIPPED": "skipped"}
        found = [kind for kind in kinds.values() if case.find(kind) is not None]
        assert found == ([kinds[outcome]] if outcome in kinds else []), (name, told)
    assert "Traceback" not in done.stdout


@pytest.mark.slow
def test_the_example_of_the_documents_passes(run_pytest, place):
    text = (ROOT / "docs" / "ci.md").read_text()
    (example,) = [one for one in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "bias_audit" in one]
    (place / "test_own.py").write_text(example)
    done = run_pytest("test_own.py")
    assert (done.returncode, counts(done)["passed"]) == (0, 1), done.stdout
