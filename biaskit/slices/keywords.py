"""Words and phrases that captions share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_STOP = (
    "a about above after all along also am an and another any are around as at back be been before behind "
    "being below beside between both but by can close could did do does down each for from front full group "
    "had has have he her here him his how i if image in inside into is it its just lot many may me more most "
    "much my near next no not of off on one only or other our out over photo photograph photos picture "
    "pictures portrait quite really same seen she shot shown shows side small so some something stock such "
    "than that the their them then there these they thing this those three through to together top towards "
    "two under up upon us very view was we were what when where which while who with without would you your"
)
STOP_WORDS = frozenset(_STOP.split())
WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
ALIKE = 0.9


def phrases(caption: str, longest: int = 3) -> frozenset[str]:
    """Return the phrases of up to `longest` neighbouring words that neither start nor end in a stop word.

    Words are lower-cased; a phrase may hold stop words inside, such as `cup of tea`.
    """
    words = WORD.findall(caption.lower())
    found = set()
    for first in range(len(words)):
        for last in range(first, min(first + longest, len(words))):
            if words[first] not in STOP_WORDS and words[last] not in STOP_WORDS:
                found.add(" ".join(words[first : last + 1]))
    return frozenset(found)


def keywords(captions: Sequence[str], most: int = 20, longest: int = 3, least: int = 2) -> tuple[str, ...]:
    """Return the phrases that most captions hold, commonest first.

    A phrase counts once a caption. Of a phrase and a part of it that nearly as many captions hold (the rarer
    at least 0.9 of the commoner) the commoner is kept, the longer one where they are even.

    Args:
        captions: One sentence each.
        most: How many keywords.
        longest: Words in a phrase.
        least: Captions that must hold it.
    """
    counts = Counter(phrase for caption in captions for phrase in phrases(caption, longest))
    common = {phrase: count for phrase, count in counts.items() if count >= least}
    ranked = sorted(common, key=lambda phrase: (-common[phrase], -len(phrase.split()), phrase))
    kept: list[str] = []
    for phrase in ranked:
        if len(kept) == most:
            break
        if not any(_overlap(phrase, other) and common[phrase] >= ALIKE * common[other] for other in kept):
            kept.append(phrase)
    return tuple(kept)


def _overlap(phrase: str, other: str) -> bool:
    """Whether one phrase is part of the other, word by word."""
    return f" {phrase} " in f" {other} " or f" {other} " in f" {phrase} "
