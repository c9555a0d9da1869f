"""The same suite, seed and machine give the same report, but for times."""

import json

import pytest

import biaskit
from biaskit.runner.verifying import verify

_TIMES = ("started_at", "duration_s", "cpu_s", "peak_memory_mib")


def written(path, **more):
    biaskit.audit("demo", concepts="food", offline=True, command="same", out_dir=path, **more)
    content = json.loads((path / "report.json").read_text(encoding="utf-8"))
    for name in _TIMES:
        del content["run"][name]
    return content


@pytest.mark.slow
def test_the_same_audit_twice_is_the_same_report(tmp_path):
    lean = {"settings": {"autoencoder": "none", "random_directions": 3, "axis_controls": 4}}
    first, second = (written(tmp_path / name, **lean) for name in ("a", "b"))
    assert first == second
    other = written(tmp_path / "c", seed=1, **lean)
    assert other["run"]["id"] != first["run"]["id"]
    found = verify(tmp_path / "a")
    assert found.problems == []
    scores = [one for one in first["analyses"][0]["findings"] if one["rows"]]
    assert found.recomputed == len(scores) >= 4
