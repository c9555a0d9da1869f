"""What captions add to prompts: hallucination, miss rate and diversity of words, at equal sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from biaskit.analyzers.representation.fidelity import Likeness, clip_text, fidelity
from biaskit.analyzers.representation.measured import UNITS
from biaskit.analyzers.representation.numbers import IMAGES, share_of
from biaskit.images.caption_words import Hallucination, beyond, hallucination, published
from biaskit.records.estimate import Estimate, Interval, Unit
from biaskit.records.finding import Direction, Finding, FromRows, Statistic
from biaskit.records.table import Cell, Table, slug
from biaskit.stats.bootstrap import cluster_interval
from biaskit.stats.diversity import distribution_bias, hill, rarefied_bias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biaskit.analyzers.representation.seeing import Seen
    from biaskit.session import DiffusionSession

_DESCRIBES = "It describes the images; there is nothing that it is tested against."
_COUNTS = "Words of one caption come together, so no interval is given; sizes are equal instead."
_DRAWN = "it is a mean over words drawn at random, as many for each target"
IMAGE = {
    "target": "The target.",
    "image": "Name of the image.",
    "prompt": "What it was drawn for.",
    "caption": "Its caption, where there is one.",
    "hallucination": "1 - Jaccard of prompt and caption as sets of words.",
    "added_words": "Share of the caption's words that the prompt has not.",
    "missing_words": "Share of the prompt's words that the caption has not.",
    "missed": "Whether a blank text fits the image better than its prompt.",
    "clip_text": "Cosine of the image and its prompt.",
}
WORD = {
    "target": "The target.",
    "word": "A word of captions that their own prompts have not.",
    "count": "How often it is said over the target's images.",
}


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """The images of a target beside their prompts.

    Attributes:
        seen: The images.
        each: How far each caption is from its prompt; empty where images have no captions.
        words: How often each word is said that its prompt has not.
        alike: How alike each image is to its prompt; None without an encoder.
    """

    seen: Seen
    each: tuple[Hallucination, ...]
    words: Counter[str]
    alike: Likeness | None

    @classmethod
    def of(cls, seen: Seen, alike: Likeness | None) -> Read:
        """Compare captions with prompts where every image has one."""
        if not seen.captions or len(seen.captions) != len(seen):
            return cls(seen, (), Counter(), alike)
        pairs = zip(seen.prompts, seen.captions, strict=True)
        return cls(
            seen, tuple(hallucination(*one) for one in pairs), beyond(seen.prompts, seen.captions), alike
        )

    @property
    def counts(self) -> Int[ndarray, " m"]:
        """How often each word is said."""
        return np.array(list(self.words.values()), dtype=np.int64)

    def rows(self) -> Iterator[tuple[Cell, ...]]:
        """Return one row an image, where anything was read on it."""
        if not (self.each or self.seen.missed or self.alike):
            return
        for row, image in enumerate(self.seen.names):
            one = self.each[row] if self.each else None
            yield (
                self.seen.target,
                image,
                self.seen.prompts[row],
                self.seen.captions[row] if one else None,
                *((one.jaccard, one.added, one.missed) if one else (None, None, None)),
                self.seen.missed[row] if self.seen.missed else None,
                float(self.alike.values[row]) if self.alike else None,
            )


@dataclass(frozen=True, slots=True)
class Kept:
    """Names of the tables that numbers follow from.

    Attributes:
        images: Images beside their prompts.
        words: Words of captions.
    """

    images: str
    words: str

    def column(self, name: str, target: str) -> FromRows:
        """Return a column of a target's images, of which a number is the mean."""
        return FromRows(table=self.images, column=name, where={"target": target}, units=UNITS)


