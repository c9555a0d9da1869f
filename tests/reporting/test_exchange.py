"""What other programs read, held against the schemas that they publish."""

import copy
import csv
import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import xmlschema
from huggingface_hub import ModelCard
from junitparser import JUnitXml

from biaskit import reporting
from biaskit.records.audit_spec import Rule
from biaskit.records.consequence import Effect
from biaskit.records.report import Outcome, Status
from biaskit.reporting import every_eval_ever, job_summary, junit, model_card, sarif, table
from biaskit.reporting.decided import decided
from tests.reporting.hostile import hostile_report
from tests.reporting.pictures import pictured
from tests.reporting.sample import build_report

SCHEMAS = Path(__file__).parent / "schemas"
XSD = "{http://www.w3.org/2001/XMLSchema}"


def ungated():
    report = build_report(verdicts=())
    return report.model_copy(update={"spec": report.spec.model_copy(update={"gates": ()})})


def ended(status):
    report = build_report()
    verdicts = tuple(one.model_copy(update={"outcome": Outcome.UNDECIDED}) for one in report.verdicts)
    run = report.run.model_copy(update={"status": status})
    return report.model_copy(update={"run": run, "verdicts": verdicts})


REPORTS = {
    "sample": build_report,
    "hostile": hostile_report,
    "pictured": pictured,
    "ungated": ungated,
    "crashed": lambda: ended(Status.ERROR),
    "partial": lambda: ended(Status.PARTIAL),
}


@pytest.fixture(scope="module", params=REPORTS)
def any_report(request):
    return REPORTS[request.param]()


def with_verdict(**changes):
    """The sample with its first verdict changed, and that one alone."""
    report = build_report()
    return report.model_copy(update={"verdicts": (report.verdicts[0].model_copy(update=changes),)})


def with_gate(report, **changes):
    first, *rest = report.spec.gates
    gates = (first.model_copy(update=changes), *rest)
    return report.model_copy(update={"spec": report.spec.model_copy(update={"gates": gates})})


@pytest.fixture(scope="module")
def jenkins():
    """Jenkins' schema, with what build servers have long read beside it: properties of a case."""
    tree = ET.parse(SCHEMAS / "junit-10.xsd")
    (case,) = tree.getroot().findall(f"{XSD}element[@name='testcase']")
    choice = case.find(f".//{XSD}choice")
    choice.append(ET.Element(f"{XSD}element", ref="properties"))
    return xmlschema.XMLSchema(ET.tostring(tree.getroot(), encoding="unicode"))


def test_junit_fits_the_published_schema(any_report, jenkins):
    text = junit.render(any_report)
    jenkins.validate(text)
    strict = ET.fromstring(text)
    for case in strict.iter("testcase"):
        for one in case.findall("properties"):
            case.remove(one)
    xmlschema.XMLSchema(str(SCHEMAS / "junit-10.xsd")).validate(ET.tostring(strict, encoding="unicode"))


def test_the_junit_schema_can_refuse(jenkins):
    with pytest.raises(xmlschema.XMLSchemaValidationError):
        jenkins.validate("<testsuites><testsuite name='x'/></testsuites>")


def test_junit_has_one_case_a_verdict_with_its_numbers():
    report = build_report()
    (suite,) = JUnitXml.fromstring(junit.render(report).encode())
    cases = list(ET.fromstring(junit.render(report)).iter("testcase"))
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (6, 2, 0, 2)
    names = {case.get("classname") + case.get("name") for case in cases}
    assert len(cases) == len(names) == len(report.verdicts)
    food = next(case for case in cases if case.get("name").startswith("food"))
    numbers = {one.get("name"): one.get("value") for one in food.iter("property")}
    finding = report.findings("biaslens.score", concept="food")[0]
    assert float(numbers["value"]) == finding.estimate.value
    assert numbers["n"] == "36 templates x fillers"
    assert float(numbers["minimum_detectable_effect"]) == 0.21
    assert numbers["interval"].startswith("[1.16, 1.48] at 0.95")
    assert "beyond the limit" in food.find("failure").get("message")


