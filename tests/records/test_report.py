"""A report is JSON first: what is written is read again, and what is unknown is refused."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from pydantic import ValidationError

from biaskit.records.audit_spec import AnalyzerSpec, AuditSpec, Gate, Subject, Waiver
from biaskit.records.estimate import Estimate, Interval, Null, Unit
from biaskit.records.finding import Analysis, Evidence, Finding
from biaskit.records.report import (
    Outcome,
    ProbeSetRecord,
    Report,
    RunRecord,
    Status,
    SubjectRecord,
    Verdict,
)
from biaskit.records.site import Site

SPEC = AuditSpec(
    name="clinic",
    subject=Subject(model="demo"),
    concepts=("food",),
    analyzers=(AnalyzerSpec(name="biaslens", settings={"axis": "oriented", "layers": [1, 2], "k": None}),),
    gates=(Gate(id="small", metric="biaslens.score", at_most=0.5),),
    waivers=(Waiver(gate="small", until=date(2030, 1, 1), reason="Known.", approved_by="Someone"),),
)


def estimate(value):
    return Estimate(
        value=value,
        unit=Unit.NAT,
        n=160,
        resampling_unit="templates x fillers",
        method="mean",
        interval=Interval(low=-1, high=1, level=0.95, method="percentile"),
        null=Null(p=0.5, kind="conformal"),
    )


def finding(metric, concept, value):
    return Finding(
        metric=metric,
        concepts=(concept,),
        references=("male", "female"),
        site=Site.parse("resid_post.6"),
        estimate=estimate(value),
        evidence=(Evidence(text="The caf\u00e9 \u2014 <b>&</b> \U0001f35c", value=0.1),),
    )


def report(**changes):
    content = {
        "tool_version": "0.1.0",
        "run": RunRecord(
            id="abc",
            started_at=datetime(2026, 1, 2, tzinfo=UTC),
            duration_s=1.5,
            cpu_s=1.0,
            peak_memory_mib=100,
            status=Status.COMPLETE,
        ),
        "subject": SubjectRecord(
            name="demo",
            source="organism:reviews, seed 0",
            architecture="gpt2",
            layout="known",
            layers=3,
            width=96,
            parameters=1000,
            dtype="float32",
            device="cpu",
            fingerprint="f" * 64,
        ),
        "spec": SPEC,
        "spec_digest": SPEC.digest,
        "probe_sets": (ProbeSetRecord(name="food", kind="target", digest="d", source="s", licence="l"),),
        "analyses": (
            Analysis(
                analyzer="biaslens",
                settings={"axis": "oriented"},
                findings=(finding("biaslens.score", "food", 0.1), finding("biaslens.score", "price", 0.2)),
                conflicts=("Inside and behaviour disagree.",),
            ),
            Analysis(analyzer="other", settings={}, findings=(finding("other.score", "food", 0.3),)),
        ),
        "verdicts": (Verdict(gate="small", concept="food", outcome=Outcome.PASS, reason="0.1 is small."),),
    }
    return Report(**(content | changes))


def test_a_report_survives_json():
    whole = report()
    text = whole.model_dump_json()
    assert Report.model_validate_json(text) == whole
    assert Report.model_validate_json(text).model_dump_json() == text
    assert Report.model_validate(json.loads(text)) == whole


def test_json_is_strict_and_keeps_the_text():
    text = report().model_dump_json()
    json.loads(text, parse_constant=pytest.fail)
    assert "caf\u00e9 \u2014 <b>&</b> \U0001f35c" in text


def test_a_report_of_another_schema_is_refused():
    content = json.loads(report().model_dump_json())
    with pytest.raises(ValidationError):
        Report.model_validate(content | {"schema_version": 2})
    with pytest.raises(ValidationError):
        Report.model_validate(content | {"surprise": 1})


def test_a_report_without_its_environment_is_whole():
    assert report().environment == {}
    report().environment["python"] = "3.11"
    assert report().environment == {}


def test_findings_are_narrowed():
    whole = report()
    assert len(whole.findings()) == 3
    assert [f.concepts for f in whole.findings("biaslens.score")] == [("food",), ("price",)]
    assert [f.metric for f in whole.findings(concept="food")] == ["biaslens.score", "other.score"]
    assert whole.findings("biaslens.score", concept="price")[0].estimate.value == 0.2
    assert whole.findings("nothing.here") == ()


def test_conflicts_are_gathered():
    assert report().conflicts == ("Inside and behaviour disagree.",)


@pytest.mark.parametrize("metric", ["score", "Biaslens.score", "biaslens score", "biaslens."])
def test_a_metric_is_dotted(metric):
    with pytest.raises(ValidationError):
        finding(metric, "food", 0.1)


def test_the_digest_of_a_spec_is_of_its_content():
    again = AuditSpec.model_validate_json(SPEC.model_dump_json())
    assert again.digest == SPEC.digest
    assert AuditSpec(name="a").digest == AuditSpec(name="a", seed=0, format=1).digest
    changed = [
        SPEC.model_copy(update=change)
        for change in ({"seed": 1}, {"concepts": ("price",)}, {"gates": ()}, {"subject": None})
    ]
    assert len({SPEC.digest, *(spec.digest for spec in changed)}) == 5


def test_the_schema_can_be_written():
    schema = Report.model_json_schema()
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Estimate"]["properties"]["n"]["description"]
