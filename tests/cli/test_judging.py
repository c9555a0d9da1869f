"""Gates on the command line: every exit code, comparison, verification, plans and mistakes in audits."""

import json
from datetime import date

import numpy as np
import pytest

from biaskit.gates import exit_code, judged
from biaskit.records.audit_spec import AnalyzerSpec, Gate, Rule, Waiver
from biaskit.records.report import Outcome, Status
from biaskit.reporting import folder
from tests.gates.test_changes import cells, run_of

TODAY = date(2026, 11, 23)
GATE = {"id": "gap", "metric": "biaslens.score", "at_most": 0.5}
PROVES = {"rule": Rule.EVIDENCE_OF_COMPLIANCE}
WAIVER = Waiver(gate="gap", until=date(2030, 1, 1), reason="known", approved_by="owner")


def run(truth=0.0, *gates, status=Status.COMPLETE, waivers=(), empty=False, **more):
    """A judged run whose one number lies near `truth`, with a standard error of about 0.05."""
    found = run_of({"food": truth + 0.02 * cells(np.random.default_rng(0))}, gates, **more)
    spec = found.spec.model_copy(update={"waivers": waivers, "analyzers": (AnalyzerSpec(name="biaslens"),)})
    told = {"spec": spec, "spec_digest": spec.digest}
    told["run"] = found.run.model_copy(update={"status": status})
    told |= {"analyses": ()} if empty else {}
    return judged(found.model_copy(update=told), TODAY)


ONE = Gate(**GATE)
PROOF = Gate(**GATE, **PROVES)
LENIENT = Gate(**GATE, on_undecided="pass")
NOBODY = Gate(**(GATE | {"id": "b", "where": {"concept": "nobody"}}))
FILE = 'format = 1\nname = "mine"\n[[gates]]\nid = "gap"\nmetric = "biaslens.score"\nat_most = 0.5\n'
CODES = {
    "passed": (run(0.0, ONE), 0),
    "no gate": (run(9.0), 0),
    "failed": (run(9.0, ONE), 1),
    "failed, and the analyzer stopped later": (run(9.0, ONE, status=Status.ERROR), 1),
    "passed, and another analyzer stopped": (run(0.0, ONE, status=Status.ERROR), 3),
    "everything errored": (run(0.0, ONE, status=Status.ERROR, empty=True), 3),
    "everything errored, no gate": (run(0.0, status=Status.ERROR, empty=True), 3),
    "undecided, allowed": (run(0.5, ONE), 0),
    "undecided, forbidden": (run(0.5, PROOF), 4),
    "undecided and stopped": (run(0.5, PROOF, status=Status.ERROR), 3),
    "partial, though it would pass": (run(0.0, ONE, status=Status.PARTIAL), 4),
    "partial, though undecided passes": (
        run(0.0, LENIENT, status=Status.PARTIAL),
        4,
    ),
    "nothing collected": (run(0.0, empty=True), 5),
    "a gate about nothing": (run(0.0, ONE, NOBODY), 5),
    "undecided before nothing": (
        run(0.5, PROOF, NOBODY),
        4,
    ),
    "waived": (run(9.0, ONE, waivers=(WAIVER,)), 0),
    "waived, undecided where it may not be": (run(0.5, PROOF, waivers=(WAIVER,)), 0),
    "waived, but partial": (run(9.0, ONE, waivers=(WAIVER,), status=Status.PARTIAL), 4),
    "waived, and another failed": (run(9.0, ONE, Gate(**(GATE | {"id": "b"})), waivers=(WAIVER,)), 1),
    "interrupted": (run(0.0, ONE, status=Status.INTERRUPTED), 130),
    "interrupted after a failure": (run(9.0, ONE, status=Status.INTERRUPTED), 130),
    "no baseline, which is allowed": (run(0.0, Gate(**GATE, against="baseline")), 0),
    "no baseline, though needed": (run(0.0, Gate(**GATE, against="baseline", **PROVES)), 4),
}


@pytest.mark.parametrize(("report", "code"), CODES.values(), ids=CODES)
def test_the_exit_code(biaskit, tmp_path, report, code):
    folder.write(report, tmp_path / "run")
    assert exit_code(report) == code
    done = biaskit("gate", tmp_path / "run")
    assert done.code == code, done.err


def test_what_its_analyzer_could_not_give_is_an_error_and_never_a_pass():
    report = run(0.0, ONE, status=Status.ERROR, empty=True)
    (verdict,) = report.verdicts
    assert verdict.outcome is Outcome.ERROR
    assert verdict.reason == "Not judged: biaslens stopped before it gave biaslens.score."


def test_an_ended_waiver_is_told(biaskit, tmp_path):
    waiver = WAIVER.model_copy(update={"until": date(2020, 1, 1)})
    folder.write(run(9.0, ONE, waivers=(waiver,)), tmp_path / "run")
    done = biaskit("gate", tmp_path / "run")
    assert done.code == 1
    assert "The waiver of 'gap' by owner ended on 2020-01-01" in done.err
    path = tmp_path / "mine.toml"
    path.write_text(
        FILE + '[[waivers]]\ngate = "gap"\nuntil = 2020-01-01\nreason = "known"\napproved_by = "owner"\n'
    )
    done = biaskit("validate", path)
    assert done.code == 0
    assert "ended on 2020-01-01" in done.err


