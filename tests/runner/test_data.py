"""Labelled texts of one's own on their way from a request to a report."""

import pytest

import biaskit
from biaskit import models
from biaskit.errors import BiaskitError, CatalogueError, RequestError, UnknownNameError
from biaskit.records.audit_spec import AnalyzerSpec, AuditSpec, DataSpec
from biaskit.records.labelled_texts import LabelledTexts
from biaskit.runner import request as requests
from biaskit.runner.request import Options, request

OWN = LabelledTexts(name="own", texts=("a", "b", "c"), labels=("x", "y", "z"))


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_text("text,label,topic\na,1,p\nb,0,q\nc,1,\n")
    return tmp_path / "mine.csv"


def ask(concepts=(), spec=None, **options):
    return request("some/model", concepts, (), spec, Options(**options))


@pytest.mark.parametrize("form", [str, lambda path: path, lambda path: [path], lambda path: (path.name,)])
def test_a_file_needs_no_concept(mine, form):
    asked = ask(data=form(mine))
    assert asked.comparisons == ()
    assert [one.name for one in asked.labelled] == ["mine"]
    assert [one.text for one in asked.spec.data] == ["text"]


def test_columns_are_named_in_the_call(mine):
    (mine.parent / "other.csv").write_text("prompt,target,who\na,1,p\nb,0,q\n")
    asked = ask(
        data="other.csv",
        text_column="prompt",
        label_column="target",
        positive="1",
        group_columns=("who",),
        attribute_columns=["who"],
        shifted="other.csv",
    )
    assert asked.spec.data == (
        DataSpec(
            path="other.csv",
            text="prompt",
            label="target",
            positive="1",
            groups=("who",),
            attributes=("who",),
            shifted="other.csv",
        ),
    )
    (found,) = asked.labelled
    assert found.groups == found.attributes == {"who": ("p", "q")}
    assert found.shifted.texts == ("a", "b")


def test_texts_in_memory_stand_beside_files_and_concepts(mine):
    more = OWN.model_copy(update={"name": "more"})
    asked = ask("food", data=[OWN, DataSpec(path="mine.csv"), more])
    assert [one.name for one in asked.labelled] == ["mine", "own", "more"]
    assert len(asked.comparisons) == 1
    assert [one.path for one in asked.spec.data] == ["mine.csv"]


def test_data_of_an_audit_file_lie_beside_it_and_the_call_wins(mine, tmp_path, monkeypatch):
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "s.csv").write_text("text,label\na,1\nb,0\n")
    suite = tmp_path / "suite" / "suite.toml"
    suite.write_text('format = 1\nname = "suite"\n[[data]]\npath = "s.csv"\n')
    assert [one.name for one in ask(spec=suite).labelled] == ["s"]
    assert [one.name for one in ask(spec=suite, data="mine.csv").labelled] == ["mine"]
    handed = ask(spec=suite, data=OWN)
    assert ([one.name for one in handed.labelled], handed.spec.data) == (["own"], ())
    record = AuditSpec(name="r", data=(DataSpec(path=str(mine)),))
    assert [one.name for one in ask(spec=record).labelled] == ["mine"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"data": "mein.csv"}, "mine.csv"),
        ({"data": "mine.csv", "text_column": "txt"}, "text"),
        ({"data": "mine.csv", "positive": "2"}, "no label"),
        ({"data": ["mine.csv", "mine.csv"]}, "Two sets of data are named 'mine'"),
        ({"data": ["mine.csv", OWN.model_copy(update={"name": "mine"})]}, "Two sets"),
        ({"data": ["mine.csv", "x.csv"], "shifted": "mine.csv"}, "several files"),
        ({"text_column": "prompt"}, "'text_column' was given and no data"),
        ({"data": OWN, "shifted": "mine.csv"}, "no data"),
        ({"data": 3}, "A int is no data"),
        ({"data": [OWN, None]}, "A NoneType is no data"),
        ({"data": OWN.model_copy(update={"labels": ("x", "x", "x")})}, "one label only"),
        ({}, "--data"),
    ],
)
def test_what_cannot_be_read_is_refused_before_a_model_is_opened(mine, options, said):
    with pytest.raises(BiaskitError, match=said) as caught:
        ask(**options)
    assert caught.value.exit_code == 2


def test_a_limit_keeps_some_rows_of_each_label(mine):
    many = LabelledTexts(
        name="many",
        texts=tuple(map(str, range(100))),
        labels=("x",) * 60 + ("y",) * 40,
        groups={"g": tuple(map(str, range(100)))},
    )
    asked = ask(data=many.model_copy(update={"shifted": many}), limit=2)
    (found,) = asked.labelled
    assert asked.partial
    assert found.texts == found.groups["g"] == found.shifted.texts
    assert found.texts == (*map(str, range(20)), *map(str, range(60, 80)))


def test_the_default_audit_of_data_runs_what_is_made_for_them(mine, monkeypatch):
    monkeypatch.setitem(requests.analyzers.BUILT_IN, requests.FOR_DATA, "some:Thing")
    asked = ask(data="mine.csv")
    assert asked.spec.analyzers == (AnalyzerSpec(name=requests.FOR_DATA),)
    assert asked.spec.gates == ()
    assert ask("food", data="mine.csv").spec.analyzers == (AnalyzerSpec(name="biaslens"),)
    assert ask(data="mine.csv", analyzers="biaslens").spec.analyzers == (AnalyzerSpec(name="biaslens"),)


def audit(**options):
    return biaskit.audit("some/model", analyzers="counting", **options)


@pytest.mark.usefixtures("plugins", "fake_model")
class TestRun:
    def test_the_report_says_what_was_used(self, mine, tmp_path):
        run = audit(data=[str(mine), OWN], out_dir=tmp_path / "run")
        assert {one.concepts[0]: one.estimate.value for one in run.findings()} == {"mine": 3.0, "own": 3.0}
        found = {one.name: one for one in run.probe_sets}
        assert {one.kind for one in found.values()} == {"data"}
        assert {one.licence for one in found.values()} == {"not stated"}
        assert (found["mine"].source, found["own"].source) == ("mine.csv", "in memory")
        assert found["own"].digest == OWN.digest
        assert (tmp_path / "run" / "report.html").is_file()

    def test_the_run_id_moves_with_the_content(self, mine):
        before = audit(data="mine.csv").run.id
        assert audit(data="mine.csv").run.id == before
        mine.write_text(mine.read_text().replace("a,1", "aa,1"))
        assert audit(data="mine.csv").run.id != before
        assert audit(data=OWN).run.id != audit(data=OWN.model_copy(update={"texts": ("a", "b", "d")})).run.id

    def test_the_call_is_written_down_without_the_texts(self, mine):
        assert "data='mine.csv'" in audit(data="mine.csv").run.command
        assert "LabelledTexts" not in audit(data=[OWN]).run.command

    def test_a_fault_is_found_before_the_model_is_opened(self, mine, monkeypatch):
        monkeypatch.setattr(models, "load", lambda *_, **__: pytest.fail("the model was opened"))
        with pytest.raises(CatalogueError):
            audit(data=OWN.model_copy(update={"texts": ("a", "", "c")}))
        with pytest.raises(UnknownNameError):
            audit(data="mine.csv", label_column="lable")

    def test_biaslens_without_concepts_names_what_it_needs(self, mine):
        with pytest.raises(RequestError, match="--concepts"):
            biaskit.audit("some/model", data="mine.csv", analyzers="biaslens")
