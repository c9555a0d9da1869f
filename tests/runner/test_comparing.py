"""Saved runs are read and compared from Python, without torch or numpy."""

import subprocess
import sys

import pytest

import biaskit
from biaskit.errors import RequestError, UnknownNameError
from biaskit.runner.run import Run
from tests.reporting import sample


@pytest.fixture(scope="module")
def before():
    return Run.model_validate(sample.build_report().model_dump())


@pytest.fixture(scope="module")
def after(before):
    """The same run, in which one score has moved far beyond its interval."""
    held = before.model_dump()
    score = next(one for one in held["analyses"][0]["findings"] if one["metric"] == "biaslens.score")
    score["estimate"]["value"] += 5
    for end in ("low", "high"):
        score["estimate"]["interval"][end] += 5
    return Run.model_validate(held)


def test_a_saved_run_is_read_back(before, tmp_path):
    before.save(tmp_path / "run")
    read = biaskit.load_report(tmp_path / "run")
    assert read == before
    assert read.folder == tmp_path / "run"
    with pytest.raises(RequestError, match="There is no report"):
        biaskit.load_report(tmp_path)


def test_a_run_does_not_differ_from_itself(before):
    found = biaskit.compare(before, before)
    frame = found.to_frame()
    assert len(frame) == len(before.findings())
    assert not {"worse", "better", "changed"} & set(frame["change"].dropna())


def test_what_moved_is_seen_and_comes_first(before, after):
    found = biaskit.compare(before, after, metric="biaslens.score")
    first = found.to_frame().iloc[0]
    assert first["change"] == "worse"
    assert first["change_in_value"] == pytest.approx(5)
    assert first["low"] > 0
    assert first["q"] < 0.05
    assert str(found).startswith("worse")
    assert set(found._repr_mimebundle_()) == {"text/plain", "text/markdown"}
    assert "1 worse" in repr(found)


def test_folders_and_runs_compare_alike(before, after, tmp_path):
    before.save(tmp_path / "before")
    after.save(tmp_path / "after")
    assert biaskit.compare(tmp_path / "before", str(tmp_path / "after")) == biaskit.compare(before, after)


def test_a_run_of_something_else_is_refused(before):
    other = before.model_copy(update={"subject": before.subject.model_copy(update={"layers": 99})})
    with pytest.raises(RequestError, match="another model"):
        biaskit.compare(before, other)
    assert biaskit.compare(before, other, other_model=True).differences
    with pytest.raises(UnknownNameError, match=r"biaslens\.score"):
        biaskit.compare(before, before, metric="biaslens.scor")


def test_reading_and_comparing_load_nothing_heavy(before, tmp_path):
    before.save(tmp_path)
    code = (
        f"import sys, biaskit\nrun = biaskit.load_report({str(tmp_path)!r})\n"
        "biaskit.compare(run, run), str(run), run._repr_mimebundle_()\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "scipy", "pandas", "matplotlib"} & set(done.stdout.split())


def test_numbers_are_not_ordered(before):
    first, second = (one.estimate for one in before.findings()[:2])
    with pytest.raises(TypeError, match="compare two runs"):
        _ = first < second
