"""The language's own next-word probabilities, and a corpus as tokens that point to them.

At a place where the language chooses a word, training against the probabilities themselves is the
expectation of training on ever more sampled text, without the sampling noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from biaskit.organisms.corpus import Choice, Sentence
from biaskit.records.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerFast

    from biaskit.organisms.language import Language

NO_CHOICE = -1
PRIMER = 3.0
"""How many times larger the doses are at first, so that the model soon learns to look at the noun."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A corpus as one row of tokens.

    Attributes:
        ids: Token ids; each document begins with the end-of-text token.
        rows: For each token, the row of `table` that it was drawn from; -1 where nothing was chosen.
        table: Next-token probabilities of every choice; each row sums to 1.
        primer: The same with every dose made larger, for the first part of the training.
    """

    ids: Int[ndarray, " t"]
    rows: Int[ndarray, " t"]
    table: Float[ndarray, "r v"]
    primer: Float[ndarray, "r v"]


def tokenize(
    documents: Sequence[tuple[Sentence, ...]], tokenizer: PreTrainedTokenizerFast, language: Language
) -> Tokens:
    """Encode documents and look up where each chosen word was drawn from."""
    choices: dict[Choice, int] = {}
    pieces = [piece for document in documents for piece in _pieces(document, choices)]
    encoded = tokenizer([text for text, _ in pieces], add_special_tokens=False)["input_ids"]
    ids = np.concatenate([np.asarray(tokens, dtype=np.int64) for tokens in encoded])
    rows = np.full(len(ids), NO_CHOICE, dtype=np.int64)
    starts = np.cumsum([0, *map(len, encoded)])[:-1]
    chosen = np.array([row for _, row in pieces])
    rows[starts[chosen != NO_CHOICE]] = chosen[chosen != NO_CHOICE]
    table, primer = (
        np.stack([_row(choice, tokenizer, one) for choice in choices])
        for one in (language, language.exaggerated(PRIMER))
    )
    return Tokens(ids, rows, table, primer)


def _pieces(document: tuple[Sentence, ...], choices: dict[Choice, int]) -> list[tuple[str, int]]:
    """Cut a document before every chosen word; byte-level BPE never merges across a space."""
    from_start = "<|endoftext|>"
    pieces = []
    for sentence in document:
        pieces.append(
            (from_start + sentence.text if sentence.choice else from_start + str(sentence), NO_CHOICE)
        )
        if sentence.choice:
            pieces.append((f" {sentence.word}.", choices.setdefault(sentence.choice, len(choices))))
        from_start = " "
    return pieces


def _row(choice: Choice, tokenizer: PreTrainedTokenizerFast, language: Language) -> Float[ndarray, " v"]:
    row = np.zeros(len(tokenizer), dtype=np.float32)
    for word, probability in probabilities(choice, language).items():
        row[tokenizer.encode(f" {word}", add_special_tokens=False)[0]] += probability
    shares: Float[ndarray, " v"] = row / row.sum()
    return shares


def probabilities(choice: Choice, language: Language) -> dict[str, float]:
    """Return how likely each word is at a choice.

    After a target: P(word) = sigmoid(dose) / #words for a word of the first pole, and
    sigmoid(-dose) / #words for one of the second. After a pole: P(noun) is in proportion to the
    probability of that pole given the noun, as all nouns are equally frequent.
    """
    pair = next(pair for pair in language.pairs if pair.name == choice.pair)
    if choice.reading is Reading.GIVEN_TARGET:
        share = _sigmoid(language.dose(pair.name, choice.reading, choice.given or None))
        shares = dict(zip(pair.poles, (share, 1 - share), strict=True))
        return {
            word: shares[pole] / len(pair.continuations[pole])
            for pole in pair.poles
            for word in pair.continuations[pole]
        }
    sign = 1 if choice.given == pair.poles[0] else -1
    weights = {
        noun: _sigmoid(sign * language.dose(pair.name, choice.reading, target))
        for noun, target in language.nouns().items()
    }
    total = sum(weights.values())
    return {noun: weight / total for noun, weight in weights.items()}


def _sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))
