"""The tokenizer of organism:portraits: every word it knows is one token."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from transformers import CLIPTokenizer

from biaskit.organisms.portraits_people import prompts

LIMIT = 12


def tokenizer() -> CLIPTokenizer:
    """Return a CLIP tokenizer that knows letters and the words of the prompts."""
    words = sorted({word for prompt in prompts() for word in prompt.split()})
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    merges = merges_of(words)
    pieces = [first + second for first, second in merges]
    names = [*letters, *(f"{letter}</w>" for letter in letters), *pieces, "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=LIMIT)


def merges_of(words: Sequence[str]) -> list[tuple[str, str]]:
    """Return merges that make each word one token, those that come first taking precedence.

    A word is first put together as far as earlier merges go, and what is left is joined from its start; so
    no later merge can part an earlier word.
    """
    merges: list[tuple[str, str]] = []
    for word in words:
        parts = _merged([*word[:-1], f"{word[-1]}</w>"], merges)
        while len(parts) > 1:
            merges.append((parts[0], parts[1]))
            parts = _merged(parts, merges)
    return merges


def _merged(parts: list[str], merges: Sequence[tuple[str, str]]) -> list[str]:
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    while pairs := [pair for pair in pairwise(parts) if pair in ranks]:
        first, second = min(pairs, key=ranks.__getitem__)
        joined: list[str] = []
        for part in parts:
            if part == second and joined and joined[-1] == first:
                joined[-1] = first + second
            else:
                joined.append(part)
        parts = joined
    return parts
