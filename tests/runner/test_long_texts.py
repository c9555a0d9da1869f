"""A text that is longer than the model reads is named by file, row and length."""

import pytest

import biaskit
from biaskit.errors import RequestError, TextTooLongError
from biaskit.records.labelled_texts import LabelledTexts

LONG, LONGER = "a text too long", "a text that is much too long"


@pytest.fixture
def mine(tmp_path, monkeypatch, plugins, fake_model):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_text(f"text,label\na,1\n\n{LONGER},0\nb,1\n{LONG},0\n")
    (tmp_path / "short.csv").write_text("text,label\na,1\nb,0\n")
    return tmp_path


def stopped(**options):
    with pytest.raises(RequestError) as caught:
        biaskit.audit("some/model", **({"analyzers": "narrow"} | options))
    return caught.value


def test_file_rows_and_lengths_are_named(mine):
    error = stopped(data=["short.csv", "mine.csv"])
    assert error.what == (
        "'mine.csv' has texts that are longer than the model reads: row 4 (28 tokens), row 6 (15 tokens)."
    )
    assert "at most 10 tokens" in error.why
    assert "take the rows out" in error.fix


def test_also_in_the_shifted_file_and_in_that_of_an_audit(mine):
    assert "'mine.csv'" in stopped(data="short.csv", shifted="mine.csv").what
    (mine / "suite").mkdir()
    (mine / "mine.csv").rename(mine / "suite" / "mine.csv")
    suite = mine / "suite" / "suite.toml"
    suite.write_text('format = 1\nname = "suite"\n[[data]]\npath = "mine.csv"\n')
    assert "row 4 (28 tokens)" in stopped(spec=suite).what


def test_texts_in_memory_are_counted_from_0(mine):
    own = LabelledTexts(name="own", texts=("a", LONG), labels=("x", "y"))
    assert "rows counted from 0, has texts" in stopped(data=own).what
    assert "row 1 (15 tokens)" in stopped(data=own).what


def test_many_are_counted(mine):
    rows = "".join(f"{LONG} {row},{row % 2}\n" for row in range(9))
    (mine / "mine.csv").write_text(f"text,label\n{rows}")
    assert "row 6 (17 tokens) and 4 more." in stopped(data="mine.csv").what


def test_beside_another_analyzer_the_report_names_them(mine):
    run = biaskit.audit("some/model", data="mine.csv", analyzers="counting,narrow")
    assert "row 4 (28 tokens)" in run.not_measured[0]
    assert run.findings()


def test_a_text_of_the_catalogue_is_shown():
    error = TextTooLongError({LONG: 15, "x" * 100: 100}, 10)
    assert "100 tokens long" in str(error)
    assert f"'{'x' * 77}...'" in str(error)
