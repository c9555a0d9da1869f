"""Designs: how few prompts they need, and that the measured columns come back as the right quantities."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from biaskit.decomposition.contrast import Contrast
from biaskit.decomposition.quantities import (
    Question,
    conditional,
    group_design,
    leave_one_out_design,
    pair_design,
    pairs_in_prompt_design,
    without,
)
from biaskit.decomposition.redundancy import decompose
from biaskit.errors import RequestError
from biaskit.organisms.oracles import Mixture

PROMPT = "A cow and a polar bear, in deep snow."


def asked(design):
    """Say each comparison as the two prompts that it compares."""
    return {
        question: (design.prompts[pair.added], design.prompts[pair.given])
        for question, pair in design.contrasts.items()
    }


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_words_in_pairs_share_their_prompts(count):
    design = pair_design([f"w{number}" for number in range(count)])
    pairs = count * (count - 1) // 2
    assert len(design.prompts) == len(set(design.prompts)) == 1 + count + pairs
    assert len(design.contrasts) == count + pairs
    assert {1: 2, 8: 37}.get(count, len(design.prompts)) == len(design.prompts)


def test_a_pair_is_compared_with_nothing():
    assert asked(pair_design(["cow", "bear"])) == {
        Question(("cow",)): ("cow", ""),
        Question(("bear",)): ("bear", ""),
        Question(("cow", "bear")): ("cow bear", ""),
    }


@pytest.mark.parametrize("groups", [2, 4])
def test_a_target_over_groups_shares_its_prompts(groups):
    names = [f"g{number}" for number in range(groups)]
    design = group_design("nurse", names)
    assert len(design.prompts) == 2 + 2 * groups
    found = asked(design)
    assert found[Question(("g1", "nurse"))] == ("g1 nurse", "")
    assert found[Question(("g1",), "nurse")] == ("g1 nurse", "nurse")
    assert len(found) == 1 + 3 * groups


def test_each_word_is_left_out_of_the_prompt():
    assert asked(leave_one_out_design(PROMPT, ["cow", "polar bear"])) == {
        Question(("cow",), "A and a polar bear, in deep snow."): (
            PROMPT,
            "A and a polar bear, in deep snow.",
        ),
        Question(("polar bear",), "A cow and a, in deep snow."): (PROMPT, "A cow and a, in deep snow."),
    }


def test_pairs_in_a_prompt_share_the_prompts_with_one_word_left_out():
    words = ["cow", "polar bear", "snow"]
    design = pairs_in_prompt_design(
        PROMPT, [(words[0], words[1]), (words[0], words[2]), (words[1], words[2])]
    )
    assert len(design.prompts) == 1 + 3 + 3
    rest = "A and a polar bear, in deep."
    found = asked(design)
    assert found[Question(("cow",), rest)] == ("A cow and a polar bear, in deep.", rest)
    assert found[Question(("cow", "snow"), rest)] == (PROMPT, rest)


def test_equal_words_ask_for_a_prompt_over_itself():
    """The estimator gives exactly 0 for a prompt over itself."""
    design = pair_design(["", "cow"])
    assert design.contrasts[Question(("",))] == Contrast(0, 0)


@pytest.mark.parametrize(
    ("prompt", "words", "left"),
    [
        ("a cat and a catfish", ("cat",), "a and a catfish"),
        ("The bat, a Bat.", ("bat",), "The, a."),
        ("a  polar   bear runs", ("polar bear",), "a runs"),
        ("cow", ("cow",), ""),
        ("a c++ (code) shirt", ("c++",), "a (code) shirt"),
        ("x-ray of a bear", ("bear", "x-ray"), "of a"),
    ],
)
def test_what_is_left_reads_well(prompt, words, left):
    assert without(prompt, words) == left


def test_another_word_is_put_as_it_stands():
    assert without("a cow and a cow", ("cow",), instead=r"\1 dog") == r"a \1 dog and a \1 dog"


@pytest.mark.parametrize("word", ["dog", "co", "", " "])
def test_a_word_that_is_not_there_is_told(word):
    with pytest.raises(RequestError, match="does not stand in"):
        without("a cow", (word,))


def test_a_question_that_was_not_asked_is_told():
    with pytest.raises(RequestError, match="'dog'"):
        pair_design(["cow", "bear"]).of(np.zeros((1, 3)), Question(("dog",)))


@pytest.mark.parametrize("pixels", [(), (4, 5)])
def test_columns_come_back_as_what_a_pair_says(pixels):
    design = pair_design(["a", "b", "c"])
    values = np.random.default_rng(0).normal(size=(7, 6, *pixels))
    found = design.informations(values, ("b", "c"), surprisals=(3.0, 4.0))
    assert np.array_equal(found.first, values[:, 1])
    assert np.array_equal(found.second, values[:, 2])
    assert np.array_equal(found.both, values[:, 5])
    assert decompose(found, "finn-lizier").synergy.shape == (7, *pixels)


def test_conditional_information_follows_from_the_pair_for_log_ratios():
    """Components are numbered by two binary words: `one` is the first's value 1, `other` the second's."""
    rng = torch.Generator().manual_seed(0)
    mixture = Mixture(
        {"": range(4), "one": (2, 3), "other": (1, 3), "one other": (3,)},
        torch.tensor([0.3, 0.2, 0.15, 0.35], dtype=torch.float64),
        torch.randn(4, 3, generator=rng, dtype=torch.float64),
        torch.full((4, 3), 0.4, dtype=torch.float64),
    )
    design = pair_design(["one", "other"])
    x = torch.randn(9, 3, generator=rng, dtype=torch.float64)
    columns = [
        mixture.standard(x, design.prompts[pair.added], design.prompts[pair.given])
        for pair in design.contrasts.values()
    ]
    found = design.informations(torch.stack(columns, dim=1).numpy(), ("one", "other"))
    first, second = conditional(found)
    assert first == pytest.approx(mixture.standard(x, "one other", "other").numpy(), abs=1e-12)
    assert second == pytest.approx(mixture.standard(x, "one other", "one").numpy(), abs=1e-12)
    atoms = decompose(found, "min")
    assert atoms.first + atoms.synergy == pytest.approx(first, abs=1e-12)