@pytest.mark.parametrize(
    ("verdict", "gate", "effect"),
    [
        ({"outcome": Outcome.PASS}, {}, Effect.PASSES),
        ({"outcome": Outcome.FAIL}, {}, Effect.FAILS),
        ({"outcome": Outcome.FAIL, "advisory": True}, {}, Effect.SKIPS),
        ({"outcome": Outcome.WAIVED}, {}, Effect.SKIPS),
        ({"outcome": Outcome.ERROR}, {}, Effect.ERRS),
        ({"outcome": Outcome.UNDECIDED}, {}, Effect.SKIPS),
        ({"outcome": Outcome.UNDECIDED}, {"on_undecided": "fail"}, Effect.FORBIDDEN),
        ({"outcome": Outcome.UNDECIDED}, {"rule": Rule.EVIDENCE_OF_COMPLIANCE}, Effect.FORBIDDEN),
        (
            {"outcome": Outcome.UNDECIDED},
            {"rule": Rule.EVIDENCE_OF_COMPLIANCE, "on_undecided": "warn"},
            Effect.SKIPS,
        ),
        ({"outcome": Outcome.UNDECIDED, "advisory": True}, {"on_undecided": "fail"}, Effect.SKIPS),
    ],
)
def test_what_a_verdict_does_to_a_build(verdict, gate, effect):
    report = with_gate(with_verdict(**verdict), **gate)
    (one,) = decided(report)
    assert one.effect is effect
    (suite,) = JUnitXml.fromstring(junit.render(report).encode())
    counts = (suite.failures, suite.errors, suite.skipped)
    order = ({Effect.FAILS, Effect.FORBIDDEN}, {Effect.ERRS}, {Effect.SKIPS})
    assert counts == tuple(int(effect in known) for known in order)


@pytest.mark.parametrize("report", [ungated(), ended(Status.ERROR), ended(Status.INTERRUPTED)])
def test_what_judged_nothing_is_never_green(report):
    (suite,) = JUnitXml.fromstring(junit.render(report).encode())
    assert suite.failures + suite.errors + suite.skipped == suite.tests > 0
    assert (suite.errors == 1) is (report.run.status is not Status.COMPLETE)


def test_no_character_that_xml_forbids_is_written():
    report = with_verdict(reason="\x00\x0b\ufffe\uffff\U0001fffe fine \u2028")
    assert "fine" in junit.render(report)
    ET.fromstring(junit.render(report))


@pytest.fixture(scope="module")
def sarif_schema():
    schema = json.loads((SCHEMAS / "sarif-2.1.0-rtm.5.json").read_text())
    return jsonschema.Draft4Validator(schema)


def test_sarif_fits_the_published_schema(any_report, sarif_schema):
    sarif_schema.validate(json.loads(sarif.render(any_report)))


def test_the_sarif_schema_can_refuse(sarif_schema):
    broken = json.loads(sarif.render(build_report()))
    broken["runs"][0]["results"][0]["level"] = "grave"
    assert not sarif_schema.is_valid(broken)


def results(report, spec=None):
    return json.loads(sarif.render(report, spec))["runs"][0]["results"]


def test_a_sarif_result_is_known_by_what_was_judged_and_never_by_its_value():
    before, after = build_report(), build_report()
    worse = tuple(one.model_copy(update={"reason": "+9.99 nat"}) for one in after.verdicts)
    after = after.model_copy(update={"verdicts": worse})
    prints = [[one["partialFingerprints"] for one in results(report)] for report in (before, after)]
    assert prints[0] == prints[1]
    assert len({json.dumps(one) for one in prints[0]}) == len(prints[0]) == 4
    assert [one["level"] for one in results(before)] == ["error", "error", "note", "note"]


def test_a_sarif_result_stands_at_its_gates_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = tmp_path / "my audits" / "a.toml"
    spec.parent.mkdir()
    spec.write_text('name = "a"\n\n[[gates]]\nmetric = "x.y"\nid = "wealth-gap"  # the old one\n')
    places = {one["ruleId"]: one["locations"][0]["physicalLocation"] for one in results(build_report(), spec)}
    assert places["wealth-gap"] == {
        "artifactLocation": {"uri": "my%20audits/a.toml"},
        "region": {"startLine": 5},
    }
    assert places["sentiment-gap"]["region"] == {"startLine": 1}


