"""Groups that are known, where attributes are: do slices find the rare ones?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool
from numpy import ndarray
from scipy import stats

from biaskit.analyzers.vig_bias.looking import GROUNDED, RAW
from biaskit.analyzers.vig_bias.strongest import strongest_name
from biaskit.records.estimate import Estimate, Interval, Unit
from biaskit.records.finding import Direction, Finding, FromRows
from biaskit.slices.scoring import PrecisionAtK, precision_at_k

if TYPE_CHECKING:
    from biaskit.analyzers.vig_bias.discovery import Discovered
    from biaskit.images.image_set import ImageSet

K = 10
TRIVIAL = 0.95
_CLEARLY, _BY_CHANCE = 0.8, 1e-3
CONFIDENCE = "confidence-ranking"


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The groups that slices should find, for one attribute.

    Attributes:
        attribute: Name of the attribute.
        names: The groups, `seven, blue`.
        members: Held-out images x groups.
        rule: Which groups these are, in words.
    """

    attribute: str
    names: tuple[str, ...]
    members: Bool[ndarray, "n g"]
    rule: str


def truths(images: ImageSet, held: ndarray, train: ndarray | None) -> Iterator[Truth]:
    """Yield for each attribute the groups class x value that are rare in training.

    An attribute that is spread evenly over the classes in training plants nothing and is left out; where
    there are no training images every group counts.
    """
    for name, cells in images.attributes.items():
        pairs = [(images.labels[row], cells[row]) for row in held]
        values = {value for _, value in pairs if value}
        if len(values) < 2:
            continue
        known = (
            None if train is None else _rare([(images.labels[row], cells[row]) for row in train], len(values))
        )
        kept = sorted({pair for pair in pairs if pair[1] and (known is None or pair in known)})
        rule = (
            "every class and value" if known is None else "class and value that are rare together in training"
        )
        if kept:
            members = np.array([[pair == group for group in kept] for pair in pairs])
            yield Truth(name, tuple(", ".join(group) for group in kept), members, rule)


def _rare(pairs: Sequence[tuple[str, str]], values: int) -> set[tuple[str, str]]:
    """Return the pairs with clearly less than an even share of their class, more so than by chance."""
    counts, classes = Counter(pairs), Counter(label for label, value in pairs if value)
    seen = {(label, value) for label in classes for _, value in pairs if value}
    return {pair for pair in seen if _is_rare(counts[pair], classes[pair[0]], 1 / values)}


def _is_rare(count: int, size: int, even: float) -> bool:
    return count / size < _CLEARLY * even and float(stats.binom.cdf(count, size, even)) < _BY_CHANCE


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """How well one method in one view finds the known groups.

    Attributes:
        found: The method and the view.
        precision: Precision of the ten strongest members, beside chance.
    """

    found: Discovered
    precision: PrecisionAtK


def score(found: Sequence[Discovered], truth: Truth, labels: ndarray) -> list[Scored]:
    """Score every method in every view against the groups that are known."""
    return [
        Scored(one, precision_at_k(one.membership, truth.members, labels, K))
        for one in found
        if one.membership.shape[1]
    ]


def precision_findings(name: str, truth: Truth, scored: Sequence[Scored]) -> Iterator[Finding]:
    """Yield the precision of each method in each view, and what grounding gains."""
    for one in scored:
        yield Finding(
            metric="vig_bias.precision_at_10",
            concepts=(name, truth.attribute),
            group=f"{one.found.method} on {one.found.view} images",
            direction=Direction.NONE,
            estimate=_precision(one.precision, truth),
            rows=_rows(name, truth, one.found.method, one.found.view),
        )
    by_place = {(one.found.method, one.found.view): one.precision for one in scored}
    for method in dict.fromkeys(method for method, view in by_place if view == GROUNDED):
        yield from _gains(name, truth, method, by_place)


def _gains(
    name: str, truth: Truth, method: str, by_place: Mapping[tuple[str, str], PrecisionAtK]
) -> Iterator[Finding]:
    grounded = by_place[method, GROUNDED]
    for other in dict.fromkeys(view for asked, view in by_place if asked == method and view != GROUNDED):
        what = "the whole image" if other == RAW else f"the {other} mask"
        yield Finding(
            metric="vig_bias.grounding_gain",
            concepts=(name, truth.attribute),
            group=f"{method}, against {what}",
            direction=Direction.NONE,
            headline=other == RAW,
            estimate=_difference(grounded.values - by_place[method, other].values, truth),
            rows=_rows(name, truth, method, GROUNDED, other),
        )


def _rows(name: str, truth: Truth, method: str, view: str, less: str = "") -> FromRows:
    """Say which places a precision is the mean over; they are no sample, and so no units."""
    return FromRows(
        table=strongest_name(name),
        column=view,
        where={"attribute": truth.attribute, "method": method},
        less=less,
    )


def _precision(precision: PrecisionAtK, truth: Truth) -> Estimate:
    rate, chance = float(precision.class_rates.mean()), float(precision.chance.mean())
    return Estimate(
        value=precision.mean,
        unit=Unit.PROPORTION,
        n=len(precision.values),
        resampling_unit="known groups",
        method=f"mean over {truth.rule} of the best slice's precision among its {K} strongest members; "
        f"base rate {rate:.2f}, best by chance {chance:.2f}",
        interval=_over_groups(precision.values),
        reason="The groups are those that there are; chance stands in the method.",
    )


def _difference(differences: ndarray, truth: Truth) -> Estimate:
    return Estimate(
        value=float(differences.mean()),
        unit=Unit.PROPORTION,
        n=len(differences),
        resampling_unit="known groups",
        method=f"difference of precision at {K}, mean over {truth.rule}",
        interval=_over_groups(differences, low=-1.0),
        reason="Groups of one data set are few and alike; the interval over them is the evidence there is.",
    )


def _over_groups(values: ndarray, low: float = 0.0) -> Interval | None:
    """Return the t interval of a mean over groups; None where they are alike or alone."""
    if len(values) < 3 or not values.std():
        return None
    half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    mean = float(values.mean())
    return Interval(
        low=max(low, mean - half),
        high=min(1.0, mean + half),
        level=0.95,
        method="t over known groups",
        degrees_of_freedom=len(values) - 1,
    )


def warning(truth: Truth, scored: Sequence[Scored]) -> str | None:
    """Say where ranking by confidence alone finds everything, so that precision says nothing."""
    trivial = next((one.precision.mean for one in scored if one.found.method == CONFIDENCE), None)
    if trivial is None or trivial < TRIVIAL:
        return None
    return (
        f"Ranking the images of a class by confidence alone finds the groups of '{truth.attribute}' at "
        f"precision {trivial:.2f}: here a high precision says nothing about embeddings or masks."
    )
