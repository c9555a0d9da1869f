"""What captions add to prompts: hallucination, miss rate and diversity of words, at equal sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from biaskit.analyzers.representation.fidelity import fidelity
from biaskit.analyzers.representation.numbers import IMAGES, share_of
from biaskit.images.caption_words import beyond, hallucination, published
from biaskit.records.estimate import Estimate, Interval, Unit
from biaskit.records.finding import Direction, Finding
from biaskit.stats.bootstrap import cluster_interval
from biaskit.stats.diversity import distribution_bias, hill, rarefied_bias

if TYPE_CHECKING:
    from biaskit.analyzers.representation.seeing import Seen
    from biaskit.session import DiffusionSession

_DESCRIBES = "It describes the images; there is nothing that it is tested against."
_COUNTS = "Words of one caption come together, so no interval is given; sizes are equal instead."


def caption_findings(seen: Sequence[Seen], session: DiffusionSession) -> list[Finding]:
    """Return what captions say, for the targets all of whose images have one, and the miss rate."""
    captioned = [one for one in seen if one.captions and len(one.captions) == len(one)]
    counts = {one.target: _counts(one) for one in captioned}
    size = min((int(each.sum()) for each in counts.values() if each.sum()), default=0)
    rng = session.rng("representation/captions")
    found = [each for one in captioned for each in _hallucinations(one)]
    for target, table in counts.items():
        if size and table.sum():
            found += _diversity(target, table, size, rng)
    return [*found, *(_missed(one) for one in seen if one.missed), *fidelity(seen, session)]


def _counts(one: Seen) -> Int[ndarray, " m"]:
    return np.array(list(beyond(one.prompts, one.captions).values()), dtype=np.int64)


def _hallucinations(one: Seen) -> list[Finding]:
    pairs = list(zip(one.prompts, one.captions, strict=True))
    each = [hallucination(*pair) for pair in pairs]
    old = float(np.mean([published(*pair) for pair in pairs]))
    columns = {
        "hallucination": (
            np.array([here.jaccard for here in each]),
            f"1 - Jaccard of prompt and caption as sets after mapping; {old:.3f} as released",
        ),
        "added_words": (
            np.array([here.added for here in each]),
            "share of the caption's words not asked for",
        ),
        "missing_words": (np.array([here.missed for here in each]), "share of the prompt's words not said"),
    }
    return [_mean(f"representation.{name}", one.target, *column) for name, column in columns.items()]


def _mean(metric: str, target: str, values: Float[ndarray, " n"], method: str) -> Finding:
    return Finding(
        metric=metric,
        concepts=(target,),
        direction=Direction.NONE,
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
    found = cluster_interval(values, np.arange(len(values)), level=0.95)
    return found.model_copy(update={"low": max(found.low, 0.0), "high": min(found.high, 1.0)})


def _diversity(target: str, table: Int[ndarray, " m"], size: int, rng: np.random.Generator) -> list[Finding]:
    whole = int(table.sum())
    rarefied = rarefied_bias(table, size, rng)
    said = (
        f"B_D of {size} words beyond the prompt, drawn from {whole}; {distribution_bias(table):.2f} "
        "as published"
    )
    return [
        _number("representation.distribution_bias", target, rarefied, size, said),
        _number(
            "representation.effective_words",
            target,
            hill(table, 1),
            whole,
            "exp of the entropy of words beyond the prompt, corrected for unseen words (Chao-Shen)",
        ),
    ]


def _number(metric: str, target: str, value: float, n: int, method: str) -> Finding:
    return Finding(
        metric=metric,
        concepts=(target,),
        direction=Direction.NONE,
        estimate=Estimate(
            value=value, unit=Unit.ONE, n=n, resampling_unit="words", method=method, reason=_COUNTS
        ),
    )


def _missed(one: Seen) -> Finding:
    method = "share of images that a blank text fits better than their prompt"
    return share_of("representation.miss_rate", one.target, method, sum(one.missed), len(one))
