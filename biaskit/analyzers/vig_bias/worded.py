"""Bias-to-Text: words that captions of mistakes share, found on some images and tested on others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from biaskit.analyzers.vig_bias.groups import slug
from biaskit.analyzers.vig_bias.looking import RAW
from biaskit.analyzers.vig_bias.numbers import CLUSTERS, IMAGES
from biaskit.analyzers.vig_bias.written import UNITS
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Direction, Finding, FromRows, Statistic
from biaskit.records.table import Table
from biaskit.slices.bias_to_text import BiasToText, Captioned, Keyword

if TYPE_CHECKING:
    from biaskit.analyzers.vig_bias.looking import Looked
    from biaskit.protocols import TextImageEncoder
    from biaskit.session import VisionSession

COLUMNS = {
    "keyword": "The class, and the keyword of its mistakes.",
    "captions": "Which images the captions were made from.",
    "image": "Name of the image in its set.",
    "cluster": "What the image was sampled with.",
    "right": "Whether the model is right about it.",
    "has_word": "Whether its caption holds the keyword.",
    "similarity": "100 cos of the image and the keyword, points.",
}
LEVEL = 0.05
MOST = 5


@dataclass(frozen=True, slots=True, eq=False)
class Worded:
    """Keywords of one view of the captions.

    Attributes:
        view: What the captions were made from.
        keywords: The keywords whose score is above 0, strongest first in each class.
        clustered: Whether the images have clusters.
    """

    view: str
    keywords: tuple[Keyword, ...]
    clustered: bool


def worded(session: VisionSession, found: Looked, held: Looked, clusters: Sequence[str]) -> Iterator[Worded]:
    """Yield the keywords of every view that has captions; nothing without an encoder.

    Args:
        session: The encoder, and the seed.
        found: Images whose mistakes give the keywords.
        held: Other images, on which they are scored.
        clusters: The cluster of each of those; empty: each image alone.
    """
    encoder = session.encoder
    if encoder is None:
        return
    for view, captions in found.captions.items():
        rng = session.rng(f"vig-bias/keywords/{view}")
        sought = Captioned(found.observed(RAW), captions)
        owners = np.array(clusters) if clusters else None
        tested = Captioned(held.observed(RAW), held.captions[view], owners)
        every = BiasToText().find(sought, tested, lambda texts: encoded(encoder, texts), rng)
        kept = [one for label in range(len(session.model.classes)) for one in _best(every, label)]
        yield Worded(view, tuple(kept), bool(clusters))


def encoded(encoder: TextImageEncoder, texts: Sequence[str]) -> Float[ndarray, "t d"]:
    """Embed texts in the encoder's space, float64."""
    vectors: torch.Tensor = encoder.encode_texts(texts)
    return vectors.double().numpy()


def _best(keywords: Sequence[Keyword], label: int) -> list[Keyword]:
    return [one for one in keywords if one.label == label and one.score > 0][:MOST]


def keywords_name(name: str) -> str:
    """Return the name of an image set's table of keywords."""
    return f"{slug(name)}-keywords"


def keywords_table(
    name: str, given: Sequence[Worded], classes: Sequence[str], images: Sequence[tuple[str, str]]
) -> tuple[Table, ...]:
    """Return every held-out image of a keyword's class; nothing without a keyword.

    Args:
        name: Name of the image set.
        given: Keywords of every view of the captions.
        classes: Names of the classes.
        images: Name and cluster of each held-out image.
    """
    rows = tuple(
        (_about(one, classes), words.view, *images[seen.place], seen.right, seen.captioned, seen.similarity)
        for words in given
        for one in words.keywords
        for seen in one.images
    )
    title = f"Every held-out image of {name} under every keyword of its class"
    return (Table.of(keywords_name(name), title, COLUMNS, rows),) if rows else ()


def _about(one: Keyword, classes: Sequence[str]) -> str:
    return f"{classes[one.label]}: {one.phrase}"


def keyword_findings(name: str, given: Worded, classes: Sequence[str]) -> Iterator[Finding]:
    """Yield score and accuracy gap of each keyword, both on held-out images."""
    unit_of = CLUSTERS if given.clustered else IMAGES
    for one in given.keywords:
        about = (name, _about(one, classes))
        rows = FromRows(
            table=keywords_name(name),
            column="similarity",
            where={"keyword": about[1], "captions": given.view},
            units=UNITS,
            statistic=Statistic.STEP,
            beside="right",
        )
        group = f"captions of {given.view} images"
        yield Finding(
            metric="vig_bias.keyword_score",
            concepts=about,
            group=group,
            direction=Direction.NONE,
            estimate=_score(one, unit_of),
            rows=rows,
        )
        yield Finding(
            metric="vig_bias.keyword_gap",
            concepts=about,
            group=group,
            direction=Direction.LOWER,
            headline=one.null.p <= LEVEL and given.view == RAW,
            estimate=_gap(one, unit_of),
            rows=rows.model_copy(update={"column": "right", "beside": "has_word"}),
        )


def _score(one: Keyword, unit_of: str) -> Estimate:
    return Estimate(
        value=one.score,
        unit=Unit.POINT,
        n=one.captioned,
        resampling_unit=unit_of,
        method="mean of 100 cos(image, keyword) over wrong images of the class less that over right ones",
        interval=one.interval,
        null=one.null,
        reason=None if one.interval else f"There are too few wrong or right {unit_of} for an interval.",
    )


def _gap(one: Keyword, unit_of: str) -> Estimate:
    with_it = "" if one.accuracy is None else f"; with it {one.accuracy:.2f} of {one.captioned} are right"
    missing = "No held-out image of the class has the word in its caption, or all have."
    return Estimate(
        value=one.gap,
        unit=Unit.PROPORTION,
        n=one.captioned,
        resampling_unit=unit_of,
        method=f"accuracy of the class without the word less with it{with_it}",
        interval=one.gap_interval,
        reason=missing if one.gap is None else "The word is tested by its score.",
    )
