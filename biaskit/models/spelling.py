"""How the text encoders of a text-to-image model read words: whole, in pieces, or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from transformers import AutoTokenizer

from biaskit.models.opening import explained, quiet
from biaskit.models.sources import PIPELINE

if TYPE_CHECKING:
    from pathlib import Path

_NAMES = ("tokenizer", "tokenizer_2", "tokenizer_3")
_MARKS = ("</w>", "▁", "Ġ", "##")
_NO_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Speller:
    """The tokenizers of one model's text encoders; none of them where nobody knows how it reads.

    Attributes:
        tokenizers: The tokenizers.
    """

    tokenizers: tuple[Any, ...]

    def ids(self, text: str) -> tuple[tuple[int, ...], ...]:
        """Return what each tokenizer makes of a text, without the tokens that it puts around every text."""
        return tuple(
            tuple(one(text, add_special_tokens=False, verbose=False).input_ids) for one in self.tokenizers
        )

    def pieces(self, text: str) -> tuple[str, ...]:
        """Return the pieces of a text by the tokenizer that makes most of them; a whole word is one piece."""
        read = (
            tuple(_plain(piece) for piece in one.convert_ids_to_tokens(list(ids)))
            for one, ids in zip(self.tokenizers, self.ids(text), strict=True)
        )
        return max(read, key=len, default=())

    def knows(self, text: str) -> bool:
        """Whether some tokenizer reads a text without a token that stands for what it does not know."""
        return not self.tokenizers or any(
            bool(ids) and one.unk_token_id not in ids
            for one, ids in zip(self.tokenizers, self.ids(text), strict=True)
        )

    def too_long(self, texts: Iterable[str]) -> tuple[dict[str, int], int]:
        """Return texts that the shortest of the encoders would cut, with their lengths, and its limit."""
        limits = [int(one.model_max_length) for one in self.tokenizers]
        limit = min(limits, default=_NO_LIMIT)
        if limit >= _NO_LIMIT:
            return {}, limit
        one, listed = self.tokenizers[limits.index(limit)], list(dict.fromkeys(texts))
        lengths = [len(ids) for ids in one(listed, verbose=False).input_ids] if listed else []
        return {text: size for text, size in zip(listed, lengths, strict=True) if size > limit}, limit


def in_folder(folder: Path) -> Speller:
    """Open the tokenizers of a pipeline's folder, and no weights; any other folder has none.

    Raises:
        ModelLoadError: A tokenizer cannot be opened.
    """
    path = folder / PIPELINE
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Speller(())
    there = [name for name in _NAMES if index.get(name, [None])[0] is not None and (folder / name).is_dir()]
    with explained(folder.name), quiet():
        return Speller(
            tuple(
                AutoTokenizer.from_pretrained(folder / name, trust_remote_code=False, local_files_only=True)
                for name in there
            )
        )


def in_memory(model: Any) -> Speller:
    """Return the tokenizers of a pipeline, of an adapter of one, or of a text-image encoder."""
    pipeline = getattr(model, "pipeline", model)
    found = [getattr(pipeline, name, None) for name in _NAMES]
    return Speller(tuple(one for one in found if hasattr(one, "convert_ids_to_tokens")))


def alike(speller: Speller, owners: Mapping[str, str]) -> tuple[str, str] | None:
    """Return two words of different owners that every text encoder reads alike, where there are two."""
    seen: dict[tuple[tuple[int, ...], ...], str] = {}
    for word, owner in owners.items() if speller.tokenizers else ():
        other = seen.setdefault(speller.ids(word), word)
        if owners[other] != owner:
            return other, word
    return None


def _plain(piece: str) -> str:
    for mark in _MARKS:
        piece = piece.replace(mark, "")
    return piece
