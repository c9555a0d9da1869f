"""A saved run is checked again: one changed byte anywhere is seen, and numbers follow from their rows."""

import json
import shutil

import numpy as np
import pytest

import biaskit
from biaskit import models, organisms
from biaskit.errors import RequestError
from biaskit.gates import judged
from biaskit.records.report import Report
from biaskit.reporting import folder, manifest
from biaskit.runner.verifying import Verified, verify, verify_weights
from tests.gates.test_changes import cells, run_of
from tests.runner.fakes import Model


@pytest.fixture
def report():
    rng = np.random.default_rng(0)
    found = run_of({"food": cells(rng, 1.0), "price": cells(rng)})
    found = found.model_copy(update={"spec_digest": found.spec.digest})
    return judged(found, found.run.started_at.date())


@pytest.fixture
def run(report, tmp_path):
    (tmp_path / "run" / "arrays").mkdir(parents=True)
    (tmp_path / "run" / "arrays" / "a.safetensors").write_bytes(b"12345678")
    folder.write(report, tmp_path / "run")
    return tmp_path / "run"


def test_what_was_written_is_verified(run):
    found = verify(run)
    assert found.problems == []
    assert (found.recomputed, found.unmeasured, found.others) == (2, 0, {})
    assert set(json.loads((run / manifest.NAME).read_text())["files"]) == {
        *(one.relative_to(run).as_posix() for one in run.rglob("*") if one.is_file())
    } - {manifest.NAME}


def flipped(path, place):
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("place", [0, 77, -2])
@pytest.mark.parametrize("number", range(6))
def test_one_changed_byte_in_any_file_is_seen(run, number, place):
    files = sorted(one for one in run.rglob("*") if one.is_file())
    path = files[number % len(files)]
    flipped(path, place)
    try:
        assert verify(run).problems
    except RequestError:
        assert path.name == "report.json"


PARTS = ("report.html", "tables/biaslens.cells.csv", "arrays/a.safetensors", "manifest.json")


@pytest.mark.parametrize("name", PARTS)
def test_a_missing_file_is_named(run, name):
    (run / name).unlink()
    assert any(name in problem and "missing" in problem for problem in verify(run).problems)


def resealed(run, change):
    """Change the report and write everything that follows from it anew, as a forger would."""
    content = json.loads((run / "report.json").read_text())
    change(content)
    forged = Report.model_validate(content)
    shutil.rmtree(run)
    folder.write(forged, run)
    return verify(run).problems


def test_a_number_that_its_rows_do_not_give_is_seen(run):
    def change(content):
        content["analyses"][0]["findings"][0]["estimate"]["value"] += 2e-9

    (problem,) = resealed(run, change)
    assert "biaslens.score of food" in problem
    assert "its rows give" in problem


def test_a_number_within_rounding_is_not(run):
    def change(content):
        content["analyses"][0]["findings"][0]["estimate"]["value"] += 1e-12

    assert resealed(run, change) == []


def test_a_verdict_that_does_not_follow_is_seen(run, report):
    def change(content):
        content["spec"]["gates"] = [{"id": "g", "metric": "biaslens.score", "at_most": 0.001}]
        content["verdicts"] = [{"gate": "g", "concept": "food", "outcome": "pass", "reason": "Trust me."}]

    problems = resealed(run, change)
    assert any("verdicts do not follow" in problem for problem in problems)
    assert any("spec is not the one" in problem for problem in problems)


def test_what_cannot_be_computed_again_is_listed(run):
    def change(content):
        content["analyses"][0]["findings"][0]["rows"] = None
        content["analyses"][0]["findings"][1]["estimate"] |= {"value": None, "interval": None}

    assert resealed(run, change) == []
    found = verify(run)
    assert (found.recomputed, found.unmeasured) == (0, 1)
    assert found.others == {"biaslens.score": (1, "its measurements are not kept")}


def test_a_remedy_belongs_to_its_run(report, tmp_path):
    (tmp_path / "remedy" / "edits").mkdir(parents=True)
    (tmp_path / "remedy" / "remedy.json").write_text("{}")
    (tmp_path / "remedy" / "edits" / "a.safetensors").write_bytes(b"1234")
    folder.write(report, tmp_path)
    assert verify(tmp_path).strangers == ()
    flipped(tmp_path / "remedy" / "edits" / "a.safetensors", 1)
    assert verify(tmp_path).problems == ["remedy/edits/a.safetensors was changed after the run was written."]


def test_a_file_that_the_run_did_not_write_is_told(run):
    (run / "evidence").mkdir(exist_ok=True)
    (run / "evidence" / "added.jsonl").write_text("{}")
    (run / "notes.txt").write_text("ours")
    found = verify(run)
    assert (found.problems, found.strangers) == ([], ("evidence/added.jsonl", "notes.txt"))


def test_a_manifest_cannot_point_outside(run):
    content = json.loads((run / manifest.NAME).read_text())
    content["files"]["../../secret"] = "0" * 64
    (run / manifest.NAME).write_text(json.dumps(content))
    assert any("outside the folder" in problem for problem in verify(run).problems)


@pytest.mark.parametrize("text", ["", "[]", '{"format": 9, "files": {}}', '{"format": 1, "files": {"a": 1}}'])
def test_a_broken_manifest_is_named(run, text):
    (run / manifest.NAME).write_text(text)
    assert any(manifest.NAME in problem for problem in verify(run).problems)


def test_other_weights_are_seen(report, monkeypatch):
    monkeypatch.setattr(models, "load", lambda *_, **__: Model())
    found = Verified()
    verify_weights(report, "demo", found, offline=True)
    same = Model().subject.fingerprint == report.subject.fingerprint
    assert (found.problems == [], found.checked) == (same, ["weights"])
    other = report.model_copy(update={"subject": report.subject.model_copy(update={"fingerprint": "0" * 64})})
    found = Verified()
    verify_weights(other, "demo", found, offline=True)
    assert "other weights" in found.problems[0]


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """A run of a real model that lies in a folder: the shipped organism, copied."""
    place = tmp_path_factory.mktemp("audited")
    shutil.copytree(organisms.folder("reviews"), place / "model")
    made = biaskit.audit(
        place / "model",
        concepts="food",
        analyzers="association",
        settings={"views": ("readout",), "sites": ("resid_post.2",)},
        offline=True,
        cache=False,
    )
    made.save(place / "run")
    return place


def problems(place, run):
    found = verify(run)
    verify_weights(folder.read(run, Report), str(place / "model"), found, offline=True)
    return found.problems


def test_one_changed_byte_of_real_weights_is_seen(audited):
    assert problems(audited, audited / "run") == []
    weights = audited / "model" / "model.safetensors"
    whole = weights.read_bytes()
    try:
        # In the middle lie numbers; a header that does not parse is another matter.
        flipped(weights, len(whole) // 2)
        (problem,) = problems(audited, audited / "run")
        assert "other weights" in problem
    finally:
        weights.write_bytes(whole)
    assert problems(audited, audited / "run") == []


@pytest.mark.parametrize("name", ["report.json", "evidence/association.difference.jsonl"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_one_changed_byte_of_a_real_run_is_seen(audited, tmp_path, name, share):
    shutil.copytree(audited / "run", tmp_path / "run")
    path = tmp_path / "run" / name
    flipped(path, int(share * path.stat().st_size))
    try:
        found = verify(tmp_path / "run").problems
    except RequestError:
        return
    assert any(name in problem for problem in found)
