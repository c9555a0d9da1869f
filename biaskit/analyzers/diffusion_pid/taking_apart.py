"""A prompt taken apart: the prompts that are needed for a word, and for what two words say together."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from biaskit.decomposition.quantities import without

if TYPE_CHECKING:
    from biaskit.records.prompt_set import PromptCase


@dataclass(frozen=True, slots=True)
class Pair:
    """Two words and the four prompts that take them apart, given the rest of the prompt.

    Attributes:
        words: The two words.
        neither: The prompt without both.
        first: With the first alone.
        second: With the second alone.
        both: The whole prompt.
    """

    words: tuple[str, str]
    neither: str
    first: str
    second: str
    both: str


def pairs(case: PromptCase) -> tuple[Pair, ...]:
    """Return the pairs of a case: those it names, or every pair of its words."""
    wanted = case.pairs or tuple(combinations(case.words, 2))
    return tuple(
        Pair(
            words=(one, other),
            neither=without(case.text, (one, other)),
            first=without(case.text, (other,)),
            second=without(case.text, (one,)),
            both=case.text,
        )
        for one, other in wanted
    )


def left_out(case: PromptCase) -> dict[str, str]:
    """Return, for each word, the prompt without it."""
    return {word: without(case.text, (word,)) for word in case.words}


def intervened(case: PromptCase, word: str) -> str:
    """Return the prompt with a word replaced where the case says by what, else dropped."""
    return without(case.text, (word,), case.replacements.get(word, ""))
