"""A run on disk: whole or not at all, and readable by others."""

import json
import re

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biaskit import reporting
from biaskit.errors import RequestError, UnknownNameError
from biaskit.records.report import Report
from biaskit.reporting import folder
from tests.reporting.hostile import hostile_report
from tests.reporting.probing import probing_report


@pytest.mark.parametrize("hostile", [False, True], ids=["plain", "hostile"])
def test_a_run_comes_back_as_it_was(report, tmp_path, hostile):
    written = hostile_report() if hostile else report
    folder.write(written, tmp_path)
    assert folder.read(tmp_path, Report) == written
    assert folder.read(tmp_path / "report.json", Report) == written


def test_the_files_of_a_run(report, tmp_path):
    folder.write(report, tmp_path / "a" / "run")
    found = {str(path.relative_to(tmp_path / "a" / "run")) for path in tmp_path.rglob("*") if path.is_file()}
    evidence = {f"evidence/biaslens.{name}.jsonl" for name in ("score", "behaviour", "latent")}
    assert found == {"manifest.json", "report.json", "report.html", "findings.csv", *evidence}


def test_writing_twice_gives_the_same_bytes(report, tmp_path):
    for name in ("one", "two"):
        folder.write(report, tmp_path / name)
    for path in (tmp_path / "one").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def test_evidence_rows_say_what_they_are_about(report, tmp_path):
    folder.write(report, tmp_path)
    lines = (tmp_path / "evidence" / "biaslens.score.jsonl").read_text().splitlines()
    findings = report.findings("biaslens.score")
    assert len(lines) == sum(len(finding.evidence) for finding in findings)
    first = json.loads(lines[0])
    assert first["concepts"] == ["food"]
    assert first["text"] == findings[0].evidence[0].text
    assert first["unit"] == "nat"


def test_evidence_of_an_earlier_run_does_not_stay(report, make_report, tmp_path):
    folder.write(report, tmp_path)
    folder.write(make_report(analyses=()), tmp_path)
    assert list((tmp_path / "evidence").glob("*")) == []


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    folder.write_file(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="No space"):
        folder.write_file(path, "new")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("report.json", "old")]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"schema_version": 2}', b"\xff\xfe"])
def test_what_is_no_report_is_refused(tmp_path, content):
    (tmp_path / "report.json").write_bytes(content)
    with pytest.raises(RequestError):
        folder.read(tmp_path, Report)


def test_a_missing_report_is_refused(tmp_path):
    with pytest.raises(RequestError, match="There is no report"):
        folder.read(tmp_path, Report)


@pytest.mark.parametrize("hostile", [False, True], ids=["plain", "hostile"])
def test_every_report_fits_its_schema(report, hostile):
    schema = Report.model_json_schema(mode="serialization")
    jsonschema.Draft202012Validator.check_schema(schema)
    content = json.loads(folder.to_json(hostile_report() if hostile else report))
    jsonschema.validate(content, schema)
    content["analyses"][0]["findings"][0]["estimate"].pop("unit")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema)


def test_the_json_is_canonical(report):
    text = folder.to_json(report)
    assert text.endswith("}\n")
    assert "NaN" not in text
    assert Report.model_validate_json(text) == report


def test_each_row_of_a_table_stands_on_a_line_of_its_own():
    made = probing_report()
    text = folder.to_json(made)
    assert json.loads(text) == json.loads(made.model_dump_json())
    (table, *_) = (one for analysis in made.analyses for one in analysis.tables)
    first = json.dumps(table.rows[0], ensure_ascii=False)
    assert any(line.strip().rstrip(",") == first for line in text.splitlines())
    assert len(text) < len(made.model_dump_json(indent=2))


LISTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.lists(LISTS) | st.dictionaries(st.text(), LISTS))
def test_lists_on_one_line_read_back_as_they_were(content):
    lines = json.dumps(content, indent=2, ensure_ascii=False).split("\n")
    assert json.loads("\n".join(folder._one_line_a_row(lines))) == content


def test_a_folder_name_is_safe_and_says_what_it_is(report):
    assert re.fullmatch(r"demo-food-service-price-and-more-5d3e9a1c", folder.folder_name(report))
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", folder.folder_name(hostile_report()))


@pytest.mark.parametrize("form", sorted(reporting.FORMS))
def test_every_form_names_what_was_audited(report, form):
    assert "food" in reporting.render(report, form)


def test_an_unknown_form_is_answered_with_a_near_one(report):
    with pytest.raises(UnknownNameError, match="junit"):
        reporting.render(report, "junt")
