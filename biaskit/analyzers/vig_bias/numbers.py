"""Numbers of groups and pairs as estimates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from biaskit.records.estimate import Estimate, Interval, Unit
from biaskit.stats.bootstrap import cluster_interval
from biaskit.stats.by_group import GroupMetric, GroupValue
from biaskit.stats.paired import mcnemar, paired_interval

IMAGES, CLUSTERS = "images", "clusters of images"
NOT_TESTED = "One group alone is not tested; the gap between groups is."


def group_value(value: GroupValue, unit_of: str) -> Estimate:
    """A metric in one group, with its own interval."""
    return Estimate(
        value=value.value,
        unit=Unit.PROPORTION,
        n=value.n,
        resampling_unit=unit_of,
        method="share of the group's images",
        interval=value.interval,
        reason=value.reason or NOT_TESTED,
    )


def group_gap(metric: GroupMetric, unit_of: str) -> Estimate:
    """Largest minus smallest group value, with the null of shuffled groups."""
    found = metric.difference
    by_chance = "" if found.by_chance is None else f"; {found.by_chance:.3f} with shuffled groups"
    return Estimate(
        value=found.value,
        unit=Unit.PROPORTION,
        n=sum(group.n for group in metric.groups),
        resampling_unit=unit_of,
        method=f"largest minus smallest of {len(metric.groups)} groups{by_chance}",
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


def paired_difference(
    one: Bool[ndarray, " n"], other: Bool[ndarray, " n"], clusters: Sequence[str], method: str
) -> Estimate:
    """How much more often `one` holds than `other`, of the same images.

    Clusters, where there are any, widen the interval; the test counts every image on its own and is then left
    out.
    """
    n = len(one)
    if not n:
        return nothing(Unit.PROPORTION, method, "There is no image to measure it on.")
    clustered = _clustered(one, other, clusters) if clusters else None
    return Estimate(
        value=float(one.mean() - other.mean()),
        unit=Unit.PROPORTION,
        n=len(set(clusters)) if clusters else n,
        resampling_unit=CLUSTERS if clusters else IMAGES,
        method=method,
        interval=clustered or paired_interval(one, other),
        null=None if clusters else mcnemar(one, other),
        reason="Images of one cluster are not independent, so a test of pairs does not hold."
        if clusters
        else None,
    )


def nothing(unit: Unit, method: str, reason: str) -> Estimate:
    """A number that could not be measured."""
    return Estimate(value=None, unit=unit, n=0, resampling_unit=IMAGES, method=method, reason=reason)


def codes(labels: Sequence[str]) -> tuple[Int[ndarray, " n"], tuple[str, ...]]:
    """Return the number of each label and the labels in the order of their numbers."""
    names, found = np.unique(np.array(labels), return_inverse=True)
    return found.astype(np.int64), tuple(map(str, names))


def _clustered(one: ndarray, other: ndarray, clusters: Sequence[str]) -> Interval | None:
    differences = one.astype(float) - other.astype(float)
    if len(set(clusters)) < 2 or not differences.std():
        return None
    return cluster_interval(differences, np.array(clusters))
