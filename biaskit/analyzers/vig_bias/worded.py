"""Bias-to-Text: words that captions of mistakes share, found on some images and tested on others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from numpy import ndarray

from biaskit.analyzers.vig_bias.looking import RAW
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Direction, Finding
from biaskit.slices.bias_to_text import BiasToText, Captioned, Keyword

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
    """

    view: str
    keywords: tuple[Keyword, ...]


def worded(session: VisionSession, found: Looked, held: Looked) -> Iterator[Worded]:
    """Yield the keywords of every view that has captions; nothing without an encoder."""
    encoder = session.encoder
    if encoder is None:
        return
    for view, captions in found.captions.items():
        rng = session.rng(f"vig-bias/keywords/{view}")
        sought = Captioned(found.observed(RAW), captions)
        tested = Captioned(held.observed(RAW), held.captions[view])
        every = BiasToText().find(sought, tested, lambda texts: encoded(encoder, texts), rng)
        kept = [one for label in range(len(session.model.classes)) for one in _best(every, label)]
        yield Worded(view, tuple(kept))


def encoded(encoder: TextImageEncoder, texts: Sequence[str]) -> Float[ndarray, "t d"]:
    """Embed texts in the encoder's space, float64."""
    vectors: torch.Tensor = encoder.encode_texts(texts)
    return vectors.double().numpy()


def _best(keywords: Sequence[Keyword], label: int) -> list[Keyword]:
    return [one for one in keywords if one.label == label and one.score > 0][:MOST]


def keyword_findings(name: str, given: Worded, classes: Sequence[str]) -> Iterator[Finding]:
    """Yield score and accuracy gap of each keyword, both on held-out images."""
    for one in given.keywords:
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
            estimate=_gap(one),
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


def _gap(one: Keyword) -> Estimate:
    with_it = "" if one.accuracy is None else f"; with it {one.accuracy:.2f} of {one.captioned} are right"
    missing = "No held-out image of the class has the word in its caption, or all have."
    return Estimate(
        value=one.gap,
        unit=Unit.PROPORTION,
        n=one.captioned,
        resampling_unit="images",
        method=f"accuracy of the class without the word less with it{with_it}",
        interval=one.gap_interval,
        reason=missing if one.gap is None else "The word is tested by its score.",
    )
