"""How surprising a word is before any image is seen, in nats."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from biaskit.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

MASK = "[MASK]"


class Prior(Protocol):
    """Surprisal of words."""

    def surprisals(self, words: Sequence[str]) -> tuple[float, ...]:
        """Return -log p of each word."""


@dataclass(frozen=True, slots=True)
class Uniform:
    """Every word is as likely as any other.

    Attributes:
        vocabulary: How many words there are; it shifts all surprisals alike and so changes no redundancy.
    """

    vocabulary: int = 30_000

    def surprisals(self, words: Sequence[str]) -> tuple[float, ...]:
        """Return log of the vocabulary's size for each word."""
        return (math.log(self.vocabulary),) * len(words)


@dataclass(frozen=True, slots=True, eq=False)
class Frequencies:
    """Words counted in some corpus; a phrase is as likely as its words are one by one.

    A word that was never counted is taken to have been seen half a time.

    Attributes:
        counts: How often each word was seen, in lower case.
    """

    counts: Mapping[str, float]

    @classmethod
    def read(cls, path: Path) -> Frequencies:
        """Read a file with a word and its count a line, apart by a comma or a tab.

        Raises:
            RequestError: It cannot be read, or a line is no word with a count.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise RequestError(f"'{path}' cannot be read.", why=str(error)) from error
        rows = list(csv.reader(text.splitlines(), delimiter="\t" if "\t" in text else ","))
        counts: dict[str, float] = {}
        for number, row in enumerate(rows, start=1):
            count = _count(row)
            if count is None and number > 1:
                raise RequestError(
                    f"Line {number} of '{path.name}' is no word with a count.", fix="Write it as: word,1234"
                )
            if count is not None:
                counts[row[0].strip().casefold()] = count
        if not counts:
            raise RequestError(f"'{path.name}' holds no word.", fix="Write one a line: word,1234")
        return cls(counts)

    def surprisals(self, words: Sequence[str]) -> tuple[float, ...]:
        """Return -log of each word's share of all counts."""
        whole = sum(self.counts.values())
        return tuple(
            sum(-math.log(self.counts.get(part.casefold(), 0.5) / whole) for part in word.split())
            for word in words
        )

    def unknown(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return the words of which a part was never counted."""
        return tuple(
            word for word in words if any(part.casefold() not in self.counts for part in word.split())
        )


class MaskedScores(Protocol):
    """A masked language model, as much of it as a prior needs."""

    def __call__(self, text: str, words: Sequence[str]) -> Sequence[float]:
        """Return log-probabilities of the words in the place of the one `[MASK]` of a text, in nats."""


@dataclass(frozen=True, slots=True, eq=False)
class MaskedLM:
    """Words in the place they have in a prompt, by a masked language model; the paper took BERT.

    Attributes:
        scores: The model.
        frame: The prompt with `[MASK]` in the word's place.
    """

    scores: MaskedScores
    frame: str = f"a photo of a {MASK}."

    def surprisals(self, words: Sequence[str]) -> tuple[float, ...]:
        """Return -log p of each word in the frame."""
        return tuple(-float(score) for score in self.scores(self.frame, words))


def _count(row: Sequence[str]) -> float | None:
    """The count of a line; None where it has none, as in a header."""
    try:
        count = float(row[1])
    except (IndexError, ValueError):
        return None
    return count if row[0].strip() and math.isfinite(count) and count > 0 else None
