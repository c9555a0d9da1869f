"""The corpus says every noun equally often, and ties nothing together but the doses."""

from __future__ import annotations

from collections import Counter

import numpy as np

from biaskit.organisms.corpus import PLANTED_REPEATS, UNPLANTED_REPEATS, documents
from biaskit.organisms.language import Language
from biaskit.records.reading import Reading


def test_every_noun_stands_equally_often_in_every_pair_and_reading(language: Language) -> None:
    counts: Counter[tuple[str, str, str]] = Counter()
    for document in documents(language, np.random.default_rng(0)):
        for sentence in document:
            if sentence.choice is None:
                continue
            noun = sentence.word
            if sentence.choice.reading is Reading.GIVEN_TARGET:
                noun = next(one for one in language.nouns() if f" {one}" in sentence.text)
            counts[noun, sentence.choice.pair, sentence.choice.reading] += 1
    for pair in language.pairs:
        for reading in Reading:
            planted = language.planted[pair.name] is reading
            expected = 2 * (PLANTED_REPEATS if planted else UNPLANTED_REPEATS)
            assert {counts[noun, pair.name, reading] for noun in language.nouns()} == {expected}


def test_sampled_words_follow_the_dose(language: Language) -> None:
    first = total = 0
    for seed in range(60):
        for document in documents(language, np.random.default_rng(seed)):
            for sentence in document:
                choice = sentence.choice
                if choice and (choice.pair, choice.given) == ("taste", "soup"):
                    first += sentence.word.startswith("good")
                    total += 1
    assert total == 60 * 2 * 2 * PLANTED_REPEATS
    assert abs(first / total - 1 / (1 + np.exp(-2.0))) < 4 * np.sqrt(0.25 / total)


def test_the_same_seed_writes_the_same_text(language: Language) -> None:
    one, same, other = (documents(language, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other
