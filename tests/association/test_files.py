"""Word sets and word vectors from files: every published form, and every mistake in words."""

import json

import numpy as np
import pytest

from biaskit.association import read_word_tests
from biaskit.association.word_vectors import read_word_vectors
from biaskit.errors import RequestError

SENT_BIAS = {
    "targ1": {"category": "Flowers", "examples": ["rose", "iris"]},
    "targ2": {"category": "Insects", "examples": ["ant", "fly"]},
    "attr1": {"category": "Pleasant", "examples": ["love", "peace"]},
    "attr2": {"category": "Unpleasant", "examples": ["filth", "grief"]},
}
RESPONSIBLY = [
    {
        "first_target": {"name": "Flowers", "words": ["rose", "iris"]},
        "second_target": {"name": "Insects", "words": ["ant", "fly"]},
        "first_attribute": {"name": "Pleasant", "words": ["love", "peace"]},
        "second_attribute": {"name": "Unpleasant", "words": ["filth", "grief"]},
    }
]
OWN = """
name = "flowers"
templates = ["I saw {x}."]
[targets]
Flowers = ["rose", "iris"]
Insects = ["ant", "fly"]
[attributes]
Pleasant = ["love", "peace"]
Unpleasant = ["filth", "grief"]
"""


def written(folder, name, content):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("name", "content"), [("weat1.jsonl", SENT_BIAS), ("weat.json", RESPONSIBLY), ("own.toml", OWN)]
)
def test_every_published_form_is_the_same_test(tmp_path, name, content):
    (test,) = read_word_tests(written(tmp_path, name, content))
    assert test.targets == {"Flowers": ("rose", "iris"), "Insects": ("ant", "fly")}
    assert list(test.attributes) == ["Pleasant", "Unpleasant"]


def changed(**sets):
    return {**SENT_BIAS, **sets}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", "{", "not well-formed"),
        ("a.toml", "x", "not well-formed"),
        ("a.json", {"other": 1}, "no association test"),
        ("a.json", [3], "something other than a test"),
        ("a.json", changed(targ1={"category": "F", "examples": ["rose"]}), "'F' has one word"),
        (
            "a.json",
            changed(targ2={"category": "I", "examples": ["rose", "ant"]}),
            "'rose' stands in the targets Flowers and I",
        ),
        ("a.json", changed(targ1={"category": "F", "examples": ["This is a rose."] * 2}), "sentences"),
        ("a.toml", OWN.replace("{x}", "it"), "slot"),
        ("a.toml", OWN.replace('Insects = ["ant", "fly"]', ""), "two sets of targets"),
        ("a.toml", OWN + "\n[colour]\n", "colour"),
    ],
)
def test_a_mistake_is_said(tmp_path, name, content, said):
    with pytest.raises(RequestError, match=said):
        read_word_tests(written(tmp_path, name, content))


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(RequestError, match="cannot be read"):
        read_word_tests(tmp_path / "none.json")


def test_vectors_of_wanted_words_are_read_in_either_case(tmp_path):
    path = written(tmp_path, "v.txt", "3 2\nrose 1 0\nant 0.5 2\nRose 7 7\nfly broken\n")
    found = read_word_vectors(path, ["rose", "Ant", "bee"])
    assert set(found) == {"rose", "Ant"}
    np.testing.assert_array_equal(found["rose"], [1, 0])
    np.testing.assert_array_equal(found["Ant"], [0.5, 2])
    with pytest.raises(RequestError, match="Line 5"):
        read_word_vectors(path, ["fly"])


def test_vectors_of_other_lengths_or_no_direction_are_refused(tmp_path):
    with pytest.raises(RequestError, match="differ in length"):
        read_word_vectors(written(tmp_path, "v.txt", "a 1 0\nb 1\n"), ["a", "b"])
    with pytest.raises(RequestError, match="direction"):
        read_word_vectors(written(tmp_path, "w.txt", "a 0 0\n"), ["a"])
