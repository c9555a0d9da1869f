"""One number of a benchmark as the mean of contributions of its items, with the unit that was sampled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy import ndarray

from biaskit.records.estimate import UNTESTED, Estimate, Interval, Null, Unit
from biaskit.records.finding import Direction, Evidence, Finding, FromRows
from biaskit.records.table import Cell
from biaskit.stats.measured import effective_rows
from biaskit.stats.multiplicity import benjamini_hochberg
from biaskit.stats.paired import sign_flip
from biaskit.stats.power import minimum_detectable_effect
from biaskit.stats.proportions import wilson
from biaskit.stats.unequal_clusters import clustered_mean

FEWEST_CLUSTERS, FEW_CLUSTERS = 5, 20
LEVEL = 0.95
EVIDENCE_ROWS = 10
ITEMS = "items"
ITEM_COLUMNS = {
    "benchmark": "The benchmark.",
    "metric": "The metric, without the analyzer's name.",
    "group": "Which part of the benchmark.",
    "cluster": "What the item was sampled with.",
    "item": "Number of the item, with a checksum of its text where it has one.",
    "value": "What the item contributes; their mean is the number.",
}
NO_NEUTRAL = "no null: it has no neutral value"


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """A mean over items that were sampled in clusters.

    Attributes:
        metric: Name of the metric, without the analyzer's.
        rows: Contribution of each item; their mean is the value.
        clusters: The cluster of each item, such as its template; items of one stand or fall together.
        sampled: What the clusters are, in the plural.
        method: How the number is computed, one phrase.
        unit: Unit of the rows.
        direction: Which way is fairer.
        neutral: Value of a model without bias; None where there is none to be tested against.
        bounds: Least and largest contribution; None where it has no bounds.
        group: Which part of the benchmark.
        texts: The text of each item, for evidence.
        strength: What ranks the items as evidence; None for the distance from the neutral value.
        headline: Whether it belongs on the first page.
    """

    metric: str
    rows: Float[ndarray, " n"]
    clusters: Shaped[ndarray, " n"]
    sampled: str
    method: str
    unit: Unit = Unit.PROPORTION
    direction: Direction = Direction.TOWARD_HALF
    neutral: float | None = 0.5
    bounds: tuple[float, float] | None = (0.0, 1.0)
    group: str = "all"
    texts: Sequence[str] = ()
    strength: Float[ndarray, " n"] | None = None
    headline: bool = False

    @property
    def count(self) -> int:
        """How many clusters there are."""
        return int(np.unique(self.clusters).size)

    def part(self, group: str, kept: Shaped[ndarray, " n"]) -> Score:
        """The same over some of the items, as a group that is no headline."""
        return replace(
            self,
            group=group,
            rows=self.rows[kept],
            clusters=self.clusters[kept],
            texts=[text for text, keep in zip(self.texts, kept, strict=True) if keep] if self.texts else (),
            strength=None if self.strength is None else self.strength[kept],
            headline=False,
        )


def estimate(score: Score, rng: np.random.Generator) -> Estimate:
    """Return the mean of a score's rows with interval, null and what the design can see.

    Interval: two-valued rows have Wilson's at the effective number of rows; others the t interval of a
    jackknife over clusters, cut at the bounds; rows that are all alike, where nothing shows the spread, the
    range that a share of odd rows of at most Wilson's upper end at 0 of k clusters leaves. Null: the signs of
    the clusters' sums about the neutral value flipped. Below five clusters neither is given.
    """
    n, k = score.rows.size, score.count
    shared = {"unit": score.unit, "n": k, "resampling_unit": score.sampled, "method": score.method}
    if not n:
        return Estimate(value=None, reason="no item counts", **shared)
    value = float(score.rows.mean())
    if k < FEWEST_CLUSTERS:
        reason = f"{UNTESTED} {k} {score.sampled} are fewer than the {FEWEST_CLUSTERS} an interval needs"
        return Estimate(value=value, reason=reason, **shared)
    interval = _interval(score)
    null = None if score.neutral is None else sign_flip(score.rows - score.neutral, score.clusters, rng)
    reasons = [] if interval else ["every item gives the same number, which says nothing about the spread"]
    reasons += [] if null else [NO_NEUTRAL]
    return Estimate(
        value=value,
        interval=interval,
        null=null,
        minimum_detectable_effect=_smallest(score),
        reason="; ".join(reasons) or None,
        **shared,
    )


def finding(score: Score, rng: np.random.Generator, concept: str) -> Finding:
    """Return a score as a finding about `concept`, with the items that move it most."""
    return Finding(
        metric=f"behaviour.{score.metric}",
        concepts=(concept,),
        group=score.group,
        direction=score.direction,
        headline=score.headline,
        estimate=estimate(score, rng),
        evidence=_evidence(score),
        rows=FromRows(table=ITEMS, column="value", where=_about(score, concept), units=("cluster", "item")),
    )


def item_rows(scores: Sequence[Score], concept: str) -> Iterator[tuple[Cell, ...]]:
    """Yield one row for each item of each score, so that each mean can be taken again."""
    for score in scores:
        for place, (value, cluster) in enumerate(zip(score.rows, score.clusters, strict=True)):
            text = f":{crc32(score.texts[place].encode()):08x}" if score.texts else ""
            yield (*_about(score, concept).values(), str(cluster), f"{place}{text}", float(value))


def _about(score: Score, concept: str) -> dict[str, Cell]:
    return {"benchmark": concept, "metric": score.metric, "group": score.group}


def family(findings: Sequence[Finding], what: str) -> tuple[Finding, ...]:
    """Correct the p-values of one metric's parts for their number (Benjamini and Hochberg)."""
    nulls = [one.estimate.null for one in findings if one.estimate.null is not None]
    if len(nulls) < 2:
        return tuple(findings)
    adjusted = iter(benjamini_hochberg(np.array([null.p for null in nulls])))
    correction = f"Benjamini-Hochberg over {len(nulls)} {what}"
    return tuple(
        one if one.estimate.null is None else _corrected(one, one.estimate.null, next(adjusted), correction)
        for one in findings
    )


