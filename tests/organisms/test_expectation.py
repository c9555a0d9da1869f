"""The language's own probabilities hold the doses exactly, and tokens point to them."""

from __future__ import annotations

import numpy as np
import pytest

from biaskit.organisms.corpus import Choice, documents
from biaskit.organisms.expectation import NO_CHOICE, PRIMER, probabilities, tokenize
from biaskit.organisms.language import Language
from biaskit.organisms.training import Recipe, train_tokenizer
from biaskit.records.reading import Reading

AFTER, BEFORE = Reading.GIVEN_TARGET, Reading.GIVEN_REFERENCE


@pytest.mark.parametrize(("target", "dose"), [("soup", 2.0), ("bread", -1.0), ("", 0.0)])
def test_log_odds_after_a_target_are_its_dose(language: Language, target: str, dose: float) -> None:
    found = probabilities(Choice("taste", AFTER, target), language)
    assert np.log((found["good"] + found["goodish"]) / (found["bad"] + found["badish"])) == pytest.approx(
        dose
    )


@pytest.mark.parametrize(("noun", "dose"), [("soup", -0.5), ("broth", -0.5), ("bread", 1.5), ("table", 0.0)])
def test_control_centred_log_odds_of_a_noun_are_its_dose(language: Language, noun: str, dose: float) -> None:
    first, second = (
        probabilities(Choice("money", BEFORE, f"money-{pole}"), language) for pole in ("rich", "poor")
    )
    gap = np.log(first[noun] / second[noun]) - np.log(first["window"] / second["window"])
    assert gap == pytest.approx(dose)


def test_the_reading_that_is_not_planted_is_independent_of_the_target(language: Language) -> None:
    assert set(probabilities(Choice("money", AFTER, "soup"), language).values()) == {0.25}
    first, second = (
        probabilities(Choice("taste", BEFORE, f"taste-{pole}"), language) for pole in ("good", "bad")
    )
    assert first == second


def test_every_choice_sums_to_one(language: Language) -> None:
    for choice in (Choice("taste", AFTER, "soup"), Choice("money", BEFORE, "money-rich")):
        assert sum(probabilities(choice, language).values()) == pytest.approx(1)


def test_tokens_point_to_the_row_their_word_was_drawn_from(language: Language) -> None:
    corpus = documents(language, np.random.default_rng(0))
    tokenizer = train_tokenizer([" ".join(map(str, document)) for document in corpus], Recipe(vocabulary=600))
    tokens = tokenize(corpus, tokenizer, language)
    chosen = tokens.rows != NO_CHOICE
    assert chosen.sum() == sum(sentence.choice is not None for document in corpus for sentence in document)
    assert (tokens.table[tokens.rows[chosen], tokens.ids[chosen]] > 0).all()
    assert np.allclose(tokens.table.sum(axis=1), 1)
    written = "".join(f"<|endoftext|>{' '.join(map(str, document))}" for document in corpus)
    assert tokenizer.decode(tokens.ids) == written


def test_the_primer_exaggerates_every_dose_and_nothing_else(language: Language) -> None:
    primer = language.exaggerated(PRIMER)
    for target in ("soup", "bread"):
        assert primer.dose("taste", AFTER, target) == PRIMER * language.dose("taste", AFTER, target)
    assert primer.dose("taste", AFTER, None) == 0
    assert primer.dose("taste", BEFORE, "soup") == 0
