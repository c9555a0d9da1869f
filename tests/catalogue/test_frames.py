"""Data frames as data: the same texts and labels as the file they came from, and the same faults."""

import pandas as pd
import pytest

from biaskit.catalogue import labelled_frame, labelled_texts, rows_by_text
from biaskit.errors import CatalogueError, UnknownNameError
from biaskit.records.audit_spec import DataSpec

CONTENT = "text,label,who,sex\nGood food,1,p,f\nbad food,0,q,\nfine,1,,m\n"
COLUMNS = {"groups": ("who",), "attributes": ("sex",)}


@pytest.fixture
def path(tmp_path):
    (tmp_path / "mine.csv").write_text(CONTENT)
    return tmp_path / "mine.csv"


@pytest.mark.parametrize("kind", [None, "string"])
def test_a_frame_is_what_its_file_is(path, kind):
    frame = pd.read_csv(path, dtype=kind)
    spec = DataSpec(path="mine", **COLUMNS)
    assert labelled_frame(frame, spec) == labelled_texts(DataSpec(path=str(path), **COLUMNS))


def test_the_shifted_part_is_a_frame_or_a_file(path):
    frame = pd.read_csv(path)
    for shifted in (frame, path, str(path)):
        assert labelled_frame(frame, DataSpec(path="mine"), shifted).shifted.labels == ("1", "0", "1")


def test_faults_name_row_and_column(path):
    frame = pd.read_csv(path)
    with pytest.raises(UnknownNameError, match="label"):
        labelled_frame(frame, DataSpec(path="mine", label="lable"))
    with pytest.raises(CatalogueError, match="no text in row 1"):
        labelled_frame(frame.assign(text=["a", None, "b"]), DataSpec(path="mine"))
    with pytest.raises(CatalogueError, match="no rows"):
        labelled_frame(frame.head(0), DataSpec(path="mine"))
    twice = pd.concat([frame, frame[["label"]]], axis=1)
    with pytest.raises(CatalogueError, match="2 columns named 'label'"):
        labelled_frame(twice, DataSpec(path="mine"))


def test_the_row_of_each_text_is_the_spreadsheets(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('text,label\n\n"a\nb",1\nc,0\nc,1\n')
    assert rows_by_text(DataSpec(path=str(path))) == {"a\nb": 3, "c": 4}
