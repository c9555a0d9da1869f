"""Bias-to-Text: words for what misclassified images share (Kim et al., CVPR 2024).

Departures: keywords come from each caption by itself and not from one long string; they are scored on other
images than they were found on, each with a permutation test and an interval, the number of keywords paid for;
any number of classes. Where images were sampled together, all of this is over clusters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy import ndarray

from biaskit.errors import RequestError
from biaskit.records.estimate import Interval, Null
from biaskit.slices.keywords import WORD, keywords
from biaskit.slices.observations import Observations
from biaskit.slices.wrong_and_right import WrongAndRight

PROMPT = "a photo of a {}"
PERCENT = 100.0

EncodeText: TypeAlias = Callable[[list[str]], Float[ndarray, "t d"]]


@dataclass(frozen=True, slots=True)
class KeywordImage:
    """One image of a keyword's class.

    Attributes:
        place: Its place among the images that were given.
        similarity: 100 cos(image, keyword), points.
        right: Whether it is classified right.
        captioned: Whether its caption holds the keyword.
    """

    place: int
    similarity: float
    right: bool
    captioned: bool


@dataclass(frozen=True, slots=True)
class Keyword:
    """A keyword of the misclassified images of one class.

    Attributes:
        label: The class.
        phrase: The keyword.
        score: `s(a; y)`: mean of 100 cos(image, keyword) over wrong images less that over right ones, points.
        interval: Of the score, by Welch's t; a jackknife over clusters.
        null: Wrong and right images of the class shuffled, or signs of clusters flipped; the largest score of
            all keywords of the class.
        specific: Whether no other class has a score above 0 for it; None where no other class has errors.
        captioned: Images of the class whose caption holds it.
        accuracy: Share of those that are classified right; None without such an image.
        accuracy_interval: Wilson's, at the effective number of rows of clusters.
        rest_accuracy: Share of the class's other images that are.
        gap: `rest_accuracy - accuracy`.
        gap_interval: Newcombe's, likewise.
        images: Every image of the class.
    """

    label: int
    phrase: str
    score: float
    interval: Interval | None
    null: Null
    specific: bool | None
    captioned: int
    accuracy: float | None
    accuracy_interval: Interval | None
    rest_accuracy: float | None
    gap: float | None
    gap_interval: Interval | None
    images: tuple[KeywordImage, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Captioned:
    """Images with one sentence each.

    Attributes:
        seen: Images in the space of the text-image encoder; rows need not have unit length.
        captions: One sentence an image.
        clusters: The cluster of each image, where images were sampled together.
    """

    seen: Observations
    captions: Sequence[str]
    clusters: Shaped[ndarray, " n"] | None = None

    def __post_init__(self) -> None:
        """Refuse captions and clusters that are not one an image."""
        for what, given in (("captions", self.captions), ("clusters", self.clusters)):
            if given is not None and len(given) != len(self.seen):
                raise RequestError(f"There are {len(given)} {what} for {len(self.seen)} images.")

    def captions_of(self, rows: Bool[ndarray, " n"]) -> list[str]:
        """Return the captions of some rows."""
        return [caption for caption, chosen in zip(self.captions, rows, strict=True) if chosen]

    def mixed_classes(self) -> list[int]:
        """Return the classes that have both wrong and right images."""
        labels, wrong = self.seen.labels, self.seen.errors == 1
        return sorted({int(c) for c in labels[wrong]} & {int(c) for c in labels[~wrong]})


@dataclass(frozen=True, slots=True)
class BiasToText:
    """Settings of Bias-to-Text.

    Attributes:
        most: Keywords sought in a class.
        longest: Words in a keyword.
        shuffles: Permutations behind each p.
        prompt: Sentence that a keyword is put in before it is encoded.
    """

    most: int = 20
    longest: int = 3
    shuffles: int = 999
    prompt: str = PROMPT

    def __post_init__(self) -> None:
        """Refuse what cannot be sought."""
        if min(self.most, self.longest, self.shuffles) < 1 or "{}" not in self.prompt:
            raise RequestError(
                "Bias-to-Text needs at least one keyword, word and shuffle, and a prompt with a place '{}'."
            )

    def find(
        self, found: Captioned, tested: Captioned, encode: EncodeText, rng: np.random.Generator
    ) -> tuple[Keyword, ...]:
        """Return the keywords of every class that has both wrong and right images, strongest first in each.

        Args:
            found: Images whose misclassified ones give the keywords.
            tested: Other images, on which keywords are scored. With the same images twice every p is too
                small, as a keyword was chosen for being common where the classifier fails.
            encode: Embeds texts in the space of the images' embeddings.
            rng: Source of the shuffles.

        Raises:
            RequestError: The encoder's width is not that of the images.
        """
        classes = tested.mixed_classes()
        chosen = {c: self.proposed(found, c) for c in classes}
        every = sorted({phrase for phrases_of in chosen.values() for phrase in phrases_of})
        if not every:
            return ()
        cosines = self._cosines(tested.seen, every, encode)
        scored = {c: _Scored(c, tested, cosines) for c in classes}
        answer: list[Keyword] = []
        for c, one in scored.items():
            columns = [every.index(phrase) for phrase in chosen[c]]
            others = [scored[other].scores for other in classes if other != c]
            specific = [all(values[at] <= 0 for values in others) if others else None for at in columns]
            nulls = one.nulls(columns, self.shuffles, rng)
            words = [
                one.keyword(every[at], at, null, alone)
                for at, null, alone in zip(columns, nulls, specific, strict=True)
            ]
            answer += sorted(words, key=lambda word: -word.score)
        return tuple(answer)

    def proposed(self, found: Captioned, label: int) -> tuple[str, ...]:
        """Return the keywords of a class's misclassified images."""
        wrong = (found.seen.errors == 1) & (found.seen.labels == label)
        chosen = found.captions_of(wrong)
        return keywords(chosen, self.most, self.longest, least=min(2, len(chosen)))

    def _cosines(self, seen: Observations, every: list[str], encode: EncodeText) -> Float[ndarray, "n t"]:
        texts = np.asarray(encode([self.prompt.format(phrase) for phrase in every]), dtype=float)
        if texts.shape != (len(every), seen.embeddings.shape[1]):
            raise RequestError(
                f"Texts are embedded as {texts.shape}, images in {seen.embeddings.shape[1]} dimensions.",
                fix="Use one text-image encoder for both.",
            )
        images = unit(np.asarray(seen.embeddings, dtype=float))
        return np.asarray(PERCENT * images @ unit(texts).T)


