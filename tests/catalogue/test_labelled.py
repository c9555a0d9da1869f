"""A user's own CSV file: what is read from it, and how each fault is answered."""

import csv
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biaskit.catalogue import check_labels, labelled_texts, read_audit_spec
from biaskit.errors import BiaskitError, CatalogueError, UnknownNameError
from biaskit.records.audit_spec import DataSpec
from biaskit.records.labelled_texts import LabelledTexts

PLAIN = "text,label,topic,gender\nGood food,yes,a,\n bad food ,no,b,f\nGood food, yes ,a,m\n"


@pytest.fixture
def file(tmp_path):
    def write(content, name="mine.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def read(path, **columns):
    return labelled_texts(DataSpec(path=str(path), **columns))


def test_a_file_is_read_as_it_stands(file):
    found = read(file(PLAIN), positive="yes", groups=("topic",), attributes=("gender",))
    assert found == LabelledTexts(
        name="mine",
        texts=("Good food", " bad food ", "Good food"),
        labels=("yes", "no", "yes"),
        positive="yes",
        groups={"topic": ("a", "b", "a")},
        attributes={"gender": ("", "f", "m")},
    )


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff" + PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\n\n"),
        PLAIN.replace("Good food", '"Good food"'),
        PLAIN.replace("text,label", " text , label "),
        PLAIN.rstrip("\n"),
    ],
    ids=["byte-order mark", "Windows", "blank lines", "quotes", "spaced header", "no last line break"],
)
def test_the_ways_a_csv_file_can_be_written(file, content):
    columns = {"groups": ("topic",), "attributes": ("gender",)}
    expected = read(file(PLAIN), **columns)
    assert read(file(content), **columns) == expected


_CELLS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), min_size=1).filter(
    lambda text: text.strip()
)


@given(st.lists(_CELLS, min_size=2, max_size=8))
def test_any_text_comes_back(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
        writer.writerows([("text", "label"), *((text, row % 2) for row, text in enumerate(texts))])
    assert read(path).texts == tuple(texts)


def test_more_than_two_labels_are_left_for_one_against_the_rest(file):
    found = read(file("text,label\na,1\nb,2\nc,3\n"))
    assert (found.positive, found.labels) == (None, ("1", "2", "3"))


def test_other_columns_and_a_shifted_file(file):
    shifted = file("prompt,target\nx,1\ny,0\n", "elsewhere.csv")
    main = file("n,prompt,target\n1,a,0\n2,b,1\n")
    found = read(main, text="prompt", label="target", shifted=str(shifted))
    assert found.texts == ("a", "b")
    assert (found.shifted.name, found.shifted.texts) == ("elsewhere", ("x", "y"))
    assert found.digest != read(main, text="prompt", label="target").digest


FAULTS = [
    (b"", {}, ["is empty"]),
    ("\n\n", {}, ["is empty"]),
    ("text,label\n", {}, ["header and no rows"]),
    (b"text,label\ncaf\xe9,1\nb,2\n", {}, ["UTF-8", "Line 2", "0xe9"]),
    ("text,label\na,1\nb,2,3\nc\n", {}, ["2 columns", "rows 3, 4"]),
    ("text,label\n\na,1\n\nb\n", {}, ["row 5"]),
    ("text,label\na,1\n  ,2\n,1\n", {}, ["no text", "rows 3, 4", "silently"]),
    ("text,label\n" + ",1\n" * 20, {}, ["rows 2, 3, 4, 5, 6, 7, 8, 9 and 12 more"]),
    ("text,label\na,1\nb,\n", {}, ["no label", "row 3"]),
    ("text,label\na,1\nb,1\n", {}, ["one label only, '1'"]),
    ("text,text,label\na,b,1\nc,d,2\n", {}, ["2 columns named 'text'"]),
    ("text,label,g\na,1,\nb,2,  \n", {"groups": ("g",)}, ["nothing in the column 'g'"]),
    ("text,label,g\na,1,\nb,2,\n", {"attributes": ("g",)}, ["nothing in the column 'g'"]),
    ("text;label\na;1\nb;2\n", {}, ["one column", "';'", "commas"]),
    ("text;label\na,x;1\nb;2\n", {}, ["one column", "';'"]),
    ('text,label\n"a,1\nb,2\n', {}, ["not a CSV file", "double quotes"]),
    ("text,label\n" + "a" * 200_000 + ",1\nb,2\n", {}, ["not a CSV file", "field limit"]),
]


@pytest.mark.parametrize(("content", "columns", "said"), FAULTS)
def test_what_cannot_be_used_is_refused_with_its_place(file, content, columns, said):
    with pytest.raises(CatalogueError) as caught:
        read(file(content), **columns)
    assert all(part in str(caught.value) for part in ["mine.csv", *said]), str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("columns", "near"),
    [
        ({"text": "txt"}, "text"),
        ({"label": "labels"}, "label"),
        ({"groups": ("topics",)}, "topic"),
        ({"attributes": ("gendr",)}, "gender"),
        ({"positive": "yess"}, "yes"),
    ],
)
def test_a_name_that_is_not_there_is_answered_with_near_ones(file, columns, near):
    with pytest.raises(UnknownNameError) as caught:
        read(file(PLAIN), **columns)
    assert caught.value.near[0] == near