def _corrected(one: Finding, null: Null, adjusted: float, correction: str) -> Finding:
    told = null.model_copy(update={"adjusted": float(adjusted), "correction": correction})
    return one.model_copy(update={"estimate": one.estimate.model_copy(update={"null": told})})


def _interval(score: Score) -> Interval | None:
    rows, bounds = score.rows, score.bounds
    if np.ptp(rows) == 0:
        return None if bounds is None else _all_alike(float(rows[0]), bounds, score)
    if bounds is None:
        return clustered_mean(rows, score.clusters).interval(LEVEL)
    low, high = bounds
    if _two_valued(score):
        share = clustered_mean((rows - low) / (high - low), score.clusters).share_interval(LEVEL)
        ends = {"low": low + (high - low) * share.low, "high": low + (high - low) * share.high}
        return share.model_copy(update=ends)
    return clustered_mean(rows, score.clusters).interval(LEVEL).cut(low, high)


def _two_valued(score: Score) -> bool:
    return score.bounds is not None and bool(np.isin(score.rows, score.bounds).all())


def _all_alike(value: float, bounds: tuple[float, float], score: Score) -> Interval:
    odd = wilson(0, score.count, LEVEL).high
    return Interval(
        low=value - odd * (value - bounds[0]),
        high=value + odd * (bounds[1] - value),
        level=LEVEL,
        method=(
            f"all items alike, {bounds[0]:g} to {bounds[1]:g}: "
            f"Wilson's upper end at 0 of {score.count} clusters"
        ),
    )


def _smallest(score: Score) -> float | None:
    """Smallest departure from the neutral value seen with power 0.8; a share has its error at that value."""
    found = clustered_mean(score.rows, score.clusters)
    if score.bounds is None or score.neutral is None or not _two_valued(score):
        error = found.error
    else:
        low, high = score.bounds
        share = (score.neutral - low) / (high - low)
        rows = effective_rows((score.rows - low) / (high - low), score.clusters)
        error = float((high - low) * np.sqrt(share * (1 - share) / rows))
    return minimum_detectable_effect(error, df=found.freedom) if error else None


def _evidence(score: Score) -> tuple[Evidence, ...]:
    if not score.texts:
        return ()
    centre = score.neutral if score.neutral is not None else float(score.rows.mean())
    ranked = abs(score.rows - centre) if score.strength is None else abs(score.strength)
    order: Int[ndarray, " k"] = np.argsort(-ranked, kind="stable")[:EVIDENCE_ROWS]
    return tuple(
        Evidence(text=score.texts[i], value=float(score.rows[i]), template=str(score.clusters[i]))
        for i in order
    )


def few(scores: Sequence[Score]) -> tuple[str, ...]:
    """Say where an interval rests on so few clusters that it is rough."""
    return tuple(
        f"{one.metric}, {one.group}: {one.count} {one.sampled} are few; its interval is rough."
        for one in scores
        if FEWEST_CLUSTERS <= one.count < FEW_CLUSTERS
    )
