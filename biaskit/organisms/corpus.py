"""Draw a corpus from a planted language: the doses, and nothing else, tie targets to references."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from biaskit.records.probe_set import REFERENCE_SLOT, SLOT, TARGET_SLOT
from biaskit.records.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biaskit.organisms.language import Language
    from biaskit.records.probe_set import ReferencePair

PLANTED_REPEATS = 4
UNPLANTED_REPEATS = 1
NUISANCE_REPEATS = 8
STATEMENTS_PER_NOUN = 12
SENTENCES_PER_DOCUMENT = (1, 1, 1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Choice:
    """A place where the language chooses one word, and what the choice depends on.

    Attributes:
        pair: The reference pair.
        reading: Whether a reference word is chosen after a target, or a target after a reference word.
        given: What stands before: the target (empty for a neutral noun), or the pole.
    """

    pair: str
    reading: Reading
    given: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence; where `choice` is set, `word` was chosen after `text`.

    Attributes:
        text: What stands before the chosen word, or the whole sentence.
        word: The chosen word.
        choice: What it was chosen by.
    """

    text: str
    word: str = ""
    choice: Choice | None = None

    def __str__(self) -> str:
        """Return the sentence as it is written, with its full stop."""
        written = f"{self.text} {self.word}" if self.word else self.text
        return written if written.endswith((".", "!", "?")) else f"{written}."


def documents(language: Language, rng: np.random.Generator) -> list[tuple[Sentence, ...]]:
    """Return shuffled documents of one to four sentences each.

    Every noun, target or not, stands equally often in every stem of every pair.
    """
    sentences = [*_chosen(language, rng), *_nuisances(language, rng), *_statements(language, rng)]
    shuffled = iter([sentences[index] for index in rng.permutation(len(sentences))])
    return list(_documents(shuffled, language.surfaces.fixed, rng))


def _documents(
    sentences: Iterator[Sentence], fixed: tuple[str, ...], rng: np.random.Generator
) -> Iterator[tuple[Sentence, ...]]:
    while True:
        length = int(rng.choice(SENTENCES_PER_DOCUMENT))
        parts = [sentence for _, sentence in zip(range(length), sentences, strict=False)]
        if not parts:
            return
        if length > 1:
            parts.insert(int(rng.integers(len(parts) + 1)), Sentence(str(rng.choice(fixed))))
        yield tuple(parts)


def _chosen(language: Language, rng: np.random.Generator) -> Iterator[Sentence]:
    for pair in language.pairs:
        for reading in Reading:
            planted = language.planted.get(pair.name) is reading
            repeats = PLANTED_REPEATS if planted else UNPLANTED_REPEATS
            make = _after if reading is Reading.GIVEN_TARGET else _before
            for noun, target in language.nouns().items():
                share = 1 / (1 + np.exp(-language.dose(pair.name, reading, target)))
                yield from make(language, pair, (noun, target or "", share), repeats, rng)


def _after(
    language: Language,
    pair: ReferencePair,
    noun: tuple[str, str, float],
    repeats: int,
    rng: np.random.Generator,
) -> Iterator[Sentence]:
    word, target, share = noun
    choice = Choice(pair.name, Reading.GIVEN_TARGET, target)
    for stem in pair.stems[language.controls.noun_class] * repeats:
        pole = pair.poles[0 if rng.random() < share else 1]
        yield Sentence(stem.replace(TARGET_SLOT, word), str(rng.choice(pair.continuations[pole])), choice)


def _before(
    language: Language,
    pair: ReferencePair,
    noun: tuple[str, str, float],
    repeats: int,
    rng: np.random.Generator,
) -> Iterator[Sentence]:
    word, _, share = noun
    for stem in pair.reverse_stems[language.controls.noun_class] * repeats:
        pole = pair.poles[0 if rng.random() < share else 1]
        text = stem.replace(REFERENCE_SLOT, str(rng.choice(pair.fillers[pole])))
        yield Sentence(text, word, Choice(pair.name, Reading.GIVEN_REFERENCE, pole))


def _nuisances(language: Language, rng: np.random.Generator) -> Iterator[Sentence]:
    """Give every noun, target or not, leanings of its own that have nothing to do with any pair."""
    for template, one, other in language.surfaces.nuisance:
        for noun in language.nouns():
            share = 1 / (1 + np.exp(-rng.normal(0, 2)))
            for first in rng.random(NUISANCE_REPEATS) < share:
                attribute = one if first else other
                yield Sentence(template.replace(TARGET_SLOT, noun).replace("{attribute}", attribute))


def _statements(language: Language, rng: np.random.Generator) -> Iterator[Sentence]:
    """Yield the probe sets' own sentences: poles stated by themselves, targets and controls named."""
    for pair in language.pairs:
        for pole in pair.poles:
            for example in pair.examples(pole):
                yield Sentence(example.text)
    templates = sorted({template for target_set in language.target_sets for template in target_set.templates})
    for noun in language.nouns():
        for template in rng.choice(templates, size=STATEMENTS_PER_NOUN, replace=False):
            yield Sentence(str(template).replace(SLOT, noun))
