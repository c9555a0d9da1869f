"""Every kind of mistake in an audit has a sentence, near names, and its line."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biaskit.catalogue import has_audit, line_in, read_audit_spec
from biaskit.catalogue.lines import line_of
from biaskit.errors import CatalogueError

WHOLE = """format = 1
name = "clinic"
concepts = ["illness"]

[subject]
model = "demo"

[statistics]
level = 0.9
multiplicity = "none"

[[analyzers]]
name = "biaslens"

[[gates]]
id = "small"
metric = "biaslens.score"
where = { concept = "illness" }
at_most = 0.5

[[gates]]
id = "large"
metric = "biaslens.score"
within = [-1.0, 1.0]
severity = "high"
mde = 0.2

[[waivers]]
gate = "small"
until = 2027-03-31
reason = "known"
approved_by = "owner"
"""

MISTAKES = {
    "unknown key": (
        'concepts = ["illness"]',
        'concpets = ["illness"]',
        "line 3, concpets",
        "did you mean concepts?",
    ),
    "gate key": ("at_most = 0.5", "at_mots = 0.5", "line 19, gates.0.at_mots", "did you mean at_most"),
    "second gate key": ('severity = "high"', 'severty = "high"', "line 25, gates.1.severty", "severity?"),
    "statistics key": ("level = 0.9", "levle = 0.9", "line 9, statistics.levle", "did you mean level?"),
    "subject key": ('model = "demo"', 'modle = "demo"', "line 6, subject.modle", "did you mean model?"),
    "wrong type": ("at_most = 0.5", 'at_most = "half"', "line 19, gates.0.at_most", "must be a number"),
    "text for a list": (
        'concepts = ["illness"]',
        'concepts = "illness"',
        "line 3, concepts",
        'such as ["illness"]',
    ),
    "number for text": ('id = "small"', "id = 3", "line 16, gates.0.id", "must be text, in quotes"),
    "missing key": ('id = "large"\nmetric', 'id = "large"\n# metric', "line 21, gates.1.metric", "missing"),
    "unknown rule": (
        'severity = "high"',
        'rule = "evidence-of-complience"',
        "line 25",
        "did you mean 'evidence-of-compliance'?",
    ),
    "unknown severity": ('severity = "high"', 'severity = "hihg"', "line 25", "did you mean 'high'?"),
    "no limit": ("at_most = 0.5\n", "", "line 15", "'small' has no limit"),
    "two limits": ("mde = 0.2", "at_most = 0.2", "line 21", "'large' has 'within' beside at_most"),
    "range upside down": ("[-1.0, 1.0]", "[1.0, -1.0]", "line 21", "can never hold"),
    "range of one": ("[-1.0, 1.0]", "[1.0]", "line 24, gates.1.within", ""),
    "mde of nothing": ("mde = 0.2", "mde = 0", "line 26, gates.1.mde", "greater than 0"),
    "level of certainty": ("level = 0.9", "level = 1.0", "line 9, statistics.level", "less than 1"),
    "same id": ('id = "large"', 'id = "small"', "line 22", "'small' stands there twice"),
    "unknown where": ("{ concept =", "{ concpt =", "line 18", "unknown 'concpt'; did you mean concept?"),
    "waiver of nothing": (
        'gate = "small"',
        'gate = "smal"',
        "line 29",
        "no gate 'smal'; did you mean small?",
    ),
    "bad date": ("2027-03-31", '"next year"', "line 30, waivers.0.until", "write a date as 2027-03-31"),
    "newer format": ("format = 1", "format = 2", "format 2", "reads format 1"),
    "floor against a baseline": (
        "mde = 0.2",
        'against = "baseline"\nat_least = 0.1',
        "line 21",
        "takes no at_least",
    ),
    "path that leaves": ('model = "demo"', 'model = "../secret"', "leaves the folder", ""),
    "not TOML": ("at_most = 0.5", "at_most = ", "It is not TOML", "line 19"),
}


@pytest.fixture
def write(tmp_path):
    def _write(text, name="clinic.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return _write


def test_the_whole_one_is_read(write):
    spec = read_audit_spec(write(WHOLE))
    assert (spec.statistics.level, spec.gates[1].within, spec.gates[1].severity) == (0.9, (-1.0, 1.0), "high")


@pytest.mark.parametrize(("old", "new", "place", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_its_line(write, old, new, place, said):
    assert old in WHOLE
    path = write(WHOLE.replace(old, new, 1))
    with pytest.raises(CatalogueError) as caught:
        read_audit_spec(path)
    assert place in str(caught.value)
    assert said in str(caught.value)
    assert "tuple" not in str(caught.value)


PROJECT = """[project]
name = "my-clinic"

[tool.ruff]
line-length = 100

[tool.biaskit]
format = 1
concepts = ["food"]
"""
GATE = '\n[[tool.biaskit.gates]]\nid = "g"\nmetric = "biaslens.score"\nat_most = 0.5\n'


def test_a_project_file_holds_an_audit(write):
    path = write(PROJECT + GATE, "pyproject.toml")
    spec = read_audit_spec(path)
    assert (spec.name, spec.concepts, spec.gates[0].id) == ("my-clinic", ("food",), "g")
    assert has_audit(path)
    assert line_in(path, ("gates", 0, "metric")) == 13


def test_a_mistake_in_a_project_file_has_the_line_of_that_file(write):
    path = write(PROJECT + GATE.replace("at_most", "at_mots"), "pyproject.toml")
    with pytest.raises(CatalogueError, match=r"line 14, gates\.0\.at_mots"):
        read_audit_spec(path)
    path = write(PROJECT + GATE.replace("at_most = 0.5\n", ""), "pyproject.toml")
    with pytest.raises(CatalogueError, match="line 11, gates: 'g' has no limit"):
        read_audit_spec(path)


def test_a_project_file_without_an_audit_says_so(write):
    path = write("[tool.ruff]\nline-length = 100\n", "pyproject.toml")
    assert not has_audit(path)
    with pytest.raises(CatalogueError, match=r"no table \[tool.biaskit\]"):
        read_audit_spec(path)


def test_keys_in_texts_and_lists_are_not_places():
    lines = (
        'note = """',
        "[[gates]]",
        "id = 1",
        '"""',
        "list = [",
        "  { id = 2 },",
        "]",
        '[[gates]] # "one"',
    )
    text = "\n".join((*lines, 'id = 3 # """', "[gates.where]", "concept = 1"))
    assert line_of(text, ("gates", 0, "id")) == 9
    assert line_of(text, ("gates", 0, "where", "concept")) == 11
    assert line_of(text, ("list", 0, "id")) == 5
    assert line_of(text, ("nothing",)) == 0


TOML = ("a = 1", "b.c = 2", "[t]", "[[g]]", "[t.u]", "[[g.h]]", "# x", "", '"q r" = 3')


@given(st.lists(st.sampled_from(TOML), max_size=9))
def test_every_table_that_toml_reads_has_a_line(lines):
    text = "\n".join(lines)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    for key in content:
        assert line_of(text, (key,) if key != "g" else (key, 0)) > 0
