"""The same suite, seed and machine give the same report, but for times."""

import json
import os
import subprocess
import sys

import pytest

import biaskit
from biaskit.runner.verifying import verify

_TIMES = ("started_at", "duration_s", "cpu_s", "peak_memory_mib")
PORTRAITS = (
    "--model",
    "organism:portraits",
    "--concepts",
    "portrait-occupations/nurse,portrait-occupations/judge",
)
FEWER = (
    "-A",
    "repeats=1",
    "-A",
    "folds=2",
    "-A",
    "inner_folds=2",
    "-A",
    "sites=resid_post.2",
    "-A",
    "regimes=[]",
)
AUDITS = {
    "biaslens": ("--model", "demo", "--concepts", "food", "-A", "autoencoder=none", "--limit", "6"),
    "association": ("--model", "demo", "--concepts", "food", "--limit", "6"),
    "sparse-probing": ("--model", "demo", "--concepts", "food", "--limit", "8", *FEWER),
    "vig-bias": ("--model", "organism:shapes", "--limit", "40", "-A", "shuffles=3"),
    "diffusion-pid": (*PORTRAITS, "--limit", "2", "-A", "images=1", "-A", "replicates=1"),
    "representation": (*PORTRAITS, "-A", "images=6"),
}


def read(path):
    content = json.loads((path / "report.json").read_text(encoding="utf-8"))
    for name in _TIMES:
        del content["run"][name]
    return content


def written(path, **more):
    biaskit.audit("demo", concepts="food", offline=True, command="same", out_dir=path, **more)
    return read(path)


@pytest.mark.slow
def test_the_same_audit_twice_is_the_same_report(tmp_path):
    lean = {"settings": {"autoencoder": "none", "random_directions": 3, "axis_controls": 4}}
    first, second = (written(tmp_path / name, **lean) for name in ("a", "b"))
    assert first == second
    other = written(tmp_path / "c", seed=1, **lean)
    assert other["run"]["id"] != first["run"]["id"]
    found = verify(tmp_path / "a")
    assert found.problems == []
    findings = first["analyses"][0]["findings"]
    scores = [one for one in findings if one["rows"] and one["estimate"]["value"] is not None]
    assert found.recomputed == len(scores) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("analyzer", AUDITS)
def test_two_processes_give_the_same_report(analyzer, tmp_path):
    """Python hashes texts anew in each process, so that whatever hangs on the order of a set differs."""
    reports = []
    for number in ("1", "2"):
        asked = (
            "audit",
            *AUDITS[analyzer],
            "--analyzers",
            analyzer,
            "--offline",
            "--no-cache",
            "--out",
            "run",
        )
        place = tmp_path / number
        place.mkdir()
        done = subprocess.run(
            [sys.executable, "-m", "biaskit", *asked],
            capture_output=True,
            text=True,
            check=False,
            cwd=place,
            env=os.environ | {"PYTHONHASHSEED": number},
        )
        assert (place / "run" / "report.json").exists(), done.stderr
        reports.append(read(place / "run"))
    assert reports[0]["analyses"][0]["findings"]
    assert reports[0] == reports[1]
