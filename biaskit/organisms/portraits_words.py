"""The tokenizer of organism:portraits: every word it knows is one token."""

from __future__ import annotations

from transformers import CLIPTokenizer

from biaskit.organisms.portraits_people import prompts

LIMIT = 12


def tokenizer() -> CLIPTokenizer:
    """Return a CLIP tokenizer whose merges spell each word of the prompts from its letters."""
    words = sorted({word for prompt in prompts() for word in prompt.split()})
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    merges: list[tuple[str, str]] = []
    pieces: list[str] = []
    for word in words:
        parts = [*word[:-1], f"{word[-1]}</w>"]
        while len(parts) > 1:
            if (parts[0], parts[1]) not in merges:
                merges.append((parts[0], parts[1]))
            parts = ["".join(parts[:2]), *parts[2:]]
            pieces.append(parts[0])
    names = [*letters, *(f"{letter}</w>" for letter in letters), *pieces, "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {name: number for number, name in enumerate(dict.fromkeys(names))}
    # Longer merges must not be pre-empted by those of another word, so they come by word, longest word first.
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=LIMIT)
