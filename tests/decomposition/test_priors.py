from __future__ import annotations

import math

import pytest

from biaskit.decomposition.priors import Frequencies, MaskedLM, Uniform
from biaskit.errors import RequestError


def test_a_uniform_prior_prefers_no_word():
    assert Uniform(100).surprisals(["cow", "giraffe"]) == pytest.approx((math.log(100),) * 2)


@pytest.mark.parametrize("text", ["word,count\ncow,30\nbat,10\n", "cow\t30\nbat\t10\n"])
def test_frequencies_are_read(tmp_path, text):
    path = tmp_path / "counts.csv"
    path.write_text(text)
    found = Frequencies.read(path)
    assert found.surprisals(["Cow"]) == pytest.approx((-math.log(0.75),))
    assert found.surprisals(["cow bat"]) == pytest.approx((-math.log(0.75) - math.log(0.25),))


def test_a_word_never_counted_is_rarer_than_any_and_told():
    found = Frequencies({"cow": 9, "bat": 1})
    rare, counted = found.surprisals(["okapi", "bat"])
    assert rare > counted
    assert found.unknown(["okapi", "bat", "cow okapi"]) == ("okapi", "cow okapi")


@pytest.mark.parametrize("text", ["", "cow,many\nbat,few\n", "cow,3\nbat\n"])
def test_a_file_without_counts_is_refused(tmp_path, text):
    path = tmp_path / "counts.csv"
    path.write_text(text)
    with pytest.raises(RequestError, match=r"counts\.csv"):
        Frequencies.read(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(RequestError, match="cannot be read"):
        Frequencies.read(tmp_path / "none.csv")


def test_a_masked_model_is_asked_in_the_frame():
    heard = []

    def scores(text, words):
        heard.append(text)
        return [-1.0 if word == "cow" else -4.0 for word in words]

    assert MaskedLM(scores).surprisals(["cow", "okapi"]) == (1.0, 4.0)
    assert heard == ["a photo of a [MASK]."]