def test_a_missing_file_is_answered_with_those_beside_it(file, tmp_path):
    file(PLAIN)
    with pytest.raises(UnknownNameError) as caught:
        read(tmp_path / "mein.csv")
    assert caught.value.near == ("mine.csv",)
    with pytest.raises(CatalogueError, match="no file"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("text,label\nx,yes\ny,maybe\n", "maybe"),
        ("text,label\nx,yes\n", "one label only"),
        ("a\nb\n", "text"),
    ],
)
def test_the_shifted_file_is_checked_too(file, content, said):
    shifted = file(content, "elsewhere.csv")
    with pytest.raises(BiaskitError, match=said) as caught:
        read(file(PLAIN), shifted=str(shifted))
    assert "elsewhere" in str(caught.value)


AUDIT = 'format = 1\nname = "mine"\n[[data]]\npath = "{}"\n'


@pytest.mark.parametrize("line", ["../x.csv", "/etc/passwd", "~/x.csv", "a/../../x.csv"])
@pytest.mark.parametrize("key", ["path", "shifted"])
def test_a_path_in_an_audit_never_leaves_its_folder(file, tmp_path, line, key):
    text = AUDIT.format(line if key == "path" else "x.csv") + (
        f'shifted = "{line}"' if key == "shifted" else ""
    )
    with pytest.raises(CatalogueError, match="leaves the folder"):
        read_audit_spec(file(text, "mine.toml"))
    spec = DataSpec(path=line) if key == "path" else DataSpec(path="mine.csv", shifted=line)
    file(PLAIN)
    with pytest.raises(CatalogueError, match="leaves the folder"):
        labelled_texts(spec, tmp_path)


def test_a_path_in_an_audit_is_relative_to_it(file, tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    file(PLAIN, "sub/x.csv")
    spec = read_audit_spec(file(AUDIT.format("sub/x.csv"), "mine.toml"))
    monkeypatch.chdir("/")
    assert labelled_texts(spec.data[0], tmp_path).name == "x"


def test_an_unknown_key_of_an_entry_is_answered_with_a_near_one(file):
    with pytest.raises(CatalogueError, match="did you mean label"):
        read_audit_spec(file(AUDIT.format("x.csv") + 'labl = "y"\n', "mine.toml"))


def some(**changes):
    return LabelledTexts(**{"name": "own", "texts": ("a", "b"), "labels": ("x", "y"), **changes})


def test_texts_in_memory_are_checked_alike():
    assert check_labels(some()) == some()
    for changes in (
        {"texts": ("a", " ")},
        {"labels": ("x", "")},
        {"labels": ("x", "x")},
        {"positive": "z"},
        {"groups": {"g": ("", "")}},
        {"shifted": some(labels=("x", "z"))},
        {"shifted": some(texts=("", "b"))},
    ):
        with pytest.raises(BiaskitError, match="own"):
            check_labels(some(**changes))


@pytest.mark.parametrize(
    ("name", "rows"),
    [("5_hist_fig_ismale", 5000), ("60_wikidata_occupation_isathlete", 2000), ("95_toxic_is", 728)],
)
def test_published_probing_data(name, rows):
    given = os.environ.get("BIASKIT_SHARED_DATA")
    folder = Path(given) if given else Path(__file__).parents[2].parent / "shared" / "data"
    path = folder / "probing" / f"{name}.csv"
    if not path.is_file():
        pytest.skip("no reference data on this machine")
    found = read(path, text="prompt", label="target", positive="1")
    assert len(found.texts) == rows
    assert found.labels.count("1") * 2 == rows
    with path.open(encoding="utf-8", newline="") as stream:
        assert [row["prompt"] for row in csv.DictReader(stream)] == list(found.texts)
