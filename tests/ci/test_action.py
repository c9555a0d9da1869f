"""The composite action: pinned, careful with what it is given, and in step with the command line."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from biaskit import cli
from biaskit.reporting import folder
from tests.reporting.sample import build_report

ROOT = Path(__file__).parents[2]
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
USED = re.compile(r"inputs\.([\w-]+)")


@pytest.fixture(scope="module")
def action():
    return yaml.safe_load((ROOT / "action.yml").read_text())


@pytest.fixture(scope="module")
def steps(action):
    return action["runs"]["steps"]


def flags_of(script):
    """Yield each verb that a script calls with the long flags it gives it."""
    for line in re.findall(r"biaskit (\w+) (.*)", script):
        yield line[0], set(re.findall(r"--[a-z-]+", line[1]))
    # Flags that are gathered in an array first.
    for found in re.finditer(r'biaskit (\w+) (?:"\$RUN" )?"\$\{asked', script):
        lines = re.findall(r"asked\+?=\((.*?)\)", script[: found.start()])
        yield found[1], {flag for line in lines for flag in re.findall(r"--[a-z-]+", line)}


def test_every_flag_of_the_action_exists(steps):
    called = [pair for step in steps for pair in flags_of(step.get("run", ""))]
    assert {verb for verb, _ in called} == {"fetch", "audit", "gate"}
    for verb, flags in called:
        known = {one for parameter in cli.biaskit.get_command(None, verb).params for one in parameter.opts}
        assert flags <= known, verb


def test_other_actions_are_pinned_to_commits_with_their_version(steps):
    lines = [line for line in (ROOT / "action.yml").read_text().splitlines() if "uses:" in line]
    assert len(lines) == sum("uses" in step for step in steps) == 4
    for line in lines:
        assert PINNED.search(line), line
        assert re.search(r"# v\d+\.\d+\.\d+$", line), line


def test_inputs_are_declared_used_and_never_pasted_into_a_script(action, steps):
    used = set(USED.findall(str(steps) + str(action["outputs"])))
    assert used == set(action["inputs"])
    assert not [step["name"] for step in steps if "${{" in step.get("run", "")]


def test_the_version_has_no_default(action):
    assert action["inputs"]["version"]["required"] is True
    assert "default" not in action["inputs"]["version"]


def test_outputs_come_from_a_step_that_writes_them(action, steps):
    (gate,) = [step for step in steps if step.get("id") == "gate"]
    wanted = set(re.findall(r"steps\.gate\.outputs\.([\w-]+)", str(action["outputs"])))
    assert wanted == set(re.findall(r"(verdict|exit-code|failed|undecided|run-digest)=", gate["run"]))


@pytest.fixture
def bash(tmp_path):
    """Run a step's script as a runner does, with this checkout's command line."""
    place = tmp_path / "bin"
    place.mkdir()
    (place / "biaskit").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m biaskit "$@"\n')
    (place / "biaskit").chmod(0o755)

    def run(step, **given):
        files = {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        environment = (
            os.environ | files | given | {"PATH": f"{place}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        )
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=environment,
            timeout=60,
        )

    return run


SPEC = 'format = 1\nname = "mine"\n[[gates]]\nid = "g"\nmetric = "biaslens.score"\nat_most = {}\n'


@pytest.mark.parametrize(("limit", "code", "verdict"), [(0.5, 1, "failed"), (9.0, 0, "passed")])
def test_the_gate_step_says_what_the_gate_said(steps, bash, tmp_path, limit, code, verdict):
    folder.write(build_report(), tmp_path / "run")
    (tmp_path / "mine.toml").write_text(SPEC.format(limit))
    (gate,) = [step for step in steps if step.get("id") == "gate"]
    done = bash(gate, RUN="run", SPEC="mine.toml", FAIL_ON="fail", BASELINE="")
    assert done.returncode == 0, done.stderr
    outputs = dict(line.split("=", 1) for line in (tmp_path / "GITHUB_OUTPUT").read_text().splitlines())
    assert (outputs["exit-code"], outputs["verdict"]) == (str(code), verdict)
    assert outputs["run-digest"] == build_report().run.id
    assert (tmp_path / "GITHUB_STEP_SUMMARY").read_text().startswith("### ")
    (alerts,) = json.loads((tmp_path / "biaskit.sarif").read_text())["runs"]
    assert any(one["level"] == "error" for one in alerts["results"]) == (code == 1)
    assert ("<failure" in (tmp_path / "biaskit.junit.xml").read_text()) == (code == 1)
    assert (int(outputs["failed"]) > 0) == (code == 1)
    (decide,) = [step for step in steps if step["name"] == "Decide"]
    assert bash(decide, CODE=outputs["exit-code"]).returncode == code


@pytest.mark.parametrize("profile", ["", "smoke"])
def test_the_audit_step_hands_on_what_it_is_given(steps, bash, tmp_path, profile):
    (audit,) = [step for step in steps if step["name"] == "Audit"]
    (tmp_path / "bin" / "biaskit").write_text('#!/bin/sh\necho "$@" >> called\n')
    given = {"SPEC": "a.toml", "MODEL": "", "REVISION": "", "RUN": "run", "MINUTES": "1", "PROFILE": profile}
    assert bash(audit, **given).returncode == 0
    fetched, audited = (tmp_path / "called").read_text().splitlines()
    assert fetched == "fetch --config a.toml"
    chosen = " --profile smoke" if profile else ""
    assert audited == f"audit --config a.toml{chosen} --offline --out-dir run --fail-on never"


def test_a_job_that_is_none_is_refused(steps, bash):
    (install,) = [step for step in steps if step["name"] == "Install biaskit"]
    done = bash(install, JOB="adit", VERSION="0.1.0", EXTRAS="text", PYTHON="3.12")
    assert (done.returncode, "it must be audit or gate" in done.stdout) == (2, True)


def test_the_pre_commit_hook_is_the_verb(tmp_path):
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["entry"] == "biaskit validate"
    wanted = re.compile(hook["files"])
    assert all(wanted.search(path) for path in ("biaskit.toml", "audits/release.toml", "x/probes/food.toml"))
    assert not any(wanted.search(path) for path in ("pyproject.toml", "src/audit.toml", "mybiaskit.toml"))