class _Scored:
    """Scores of all keywords over the images of one class."""

    def __init__(self, label: int, tested: Captioned, cosines: Float[ndarray, "n t"]) -> None:
        rows = tested.seen.labels == label
        self.label, self.places, self.cosines = label, np.flatnonzero(rows), cosines[rows]
        self.sides = WrongAndRight(
            tested.seen.errors[rows] == 1, None if tested.clusters is None else tested.clusters[rows]
        )
        self.captions = [WORD.findall(caption.lower()) for caption in tested.captions_of(rows)]
        self.scores = self.sides.differences(self.cosines)

    def nulls(self, columns: list[int], shuffles: int, rng: np.random.Generator) -> list[Null]:
        """Test the scores of some keywords against the largest of them where wrong and right are alike."""
        if not columns:
            return []
        largest = self.sides.largest(self.cosines[:, columns], shuffles, rng)
        kind = f"{self.sides.null} {shuffles} times; largest of {len(columns)} keywords"
        reached = (largest[:, None] >= self.scores[columns] - 1e-9).sum(axis=0)
        return [Null(p=(1 + int(count)) / (shuffles + 1), kind=kind) for count in reached]

    def keyword(self, phrase: str, column: int, null: Null, specific: bool | None) -> Keyword:  # noqa: FBT001 - a finding, not a switch
        """Put together what is known of one keyword."""
        holds = np.array([f" {phrase} " in f" {' '.join(words)} " for words in self.captions])
        right = ~self.sides.wrong
        there, other = (float(right[rows].mean()) if rows.any() else None for rows in (holds, ~holds))
        return Keyword(
            label=self.label,
            phrase=phrase,
            score=float(self.scores[column]),
            interval=self.sides.interval(self.cosines[:, column]),
            null=null,
            specific=specific,
            captioned=int(holds.sum()),
            accuracy=there,
            accuracy_interval=self.sides.share_right(holds),
            rest_accuracy=other,
            gap=None if there is None or other is None else other - there,
            gap_interval=self.sides.gap(holds),
            images=tuple(starmap(KeywordImage, self._images(column, holds))),
        )

    def _images(self, column: int, holds: Bool[ndarray, " c"]) -> Iterator[tuple[int, float, bool, bool]]:
        columns = self.places, self.cosines[:, column], ~self.sides.wrong, holds
        yield from zip(*(one.tolist() for one in columns), strict=True)


def unit(rows: Float[ndarray, "n d"]) -> Float[ndarray, "n d"]:
    """Scale rows to length 1; a row of zeros stays."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1.0))