def test_a_waived_failure_is_suppressed_and_a_crash_is_told():
    (one,) = results(with_verdict(outcome=Outcome.WAIVED, reason="Waived until May."))
    assert one["suppressions"][0]["justification"] == "Waived until May."
    (invocation,) = json.loads(sarif.render(ended(Status.ERROR)))["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False
    assert invocation["toolExecutionNotifications"]


def test_sarif_shows_no_more_than_a_page_can(monkeypatch):
    monkeypatch.setattr(sarif, "MOST_RESULTS", 2)
    run = json.loads(sarif.render(build_report()))["runs"][0]
    assert [one["ruleId"] for one in run["results"]] == ["sentiment-gap"] * 2
    assert "2 more results" in run["invocations"][0]["toolExecutionNotifications"][-1]["message"]["text"]


@pytest.fixture(scope="module")
def eval_schema():
    schema = json.loads((SCHEMAS / "every-eval-ever-0.3.0.json").read_text())
    return jsonschema.Draft7Validator(schema)


def test_every_eval_ever_fits_the_published_schema(any_report, eval_schema):
    eval_schema.validate(json.loads(every_eval_ever.render(any_report)))


def test_the_eval_schema_can_refuse(eval_schema):
    broken = json.loads(every_eval_ever.render(build_report()))
    del broken["evaluation_results"][0]["metric_config"]["lower_is_better"]
    assert not eval_schema.is_valid(broken)


def test_every_eval_ever_holds_the_headline_numbers():
    report = build_report()
    found = json.loads(every_eval_ever.render(report))["evaluation_results"]
    headline = [one for one in report.findings() if one.headline]
    assert [one["score_details"]["score"] for one in found] == [one.estimate.value for one in headline]
    first = found[0]["score_details"]["uncertainty"]
    interval = headline[0].estimate.interval
    assert first["confidence_interval"]["lower"] == interval.low
    assert first["num_samples"] == 36
    assert found[0]["metric_config"]["additional_details"] == {"better": "toward_zero"}


def test_a_model_card_is_one_that_the_hub_reads(any_report):
    card = ModelCard(model_card.render(any_report))
    headline = [one for one in any_report.findings() if one.headline and one.estimate.value is not None]
    read = card.data.eval_results or []
    assert [one.metric_value for one in read] == [one.estimate.value for one in headline][: len(read)]
    assert len(read) == min(len(headline), 60)
    assert "## Bias, risks and limitations" in card.text


def test_a_model_card_keeps_texts_that_yaml_would_take_for_something_else():
    report = build_report()
    findings = tuple(
        one.model_copy(update={"concepts": ('no: {"a"} # "\\', *one.concepts[1:])})
        for one in report.analyses[0].findings
    )
    report = report.model_copy(
        update={"analyses": (report.analyses[0].model_copy(update={"findings": findings}),)}
    )
    card = ModelCard(model_card.render(report))
    assert card.data.eval_results[0].dataset_config == 'no: {"a"} # "\\'


def test_a_job_summary_is_one_screen_and_opens_with_what_failed():
    text = job_summary.render(build_report())
    assert len(text.splitlines()) < 30
    lines = text.splitlines()
    assert lines[0] == "### ❌ biaskit: demo"
    rows = [line for line in lines if line.startswith(("| ❌", "| ⚠️"))]
    assert [row.split("|")[2].strip() for row in rows] == ["sentiment-gap"] * 3 + ["wealth-gap"]
    assert "2 of 6 verdicts passed" in text


def test_a_job_summary_of_an_ungated_run_shows_numbers_and_no_pass():
    text = job_summary.render(ungated())
    assert "⚠️" in text
    assert "✅" not in text
    assert "+1.32" in text


def test_a_job_summary_is_inert():
    text = job_summary.render(hostile_report())
    assert "<script" not in text
    assert not re.search(r"(?<!\\)\]\(javascript", text)
    assert "@everyone" not in text


def test_findings_as_csv_cannot_start_a_formula():
    lines = list(csv.DictReader(io.StringIO(table.as_csv(hostile_report()))))
    assert len(lines) == len(hostile_report().findings())
    assert not any(
        cell.startswith(("=", "+", "@", "\t", "\r")) for line in lines for cell in line.values() if cell
    )
    texts = [cell for line in lines for name, cell in line.items() if name in {"concept", "group", "reason"}]
    assert not any(cell.startswith("-") for cell in texts)
    sample = list(csv.DictReader(io.StringIO(table.as_csv(build_report()))))
    assert [float(line["value"]) for line in sample if line["value"]] == [
        one.estimate.value for one in build_report().findings() if one.estimate.value is not None
    ]


def test_every_form_is_a_pure_function(any_report):
    for name in set(reporting.FORMS) - {"json"}:
        before = copy.deepcopy(any_report)
        assert reporting.render(any_report, name) == reporting.render(before, name)


@pytest.mark.parametrize(
    ("file", "form"),
    [
        ("x.html", "html"),
        ("X.HTM", "html"),
        ("a.b.md", "markdown"),
        ("x.summary.md", "summary"),
        ("x.card.md", "model-card"),
        ("x.junit.xml", "junit"),
        ("results.xml", "junit"),
        ("x.sarif", "sarif"),
        ("x.sarif.json", "sarif"),
        ("x.eee.json", "every-eval-ever"),
        ("x.json", "json"),
    ],
)
def test_a_files_ending_names_its_form(file, form):
    assert reporting.form_of(Path(file)) == form
