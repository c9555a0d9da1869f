"""Word sets of one's own on every kind of vector: static ones, words in templates, words in a corpus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.analyzers.association.found import Found
from biaskit.analyzers.association.set_findings import crossed_findings, set_findings, words_table
from biaskit.analyzers.association.views import POOLING, View
from biaskit.association import WordTest, unit_rows
from biaskit.association.contexts import find_contexts
from biaskit.association.word_vectors import read_word_vectors
from biaskit.records.probe_set import expand
from biaskit.records.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from biaskit.analyzers.association.analyzer import Association
    from biaskit.records.site import Site
    from biaskit.session import Session

BLEACHED = (
    "This is {x}.",
    "That is {x}.",
    "Here is {x}.",
    "{x} is here.",
    "It was about {x}.",
    "They said {x}.",
)
"""Sentences that say nothing of a word."""
_FEWEST = 2


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """Vectors of a test's words, taken in one way.

    Attributes:
        view: The way, in words.
        site: Where in the model; None for static vectors.
        rows: For each word one vector a reading, of length 1; the readings of a word are of one number.
    """

    view: str
    site: Site | None
    rows: Mapping[str, Float[ndarray, "r d"]]


def word_set_findings(
    session: Session, tests: Sequence[WordTest], settings: Association, sites: Sequence[Site]
) -> Found:
    """Run every test on every kind of vectors that was asked for."""
    findings, summary, caveats, rows = [], [], [], []
    for test in tests:
        for vectors in _all_vectors(session, test, settings, sites):
            kept, lost = _kept(test, vectors)
            caveats += lost
            if kept is None:
                continue
            rng = session.rng(f"association/{test.name}/{vectors.view}/{vectors.site}")
            report = set_findings if len(kept.targets) == _FEWEST else crossed_findings
            found, sentence = report(kept, vectors, rng)
            findings += found
            summary.append(sentence)
            rows.append((kept, vectors))
    caveats += _split(session, tests)
    tables = (words_table(rows),) if rows else ()
    return Found(tuple(findings), tuple(summary), tuple(dict.fromkeys(caveats)), (), tables)


def _words(test: WordTest) -> tuple[str, ...]:
    return tuple(
        word for sets in (test.targets, test.attributes) for words in sets.values() for word in words
    )


def _all_vectors(
    session: Session, test: WordTest, settings: Association, sites: Sequence[Site]
) -> Iterator[Vectors]:
    words = _words(test)
    if settings.vectors:
        static = read_word_vectors(settings.vectors, words)
        yield Vectors("static vectors", None, {w: unit_rows(v)[None] for w, v in static.items()})
    for view in (View.WORD, View.SENTENCE):
        if view in settings.views:
            yield from _in_templates(session, test, view, sites)
    if settings.contexts:
        yield from _in_corpus(session, words, settings, sites)


def _in_templates(session: Session, test: WordTest, view: View, sites: Sequence[Site]) -> Iterator[Vectors]:
    words, templates = _words(test), test.templates or BLEACHED
    prompts = [Prompt(one.text, one.span) for one in expand(templates, words)]
    read = session.activations(prompts, sites, POOLING[view])
    for site in sites:
        table = unit_rows(read[site].double().numpy()).reshape(len(templates), len(words), -1)
        yield Vectors(f"{view} in templates", site, {w: table[:, i] for i, w in enumerate(words)})


def _in_corpus(
    session: Session, words: Sequence[str], settings: Association, sites: Sequence[Site]
) -> Iterator[Vectors]:
    drawn = find_contexts(
        settings.contexts, words, settings.contexts_per_word, session.rng("association/contexts")
    )
    prompts = [prompt for word in words for prompt in drawn[word]]
    if not prompts:
        yield from (Vectors("word in a corpus", site, {}) for site in sites)
        return
    read = session.activations(prompts, sites, POOLING[View.WORD])
    ends = np.cumsum([len(drawn[word]) for word in words])
    for site in sites:
        parts = np.split(unit_rows(read[site].double().numpy()), ends[:-1])
        # Contexts differ from word to word, so there is nothing to pair: a word is the mean of its contexts.
        owned = [(word, part) for word, part in zip(words, parts, strict=True) if len(part)]
        means = {word: part.mean(axis=0, keepdims=True) for word, part in owned}
        yield Vectors("word in a corpus", site, means)


def _kept(test: WordTest, vectors: Vectors) -> tuple[WordTest | None, list[str]]:
    """Leave out words without a vector, and say so; None where a set is left with fewer than two."""
    missing = [word for word in _words(test) if word not in vectors.rows]
    if not missing:
        return test, []
    said = f"{test.name}, {vectors.view}: no vector for {', '.join(missing)}."
    sets = [
        {name: tuple(word for word in words if word in vectors.rows) for name, words in group.items()}
        for group in (test.targets, test.attributes)
    ]
    short = [name for group in sets for name, words in group.items() if len(words) < _FEWEST]
    if short:
        return None, [
            said,
            f"{test.name}, {vectors.view}: not run, too few words are left of {', '.join(short)}.",
        ]
    return test.model_copy(update={"targets": sets[0], "attributes": sets[1]}), [said]


def _split(session: Session, tests: Sequence[WordTest]) -> list[str]:
    """Name the words that the tokenizer splits: their last token is what is read."""
    words = dict.fromkeys(word for test in tests for word in _words(test))
    whole = session.model.single_token_words(list(words))
    split = [word for word in words if word not in whole]
    if not split:
        return []
    shown = ", ".join(split[:12]) + (f" and {len(split) - 12} more" if len(split) > 12 else "")
    return [f"Several tokens for this model, and read at the last: {shown}."]