def test_a_metric_that_does_not_exist_has_its_line(biaskit, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(FILE.replace("biaslens.score", "biaslens.scor"))
    done = biaskit("validate", path)
    assert done.code == 2
    assert "biaslens.score" in done.err
    assert "in line 5 of" in done.err


@pytest.fixture
def runs(tmp_path):
    folder.write(run(0.0, ONE), tmp_path / "before")
    folder.write(run(1.0, ONE), tmp_path / "after")
    return tmp_path / "before", tmp_path / "after"


def test_two_runs_are_compared(biaskit, runs, tmp_path):
    done = biaskit("compare", *runs)
    assert done.code == 0, done.err
    assert "1 worse" in done.out
    assert "paired" in done.out
    assert biaskit("compare", runs[0], runs[0]).out.count("unchanged") == 1
    done = biaskit(
        "compare", *runs, "-o", tmp_path / "c.json", "-o", tmp_path / "c.md", "--metric", "biaslens.score"
    )
    (one,) = json.loads((tmp_path / "c.json").read_text())["differences"]
    assert (one["change"], one["paired"]) == ("worse", True)
    assert "| worse | biaslens.score | food |" in (tmp_path / "c.md").read_text()
    assert biaskit("compare", *runs, "-o", tmp_path / "c.docx").code == 2
    assert "biaslens.score" in biaskit("compare", *runs, "--metric", "biaslens.scor").err


def test_hostile_names_are_inert_in_a_comparison(biaskit, tmp_path):
    hostile = "<script>|\x1b[31m`*"
    for name, truth in (("a", 0.0), ("b", 3.0)):
        report = run_of({hostile: truth + 0.02 * cells(np.random.default_rng(0))})
        folder.write(report, tmp_path / name)
    done = biaskit("compare", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "c.md")
    text = (tmp_path / "c.md").read_text()
    assert done.code == 0
    assert "<script>" not in text
    assert "\x1b" not in text + biaskit("compare", tmp_path / "a", tmp_path / "b").out


def test_a_baseline_decides_and_another_model_is_refused(biaskit, runs, tmp_path):
    gates = tmp_path / "gates.toml"
    change = FILE.replace("at_most = 0.5", 'against = "baseline"\nat_most = 0.3').replace("mine", "gates")
    gates.write_text(change)
    done = biaskit("gate", runs[1], "-c", gates, "--baseline", runs[0])
    assert (done.code, "since the baseline" in done.out.replace("\n", " ")) == (1, True), done.out
    assert biaskit("gate", runs[0], "-c", gates, "--baseline", runs[0]).code == 0
    other = run(0.0, ONE)
    other = other.model_copy(update={"subject": other.subject.model_copy(update={"name": "gpt2"})})
    folder.write(other, tmp_path / "other")
    done = biaskit("gate", runs[1], "-c", gates, "--baseline", tmp_path / "other")
    assert done.code == 2
    assert "another model: 'gpt2'" in done.err
    assert biaskit("compare", tmp_path / "other", runs[0]).code == 2
    assert biaskit("compare", tmp_path / "other", runs[0], "--other-model").code == 0


def test_a_run_is_verified_until_a_byte_changes(biaskit, runs):
    done = biaskit("verify", runs[0])
    assert done.code == 0, done.err
    assert "1 numbers and 1 of their intervals computed again" in done.out
    page = runs[0] / "report.html"
    page.write_bytes(page.read_bytes() + b" ")
    done = biaskit("verify", runs[0])
    assert (done.code, "report.html was changed" in done.err) == (6, True)


PLAN = ("plan", "--model", "demo", "--concepts", "food", "--offline")


def test_a_plan_says_what_it_does_not_know(biaskit):
    done = biaskit(*PLAN)
    assert done.code == 0, done.err
    for said in ("8 stems x 154 nouns", "Nothing to download", "time not known", "not known what it can see"):
        assert said in done.out
    assert json.loads(biaskit(*PLAN, "--json").out)["duration_s"] is None
    assert biaskit(*PLAN, "--concepts", "fod").code == 2


def test_a_plan_refuses_what_a_gate_cannot_see(biaskit, tmp_path):
    earlier = run(0.0)
    spec = earlier.spec.model_copy(
        update={"references": (), "waivers": (), "name": "quick", "description": ""}
    )
    told = {"spec": spec, "probe_sets": ()}
    folder.write(earlier.model_copy(update=told), tmp_path / "run")
    asked = (*PLAN, "--from", tmp_path / "run")
    done = biaskit(*asked, "--set", "gates.0.mde=0.001")
    assert done.code == 2, done.out
    assert "promises to see 0.001 nats of food" in done.err
    assert "units in the place of 48" in done.err
    assert biaskit(*asked, "--set", "gates.0.mde=2.0").code == 0


@pytest.mark.parametrize(("fail_on", "code"), [("fail", 0), ("undecided", 4)])
def test_the_gate_writes_what_it_decided_and_not_what_the_run_holds(biaskit, tmp_path, fail_on, code):
    folder.write(run(0.5), tmp_path / "run")
    written = tmp_path / "out.junit.xml"
    (tmp_path / "mine.toml").write_text(FILE)
    asked = ("gate", tmp_path / "run", "-c", "mine.toml", "--fail-on", fail_on, "-o", written)
    assert biaskit(*asked).code == code
    assert ("<failure" in written.read_text(), "<skipped" in written.read_text()) == (code == 4, code == 0)
    again = biaskit(*asked)
    assert (again.code, "exists already" in again.err) == (2, True)
    assert biaskit(*asked, "--force").code == code
