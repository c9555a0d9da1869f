"""One text as a language model is asked to read it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text and, where one word of it matters, where that word stands.

    Attributes:
        text: The text, without special tokens.
        span: Character offsets [start, end) of the word under study; None for the whole text.
    """

    text: str
    span: tuple[int, int] | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of text and span, in hex."""
        return hashlib.sha256(f"{self.text}\x00{self.span}".encode()).hexdigest()
