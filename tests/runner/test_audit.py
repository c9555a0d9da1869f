"""From a request to a report on disk, with every way an analyzer can end."""

import json

import pytest

import biaskit
from biaskit.errors import NothingAuditedError, RequestError, UnknownNameError
from biaskit.gates import exit_code
from biaskit.records.audit_spec import AuditSpec, Gate
from biaskit.records.report import Outcome, Report, Status
from biaskit.reporting.folder import read
from biaskit.runner import Run

pytestmark = pytest.mark.usefixtures("plugins", "fake_model")
TIMES = {"started_at", "duration_s", "cpu_s", "peak_memory_mib"}


def audit(analyzers="steady", **options):
    return biaskit.audit("some/model", "food,service", analyzers=analyzers, **options)


def test_a_run_holds_everything_resolved():
    run = audit(settings={"shift": 2.0}, seed=7)
    assert run.run.status is Status.COMPLETE
    assert [finding.concepts for finding in run.findings()] == [("food",)]
    assert run.analyses[0].settings == {"shift": 2.0, "words": ["a"]}
    assert {one.kind for one in run.probe_sets} == {"target", "pair", "controls"}
    assert all(len(one.digest) == 64 for one in run.probe_sets)
    assert run.spec_digest == run.spec.digest
    assert run.environment["python"]
    assert run.tool_version == biaskit.__version__


def test_the_same_request_gives_the_same_json_apart_from_times(tmp_path):
    def content(name):
        audit(seed=3, out_dir=tmp_path / name)
        found = json.loads((tmp_path / name / "report.json").read_text())
        assert set(found["run"]) >= TIMES
        found["run"] = {key: value for key, value in found["run"].items() if key not in TIMES}
        return found

    assert content("one") == content("two")
    assert audit(seed=3).run.id != audit(seed=4).run.id


def test_the_run_folder_is_a_report_again(tmp_path):
    run = audit(out_dir=tmp_path / "run")
    assert run.folder == tmp_path / "run"
    assert read(tmp_path / "run", Report).model_dump() == run.model_dump()
    assert Run.read(tmp_path / "run") == run
    assert (tmp_path / "run" / "report.html").is_file()
    assert (tmp_path / "run" / "evidence" / "steady.score.jsonl").is_file()


def test_nothing_is_written_unasked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert audit().folder is None
    assert list(tmp_path.iterdir()) == []


def test_gates_are_judged():
    gates = (Gate(id="gap", metric="steady.score", at_most=5.0),)
    spec = AuditSpec(name="mine", gates=gates)
    assert {one.outcome for one in audit(spec=spec, settings={"shift": 50.0}).verdicts} == {Outcome.FAIL}
    assert {one.outcome for one in audit(spec=spec).verdicts} == {Outcome.PASS}
    partial = audit(spec=spec, settings={"shift": 50.0}, limit=2)
    assert partial.run.status is Status.PARTIAL
    assert {one.outcome for one in partial.verdicts} == {Outcome.UNDECIDED}


@pytest.mark.parametrize(
    ("analyzer", "status", "code"),
    [("crashing", Status.ERROR, 3), ("failing", Status.ERROR, 3), ("interrupted", Status.INTERRUPTED, 130)],
)
def test_what_was_found_before_the_end_is_kept(analyzer, status, code, tmp_path):
    run = audit(["steady", analyzer], out_dir=tmp_path / "run")
    assert run.run.status is status
    assert exit_code(run) == code
    assert run.failure is not None
    assert len(run.analyses) == 1
    assert analyzer in run.not_measured[0]
    assert "\n" not in run.not_measured[0]
    assert read(tmp_path / "run", Report).findings("steady.score") == run.findings("steady.score")


def test_an_analyzer_after_a_crashed_one_still_runs():
    run = audit(["crashing", "steady"])
    assert [analysis.analyzer for analysis in run.analyses] == ["steady"]
    assert run.run.status is Status.ERROR


def test_nothing_runs_after_an_interrupt():
    assert audit(["interrupted", "steady"]).analyses == ()


def test_a_request_that_only_the_analyzer_can_refuse():
    with pytest.raises(UnknownNameError):
        audit("asking")
    with pytest.raises(NothingAuditedError):
        audit("empty")
    assert audit(["steady", "asking"]).run.status is Status.ERROR


def test_a_wrong_setting_stops_before_the_model_is_opened(monkeypatch):
    def never(*_, **__):
        raise AssertionError("the model was opened")

    monkeypatch.setattr("biaskit.models.load", never)
    with pytest.raises(RequestError, match="setting"):
        audit(settings={"shfit": 1})


def test_a_run_shows_itself(tmp_path):
    run = audit()
    bundle = run._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/markdown", "text/html"}
    assert "food" in bundle["text/html"]
    assert "<script" not in bundle["text/html"]
    assert bundle["text/plain"] == str(run)
    assert "food" in str(run)
    assert "\n" not in repr(run)
    assert set(run._repr_mimebundle_(include={"text/html"})) == {"text/html"}
    assert set(run._repr_mimebundle_(exclude={"text/html"})) == {"text/plain", "text/markdown"}


def test_a_call_is_written_down():
    run = biaskit.audit("some/model", ["food"], analyzers="steady", settings={"shift": 1.0}, seed=3)
    assert run.run.command == (
        "biaskit.audit('some/model', concepts=['food'], analyzers='steady', settings={'shift': 1.0}, seed=3)"
    )


def test_a_run_becomes_a_data_frame():
    run = audit()
    frame = run.to_frame()
    assert len(frame) == len(run.findings())
    assert list(frame.columns[:3]) == ["analyzer", "metric", "concept"]
    assert frame["value"].tolist() == [finding.estimate.value for finding in run.findings()]
