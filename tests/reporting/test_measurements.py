"""Tables as files that others read."""

import csv
import time
from io import StringIO

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biaskit.records.report import Report
from biaskit.records.table import Column, Table
from biaskit.reporting import folder, measurements
from tests.reporting import probing

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
CELL = st.one_of(st.none(), TEXT, st.integers(), st.floats(allow_nan=False, allow_infinity=False))


def table(*rows, names=("a", "b")):
    columns = tuple(Column(name=name, description=name) for name in names)
    return Table(name="t", title="t", columns=columns, rows=rows)


@given(st.lists(st.tuples(CELL, CELL), max_size=5))
def test_every_cell_is_read_back(rows):
    """Numbers come back as the same number, texts as they were but for the guard; nothing is a formula."""
    head, *found = csv.reader(StringIO(measurements.as_csv(table(*rows)), newline=""), strict=True)
    assert head == ["a", "b"]
    assert len(found) == len(rows)
    for cells, row in zip(found, rows, strict=True):
        for text, cell in zip(cells, row, strict=True):
            if isinstance(cell, str):
                assert text.removeprefix("'") == cell.removeprefix("'")
                assert not text.startswith(("=", "+", "-", "@", "\t", "\r"))
            else:
                assert text == "" if cell is None else type(cell)(text) == cell


@pytest.mark.parametrize("mark", ["=", "+", "-", "@", "\t", "\r"])
def test_a_text_cannot_start_a_formula(mark):
    (_, row) = csv.reader(StringIO(measurements.as_csv(table((f"{mark}1+1", -1.5))), newline=""))
    assert row == [f"'{mark}1+1", "-1.5"]


def test_lines_end_with_a_line_feed_and_what_needs_quotes_has_them():
    text = measurements.as_csv(table(("x,y", 'say "no"'), ("two\r\nlines", None), ("one\rreturn", True)))
    assert text == 'a,b\n"x,y","say ""no"""\n"two\r\nlines",\n"one\rreturn",True\n'


def test_an_empty_table_is_a_head():
    assert measurements.as_csv(table()) == "a,b\n"


def test_a_missing_cell_is_a_row_even_where_it_is_alone():
    assert measurements.as_csv(table((None,), names=("a",))) == 'a\n""\n'


def test_files_lie_in_their_folder_under_names_of_their_own():
    analyses = [probing.analysis(analyzer=name) for name in ("probe", "probe", "PROBE", "../../etc/x", "")]
    names = list(measurements.files(probing.probing_report(*analyses)))
    assert names == [
        "tables/probe.folds.csv",
        "tables/probe.folds.2.csv",
        "tables/PROBE.folds.3.csv",
        "tables/etc-x.folds.csv",
        "tables/analyzer.folds.csv",
    ]


def test_a_run_folder_holds_its_tables_and_none_of_an_earlier_run(tmp_path):
    report = probing.probing_report()
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "old.csv").write_text("a\n")
    folder.write(report, tmp_path)
    assert [path.name for path in (tmp_path / "tables").iterdir()] == ["sparse-probing.folds.csv"]
    frame = pd.read_csv(tmp_path / "tables" / "sparse-probing.folds.csv", dtype=str)
    rows = report.analyses[0].tables[0].rows
    assert list(map(float, frame["auc"])) == [row[2] for row in rows]
    assert frame["validation_auc"].isna().sum() == sum(row[3] is None for row in rows)
    assert folder.read(tmp_path, Report) == report


def test_fifty_thousand_rows_are_written_and_read_at_once(tmp_path):
    report = probing.probing_report(probing.analysis(tables=(probing.folds(50_000),)))
    before = time.process_time()
    folder.write(report, tmp_path)
    assert folder.read(tmp_path, Report) == report
    assert time.process_time() - before < 20
    assert (tmp_path / "report.html").stat().st_size < 2**18
