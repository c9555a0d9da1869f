"""Sentences of a corpus in which a word stands, drawn at random."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import numpy as np

from biaskit.errors import RequestError
from biaskit.records.prompt import Prompt

_LONGEST = 400


def find_contexts(
    path: Path | str, words: Collection[str], per_word: int, rng: np.random.Generator
) -> dict[str, tuple[Prompt, ...]]:
    """Draw at most `per_word` lines for each word, without replacement, every line as likely (Vitter 1985).

    A word counts where it stands as a whole word, in its own case. A line is one context, at most 400
    characters long; what is longer is passed over.

    Args:
        path: A text file with one sentence a line.
        words: The words.
        per_word: How many lines are kept of each.
        rng: Source of the draw.

    Returns:
        For every word the lines, each with the place of the word; empty where the corpus has none.

    Raises:
        RequestError: The file cannot be read.
    """
    # Longest first, so that `night nurse` is not taken for `nurse`.
    pattern = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, sorted(words, key=len, reverse=True)))})(?!\w)")
    kept: dict[str, list[Prompt]] = {word: [] for word in words}
    seen = dict.fromkeys(words, 0)
    try:
        with Path(path).open(encoding="utf-8") as corpus:
            for line in map(str.strip, corpus):
                for word, place in _places(pattern, line):
                    seen[word] += 1
                    _keep(kept[word], Prompt(line, place), seen[word], per_word, rng)
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"The corpus '{path}' cannot be read.", why=str(error)) from error
    return {word: tuple(found) for word, found in kept.items()}


def _places(pattern: re.Pattern[str], line: str) -> list[tuple[str, tuple[int, int]]]:
    """The first place of each word in a line."""
    if len(line) > _LONGEST:
        return []
    found: dict[str, tuple[int, int]] = {}
    for match in pattern.finditer(line):
        found.setdefault(match[1], match.span(1))
    return list(found.items())


def _keep(kept: list[Prompt], prompt: Prompt, count: int, most: int, rng: np.random.Generator) -> None:
    if len(kept) < most:
        kept.append(prompt)
    elif (place := int(rng.integers(count))) < most:
        kept[place] = prompt
