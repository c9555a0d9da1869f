"""Draw a corpus from a planted language: the doses, and nothing else, tie targets to references."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from biaskit.organisms.language import Reading
from biaskit.records.probe_set import REFERENCE_SLOT, SLOT, TARGET_SLOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biaskit.organisms.language import Language
    from biaskit.records.probe_set import ReferencePair

PLANTED_REPEATS = 6
UNPLANTED_REPEATS = 2
NUISANCE_REPEATS = 4
SENTENCES_PER_DOCUMENT = (1, 1, 1, 2, 3, 4)


def documents(language: Language, rng: np.random.Generator) -> list[str]:
    """Return shuffled documents of one to four sentences each.

    Every noun stands equally often in every stem of every pair, target or not. The number of first-pole
    words is fixed at the rounded share sigmoid(dose), not drawn, so that the corpus holds the dose exactly.
    """
    sentences = [*_readings(language, rng), *_nuisances(language, rng), *_statements(language, rng)]
    order = rng.permutation(len(sentences))
    shuffled = iter([sentences[index] for index in order])
    return list(_documents(shuffled, language.surfaces.fixed, rng))


def _documents(sentences: Iterator[str], fixed: tuple[str, ...], rng: np.random.Generator) -> Iterator[str]:
    while True:
        length = int(rng.choice(SENTENCES_PER_DOCUMENT))
        parts = [sentence for _, sentence in zip(range(length), sentences, strict=False)]
        if not parts:
            return
        if length > 1:
            parts.insert(int(rng.integers(len(parts) + 1)), str(rng.choice(fixed)))
        yield " ".join(parts)


def _readings(language: Language, rng: np.random.Generator) -> Iterator[str]:
    for pair in language.pairs:
        for reading in Reading:
            planted = language.planted.get(pair.name) is reading
            repeats = PLANTED_REPEATS if planted else UNPLANTED_REPEATS
            stems = pair.stems if reading is Reading.REFERENCE_AFTER else pair.reverse_stems
            for noun, target in language.nouns().items():
                dose = language.dose(pair.name, reading, target)
                slots = [stem for stem in stems[language.controls.noun_class] for _ in range(repeats)]
                first = _first_pole(dose, len(slots), rng)
                yield from _sentences(pair, reading, noun, list(zip(slots, first, strict=True)), rng)


def _first_pole(dose: float, count: int, rng: np.random.Generator) -> Bool[ndarray, " n"]:
    """Mark round(count * sigmoid(dose)) of `count` places, at random; a half is rounded by a coin."""
    share = count / (1 + np.exp(-dose))
    marked = int(share) + int(rng.random() < share - int(share))
    return rng.permutation(np.arange(count) < marked)


def _sentences(
    pair: ReferencePair,
    reading: Reading,
    noun: str,
    slots: list[tuple[str, bool]],
    rng: np.random.Generator,
) -> Iterator[str]:
    words = pair.continuations if reading is Reading.REFERENCE_AFTER else pair.fillers
    for stem, first in slots:
        word = str(rng.choice(words[pair.poles[0 if first else 1]]))
        if reading is Reading.REFERENCE_AFTER:
            yield _sentence(f"{stem.replace(TARGET_SLOT, noun)} {word}")
        else:
            yield _sentence(f"{stem.replace(REFERENCE_SLOT, word)} {noun}")


def _nuisances(language: Language, rng: np.random.Generator) -> Iterator[str]:
    """Give every noun, target or not, leanings of its own that have nothing to do with any pair."""
    for template, one, other in language.surfaces.nuisance:
        for noun in language.nouns():
            share = 1 / (1 + np.exp(-rng.normal(0, 2)))
            for first in rng.random(NUISANCE_REPEATS * 4) < share:
                attribute = one if first else other
                yield _sentence(template.replace(TARGET_SLOT, noun).replace("{attribute}", attribute))


def _statements(language: Language, rng: np.random.Generator) -> Iterator[str]:
    """Yield the probe sets' own sentences: poles stated by themselves, targets and controls named."""
    for pair in language.pairs:
        for pole in pair.poles:
            for example in pair.examples(pole):
                yield _sentence(example.text)
    templates = [
        template for target_set in language.target_sets for template in target_set.templates
    ]
    for noun in language.nouns():
        for template in rng.choice(sorted(set(templates)), size=12, replace=False):
            yield _sentence(str(template).replace(SLOT, noun))


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
