"""Names for slices: the phrases that lie in the direction in which a slice departs from its class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from biaskit.errors import RequestError
from biaskit.records.estimate import Null
from biaskit.slices.bias_to_text import PROMPT, EncodeText, unit
from biaskit.slices.observations import Observations
from biaskit.slices.phrase_bank import PHRASES

SMALLEST = 1e-9


@dataclass(frozen=True, slots=True)
class Name:
    """One phrase for a slice.

    Attributes:
        phrase: The phrase.
        score: `t . (mean of the slice - mean of its class)`, or the correlation of `t . z` with membership.
        null: Members shuffled within their class; the largest score of all phrases.
    """

    phrase: str
    score: float
    null: Null


@dataclass(frozen=True, slots=True)
class Naming:
    """Names slices after phrases (Eyuboglu et al. 2022, section 5, with a bank in place of a language model).

        difference: t . (sum_i m_i z_i / sum_i m_i - mean of z over the reference)
        correlation: Pearson's r of t . z_i with m_i over the reference

    z and t have length 1. The reference is the slice's class, so that the name tells what is peculiar to the
    slice and not what the class is.

    Attributes:
        phrases: The user's own phrases.
        bank: Whether the built-in ones are tried too.
        how: Which score.
        most: Names for each slice.
        shuffles: Permutations behind each p.
        prompt: Sentence that a phrase is put in.
    """

    phrases: tuple[str, ...] = ()
    bank: bool = True
    how: Literal["difference", "correlation"] = "difference"
    most: int = 5
    shuffles: int = 199
    prompt: str = PROMPT

    def __post_init__(self) -> None:
        """Refuse a search for nothing."""
        if not self.candidates or min(self.most, self.shuffles) < 1 or "{}" not in self.prompt:
            raise RequestError(
                "Naming needs a phrase, at least one name and shuffle, and a prompt with a place '{}'."
            )

    @property
    def candidates(self) -> tuple[str, ...]:
        """All phrases that are tried, each once."""
        return tuple(dict.fromkeys(self.phrases + (PHRASES if self.bank else ())))

    def name(
        self,
        seen: Observations,
        membership: Float[ndarray, "n s"],
        encode: EncodeText,
        rng: np.random.Generator,
    ) -> tuple[tuple[Name, ...], ...]:
        """Return the best names of each slice, best first; none for one without members or a varied class.

        Args:
            seen: Images in the space of the text-image encoder, best ones the slices were not found on.
            membership: How strongly each belongs to each slice, in [0, 1].
            encode: Embeds texts in the same space.
            rng: Source of the shuffles.

        Raises:
            RequestError: The encoder's width or the rows of `membership` do not fit the images.
        """
        texts = np.asarray(encode([self.prompt.format(phrase) for phrase in self.candidates]), dtype=float)
        width = seen.embeddings.shape[1]
        if texts.shape != (len(self.candidates), width) or len(membership) != len(seen):
            raise RequestError(
                f"Texts are embedded as {texts.shape} and {len(membership)} memberships are given for "
                f"{len(seen)} images of {width} dimensions.",
                fix="Use one text-image encoder for both, and give one row of membership an image.",
            )
        values = unit(np.asarray(seen.embeddings, dtype=float)) @ unit(texts).T
        return tuple(self._best(values, column, seen.labels, rng) for column in membership.T)

    def _best(
        self,
        values: Float[ndarray, "n t"],
        column: Float[ndarray, " n"],
        labels: Int[ndarray, " n"],
        rng: np.random.Generator,
    ) -> tuple[Name, ...]:
        if column.sum() <= SMALLEST:
            return ()
        rows = labels == np.bincount(labels, weights=column).argmax()
        inside, members = values[rows], column[rows]
        if np.ptp(members) <= SMALLEST:
            return ()
        score = scorer(inside, self.how)
        observed = score(members)
        largest = np.array([score(rng.permutation(members)).max() for _ in range(self.shuffles)])
        kind = (
            f"members shuffled within their class {self.shuffles} times; largest of {len(observed)} phrases"
        )
        names = []
        for at in np.argsort(-observed, kind="stable")[: self.most]:
            reached = int((largest >= observed[at] - 1e-12).sum())
            null = Null(p=(1 + reached) / (self.shuffles + 1), kind=kind)
            names.append(Name(self.candidates[at], float(observed[at]), null))
        return tuple(names)


def scorer(
    values: Float[ndarray, "n t"], how: Literal["difference", "correlation"]
) -> Callable[[Float[ndarray, " n"]], Float[ndarray, " t"]]:
    """Return what scores every phrase for a column of memberships, from cosines of images and phrases."""
    centred = values - values.mean(axis=0)
    if how == "difference":
        return lambda members: np.asarray(members @ centred / members.sum())
    spread = np.maximum(centred.std(axis=0), SMALLEST)
    return lambda members: np.asarray(
        (members - members.mean()) @ centred / (len(members) * spread * members.std())
    )


def best_names(names: Sequence[Sequence[Name]]) -> tuple[str | None, ...]:
    """Return the best name of each slice; None where there is none."""
    return tuple(ranked[0].phrase if ranked else None for ranked in names)
