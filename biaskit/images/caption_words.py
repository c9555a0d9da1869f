"""Words of captions beside those of prompts: what was made up, what is missing, what else is said.

After "Quantifying Bias in Text-to-Image Generative Models" (Try Before You Bias, arXiv 2312.13053), as sets
of words once every mapping is done. The released code maps `man` and `woman` to `person` after counting, so
that a shared word is counted twice and a hallucination can come out below 0; `published` keeps that.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PEOPLE = {"man": "person", "woman": "person", "child": "person", "girl": "person", "boy": "person"}
"""What words for people become, so that naming a gender is no hallucination."""

_LEFT_OUT = (
    "a an the of in on at with to and or is are was were be being been this that these those it its his her "
    "their there for from by as up down out into over under while some"
)
STOP = frozenset(_LEFT_OUT.split())
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


@dataclass(frozen=True, slots=True)
class Hallucination:
    """How far a caption's words are from its prompt's, as shares.

    Attributes:
        jaccard: 1 - |X and Y| / |X or Y|, X the prompt's words and Y the caption's.
        added: Share of the caption's words that the prompt has not.
        missed: Share of the prompt's words that the caption has not.
    """

    jaccard: float
    added: float
    missed: float


def words(text: str, mapped: Mapping[str, str] = PEOPLE) -> list[str]:
    """Return the words of a text in small letters, without stop words, each as what it is mapped to."""
    found = (word for word in _WORD.findall(text.casefold()) if word not in STOP)
    return [mapped.get(word, word) for word in found]


def hallucination(prompt: str, caption: str, mapped: Mapping[str, str] = PEOPLE) -> Hallucination:
    """Compare the sets of words once all of them are mapped; each share lies in [0, 1]."""
    asked, said = set(words(prompt, mapped)), set(words(caption, mapped))
    either = asked | said
    return Hallucination(
        jaccard=1 - len(asked & said) / len(either) if either else 0.0,
        added=len(said - asked) / len(said) if said else 0.0,
        missed=len(asked - said) / len(asked) if asked else 0.0,
    )


def published(prompt: str, caption: str, mapped: Mapping[str, str] = PEOPLE) -> float:
    """Jaccard hallucination as the released code has it: words that are mapped to one count each.

    `1 - s / (|X| + |Y| - s)`, s the caption's words, after mapping, that the prompt has, and |Y| its
    different words before: 'man' and 'woman' are two hits on one 'person', and {person, riding, horse} with
    {man, woman, riding, horse} gives -1/3.
    """
    asked = set(words(prompt, mapped))
    said = list(dict.fromkeys(words(caption, {})))
    shared = sum(mapped.get(word, word) in asked for word in said)
    either = len(asked) + len(said) - shared
    return 1 - shared / either if either else 0.0


def beyond(
    prompts: Sequence[str], captions: Sequence[str], mapped: Mapping[str, str] = PEOPLE
) -> Counter[str]:
    """Count the captions' words that their own prompts have not, over a whole run."""
    counted: Counter[str] = Counter()
    for prompt, caption in zip(prompts, captions, strict=True):
        asked = set(words(prompt, mapped))
        counted.update(word for word in words(caption, mapped) if word not in asked)
    return counted
