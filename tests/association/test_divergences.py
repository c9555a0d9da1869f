"""Where public implementations of association tests depart from the papers: our value beside theirs."""

import numpy as np
import pytest

from biaskit.association import compare_sets
from biaskit.association.contexts import find_contexts
from biaskit.association.published import ceat
from biaskit.association.two_sets import caliskan_d

RNG = np.random.default_rng(0)
FIRST, SECOND = RNG.normal(0.4, 0.3, 8), RNG.normal(0.0, 0.3, 8)


def test_the_effect_size_divides_by_the_sample_deviation_and_wefes_is_larger():
    found = compare_sets(FIRST[:, None], SECOND[:, None], rng=np.random.default_rng(1))
    assert found.effect == pytest.approx(caliskan_d(FIRST, SECOND))
    assert caliskan_d(FIRST, SECOND, ddof=0) == pytest.approx(found.effect * np.sqrt(16 / 15))


def test_p_does_not_depend_on_which_set_stands_first_and_ceats_code_does():
    ours = [
        compare_sets(x[:, None], y[:, None], rng=np.random.default_rng(1)).null.p
        for x, y in ((FIRST, SECOND), (SECOND, FIRST))
    ]
    assert ours[0] == pytest.approx(ours[1], abs=0.01)
    draws = [np.stack([own + RNG.normal(0, 0.1, 8) for _ in range(20)]) for own in (FIRST, SECOND)]
    one, other = ceat(*draws), ceat(*draws[::-1])
    assert one.p_two_sided == pytest.approx(other.p_two_sided)
    assert one.p_one_sided == pytest.approx(one.p_two_sided / 2)
    assert other.p_one_sided == pytest.approx(1 - one.p_one_sided)


def test_a_sentence_is_drawn_once_where_ceats_code_draws_with_replacement(tmp_path):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("".join(f"The nurse came on day {day}.\n" for day in range(6)))
    found = find_contexts(corpus, ("nurse",), 50, np.random.default_rng(0))["nurse"]
    assert len({prompt.text for prompt in found}) == len(found) == 6
    theirs = np.random.default_rng(0).choice(6, size=50)
    assert len(set(theirs.tolist())) < theirs.size


def test_a_word_is_found_by_its_letters_where_token_counts_are_off_by_one(tmp_path):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("The nurses left, and the Van Dyke nurse, a nurse, came.\n")
    found = find_contexts(corpus, ("nurse", "Van Dyke"), 5, np.random.default_rng(0))
    assert {prompt.text[slice(*prompt.span)] for prompt in found["nurse"]} == {"nurse"}
    assert [prompt.text[slice(*prompt.span)] for prompt in found["Van Dyke"]] == ["Van Dyke"]
