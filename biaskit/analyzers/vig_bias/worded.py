"""Bias-to-Text: words that captions of mistakes share, found on some images and tested on others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray

from biaskit.analyzers.vig_bias.looking import RAW
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Direction, Finding
from biaskit.slices.bias_to_text import BiasToText, Keyword
from biaskit.slices.keywords import phrases
from biaskit.slices.slice_report import newcombe

if TYPE_CHECKING:
    from biaskit.analyzers.vig_bias.looking import Looked
    from biaskit.protocols import TextImageEncoder
    from biaskit.session import VisionSession

LEVEL = 0.05
MOST = 5


@dataclass(frozen=True, slots=True, eq=False)
class Worded:
    """Keywords of one view of the captions.

    Attributes:
        view: What the captions were made from.
        keywords: The keywords whose score is above 0, strongest first in each class.
        inside: For each, which held-out images have it in their caption.
    """

    view: str
    keywords: tuple[Keyword, ...]
    inside: tuple[Bool[ndarray, " n"], ...]


def worded(session: VisionSession, found: Looked, held: Looked) -> Iterator[Worded]:
    """Yield the keywords of every view that has captions; nothing without an encoder."""
    encoder = session.encoder
    if encoder is None:
        return
    for view, captions in found.captions.items():
        rng = session.rng(f"vig-bias/keywords/{view}")
        rows = found.observed(RAW)
        every = BiasToText().find(rows, captions, lambda texts: encoded(encoder, texts), rng)
        kept = [one for label in range(len(session.model.classes)) for one in _best(every, label)]
        inside = [_holding(held.captions[view], one.phrase) for one in kept]
        yield Worded(view, tuple(kept), tuple(inside))


def encoded(encoder: TextImageEncoder, texts: Sequence[str]) -> Float[ndarray, "t d"]:
    """Embed texts in the encoder's space, float64."""
    vectors: torch.Tensor = encoder.encode_texts(texts)
    return vectors.double().numpy()


def _best(keywords: Sequence[Keyword], label: int) -> list[Keyword]:
    return [one for one in keywords if one.label == label and one.score > 0][:MOST]


def _holding(captions: Sequence[str], phrase: str) -> Bool[ndarray, " n"]:
    length = len(phrase.split())
    return np.array([phrase in phrases(caption, length) for caption in captions], dtype=bool)


def findings(name: str, given: Worded, held: Looked, classes: Sequence[str]) -> Iterator[Finding]:
    """Yield score and held-out accuracy gap of each keyword."""
    for one, inside in zip(given.keywords, given.inside, strict=True):
        about = (name, f"{classes[one.label]}: {one.phrase}")
        group = f"captions of {given.view} images"
        yield Finding(
            metric="vig_bias.keyword_score",
            concepts=about,
            group=group,
            direction=Direction.NONE,
            estimate=_score(one),
        )
        yield Finding(
            metric="vig_bias.keyword_gap",
            concepts=about,
            group=group,
            direction=Direction.LOWER,
            headline=one.null.p <= LEVEL and given.view == RAW,
            estimate=_gap(one, inside, held),
        )


def _score(one: Keyword) -> Estimate:
    return Estimate(
        value=one.score,
        unit=Unit.POINT,
        n=one.captioned,
        resampling_unit="images",
        method="mean of 100 cos(image, keyword) over wrong images of the class less that over right ones",
        interval=one.interval,
        null=one.null,
        reason=None if one.interval else "There are too few wrong or right images for an interval.",
    )


def _gap(one: Keyword, inside: Bool[ndarray, " n"], held: Looked) -> Estimate:
    of_class = held.labels == one.label
    sides = [held.correct[of_class & rows] for rows in (inside, ~inside)]
    mine, rest = ((int(side.sum()), len(side)) for side in sides)
    method = f"accuracy of the class without the word less with it; with it {mine[0]} of {mine[1]} are right"
    if not (mine[1] and rest[1]):
        reason = "No held-out image of the class has the word in its caption, or all have."
        return Estimate(
            value=None,
            unit=Unit.PROPORTION,
            n=mine[1],
            resampling_unit="images",
            method=method,
            reason=reason,
        )
    return Estimate(
        value=rest[0] / rest[1] - mine[0] / mine[1],
        unit=Unit.PROPORTION,
        n=mine[1],
        resampling_unit="images",
        method=method,
        interval=newcombe(mine, rest),
        reason="The word was tested where it was found: see its score.",
    )