def caption_findings(
    seen: Sequence[Seen], session: DiffusionSession, about: str
) -> tuple[list[Finding], list[Table]]:
    """Return what captions say, for the targets all of whose images have one, the miss rate, and CLIP-T.

    With the tables that they follow from, of images and of words.
    """
    alike = fidelity(seen, session)
    read = [Read.of(one, alike.get(one.target)) for one in seen]
    kept = Kept(slug(f"prompts of {about}"), slug(f"caption words of {about}"))
    size = min((sum(one.words.values()) for one in read if one.words), default=0)
    rng = session.rng("representation/captions")
    found = [each for one in read if one.each for each in _hallucinations(one, kept)]
    for one in read:
        if one.words:
            found += _diversity(one, size, rng, kept)
    found += [_missed(one.seen, kept) for one in read if one.seen.missed]
    found += [
        clip_text(one.seen.target, one.alike, kept.column("clip_text", one.seen.target))
        for one in read
        if one.alike
    ]
    return found, _tables(read, kept, about)


def _tables(read: Sequence[Read], kept: Kept, about: str) -> list[Table]:
    images = [row for one in read for row in one.rows()]
    words = [(one.seen.target, word, count) for one in read for word, count in one.words.items()]
    made = (
        Table.of(kept.images, f"Images of {about} beside their prompts", IMAGE, images),
        Table.of(kept.words, f"Words of captions of {about} beyond the prompts", WORD, words),
    )
    return [table for table in made if table.rows]


def _hallucinations(one: Read, kept: Kept) -> list[Finding]:
    pairs = zip(one.seen.prompts, one.seen.captions, strict=True)
    old = float(np.mean([published(*pair) for pair in pairs]))
    columns = {
        "hallucination": (
            np.array([here.jaccard for here in one.each]),
            f"1 - Jaccard of prompt and caption as sets after mapping; {old:.3f} as released",
        ),
        "added_words": (
            np.array([here.added for here in one.each]),
            "share of the caption's words not asked for",
        ),
        "missing_words": (
            np.array([here.missed for here in one.each]),
            "share of the prompt's words not said",
        ),
    }
    return [_mean(name, one.seen.target, column, kept) for name, column in columns.items()]


def _mean(name: str, target: str, column: tuple[Float[ndarray, " n"], str], kept: Kept) -> Finding:
    values, method = column
    return Finding(
        metric=f"representation.{name}",
        concepts=(target,),
        direction=Direction.NONE,
        rows=kept.column(name, target),
        estimate=Estimate(
            value=float(values.mean()),
            unit=Unit.PROPORTION,
            n=len(values),
            resampling_unit=IMAGES,
            method=f"{method}; mean over images",
            interval=_interval(values),
            reason=_DESCRIBES,
        ),
    )


def _interval(values: Float[ndarray, " n"]) -> Interval | None:
    if len(values) < 2 or np.ptp(values) == 0:
        return None
    return cluster_interval(values, np.arange(len(values)), level=0.95).cut(0.0, 1.0)


def _diversity(one: Read, size: int, rng: np.random.Generator, kept: Kept) -> list[Finding]:
    counts, target = one.counts, one.seen.target
    whole = int(counts.sum())
    rarefied = rarefied_bias(counts, size, rng)
    said = (
        f"B_D of {size} words beyond the prompt, drawn from {whole}; {distribution_bias(counts):.2f} "
        "as published"
    )
    effective = "exp of the entropy of words beyond the prompt, corrected for unseen words (Chao-Shen)"
    rows = FromRows(
        table=kept.words, column="count", where={"target": target}, statistic=Statistic.EFFECTIVE_NUMBER
    )
    return [
        _number("distribution_bias", target, (rarefied, size, said), {"unkept": _DRAWN}),
        _number("effective_words", target, (hill(counts, 1), whole, effective), {"rows": rows}),
    ]


def _number(
    name: str, target: str, found: tuple[float, int, str], source: Mapping[str, FromRows | str]
) -> Finding:
    value, n, method = found
    estimate = Estimate(
        value=value, unit=Unit.ONE, n=n, resampling_unit="words", method=method, reason=_COUNTS
    )
    plain = Finding(
        metric=f"representation.{name}", concepts=(target,), direction=Direction.NONE, estimate=estimate
    )
    return plain.model_copy(update=dict(source))


def _missed(one: Seen, kept: Kept) -> Finding:
    method = "share of images that a blank text fits better than their prompt"
    rows = kept.column("missed", one.target)
    return share_of("representation.miss_rate", one.target, method, (sum(one.missed), len(one)), rows)
