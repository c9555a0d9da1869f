"""Numbers of groups and pairs as estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from biaskit.records.estimate import Estimate, Interval, Unit
from biaskit.stats.bootstrap import cluster_interval
from biaskit.stats.by_group import GroupMetric, GroupValue
from biaskit.stats.disparity import Disparity
from biaskit.stats.paired import mcnemar, paired_interval, sign_flip

IMAGES, CLUSTERS = "images", "clusters of images"
NOT_TESTED = "One group alone is not tested; the gap between groups is."


def group_value(value: GroupValue, unit_of: str) -> Estimate:
    """A metric in one group, with its own interval."""
    return Estimate(
        value=value.value,
        unit=Unit.PROPORTION,
        n=value.n,
        resampling_unit=unit_of,
        method="mean over the group's images",
        interval=value.interval,
        reason=value.reason or NOT_TESTED,
    )


def group_gap(metric: GroupMetric, unit_of: str) -> Estimate:
    """Largest minus smallest group value, with the null of shuffled groups."""
    return _of_groups(metric, metric.difference, "largest minus smallest", Unit.PROPORTION, unit_of)


def group_ratio(metric: GroupMetric, unit_of: str) -> Estimate:
    """Smallest over largest group value, with an interval that holds after picking; 1 is no disparity."""
    return _of_groups(metric, metric.ratio, "smallest over largest", Unit.ONE, unit_of)


def _of_groups(metric: GroupMetric, found: Disparity, what: str, unit: Unit, unit_of: str) -> Estimate:
    by_chance = "" if found.by_chance is None else f"; {found.by_chance:.3f} with shuffled groups"
    return Estimate(
        value=found.value,
        unit=unit,
        n=sum(group.n for group in metric.groups),
        resampling_unit=unit_of,
        method=f"{what} of {len(metric.groups)} groups{by_chance}",
        interval=found.interval,
        null=found.null,
        reason=found.reason or (None if found.interval and found.null else "There is too little to compare."),
    )


def worst_group(metric: GroupMetric, unit_of: str) -> Estimate:
    """The lowest group value, with an interval for the lowest of the true values."""
    found = metric.worst
    n = next((group.n for group in metric.groups if group.group == found.group), 0)
    return Estimate(
        value=found.value,
        unit=Unit.PROPORTION,
        n=n,
        resampling_unit=unit_of,
        method=f"lowest of {len(metric.groups)} groups",
        interval=found.interval,
        reason=found.reason or "The worst of several groups is tested by the gap between them.",
    )


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """What was sampled, and what its tests draw from.

    Attributes:
        clusters: The cluster of each image; empty: each image alone.
        rng: Source of the tests' draws.
    """

    clusters: Sequence[str]
    rng: np.random.Generator

    def take(self, rows: Int[ndarray, " m"]) -> Sampled:
        """Return the same for some images."""
        return Sampled([self.clusters[row] for row in rows.tolist()] if self.clusters else (), self.rng)


def paired_difference(
    one: Bool[ndarray, " n"], other: Bool[ndarray, " n"], sampled: Sampled, method: str
) -> Estimate:
    """How much more often `one` holds than `other`, of the same images."""
    n, clusters = len(one), sampled.clusters
    if not n:
        return nothing(Unit.PROPORTION, method, "There is no image to measure it on.")
    differences = one.astype(float) - other.astype(float)
    clustered = _clustered(differences, clusters) if clusters else None
    return Estimate(
        value=float(differences.mean()),
        unit=Unit.PROPORTION,
        n=len(set(clusters)) if clusters else n,
        resampling_unit=CLUSTERS if clusters else IMAGES,
        method=method,
        interval=clustered or paired_interval(one, other),
        null=sign_flip(differences, np.array(clusters), sampled.rng) if clusters else mcnemar(one, other),
    )


def nothing(unit: Unit, method: str, reason: str) -> Estimate:
    """A number that could not be measured."""
    return Estimate(value=None, unit=unit, n=0, resampling_unit=IMAGES, method=method, reason=reason)


def codes(labels: Sequence[str]) -> tuple[Int[ndarray, " n"], tuple[str, ...]]:
    """Return the number of each label and the labels in the order of their numbers."""
    names, found = np.unique(np.array(labels), return_inverse=True)
    return found.astype(np.int64), tuple(map(str, names))


def _clustered(differences: Float[ndarray, " n"], clusters: Sequence[str]) -> Interval | None:
    if len(set(clusters)) < 2 or not differences.std():
        return None
    return cluster_interval(differences, np.array(clusters))
