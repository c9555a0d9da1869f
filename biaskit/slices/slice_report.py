"""How much worse a classifier does on each slice, on images that the slices were not found on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, Shaped
from numpy import ndarray

from biaskit.records.estimate import Interval
from biaskit.slices.held_out import HeldOut
from biaskit.slices.slicer import Slices
from biaskit.stats.proportions import wilson
from biaskit.stats.unequal_clusters import clustered_statistic


@dataclass(frozen=True, slots=True)
class SliceFacts:
    """What is known of one slice; shares lie in [0, 1].

    Attributes:
        name: Name of the slice.
        size: Images that belong to it with a probability of at least a half.
        label: The commonest true class of its members; None without members.
        prediction: What the classifier says most often of those of this class.
        of_label: Members of this class: the ones that are compared.
        base_rate: Their share of the class.
        accuracy: Share of them that the classifier gets right.
        rest: Images of the class outside the slice.
        rest_accuracy: Share of those that it gets right.
        gap: `rest_accuracy - accuracy`, above 0 where the slice is worse; None where either side is empty.
        interval: Of the gap.
    """

    name: str
    size: int
    label: int | None = None
    prediction: int | None = None
    of_label: int = 0
    base_rate: float | None = None
    accuracy: float | None = None
    rest: int = 0
    rest_accuracy: float | None = None
    gap: float | None = None
    interval: Interval | None = None


def slice_report(slices: Slices, held_out: HeldOut) -> tuple[SliceFacts, ...]:
    """Report every slice on held-out images, in the order of `slices.names`.

    Members are recognised by embeddings and labels alone (see `HeldOut.members`). Those of other classes than
    the slice's commonest count in `size` only. Intervals are Newcombe's, or a jackknife's over clusters where
    the images have clusters.

    Args:
        slices: What was found on other images.
        held_out: The images.
    """
    members = held_out.members(slices).T
    return tuple(_facts(name, inside, held_out) for name, inside in zip(slices.names, members, strict=True))


def newcombe(worse: tuple[int, int], better: tuple[int, int], level: float = 0.95) -> Interval:
    """Interval of the difference of two independent proportions, second less first.

    Newcombe's hybrid score interval (1998, method 10) from the Wilson intervals of both; sound at 0 of n.

    Args:
        worse: Successes and n of the first.
        better: Successes and n of the second.
        level: Confidence level.
    """
    first, second = ((successes / n, wilson(successes, n, level)) for successes, n in (worse, better))
    return hybrid(first, second, "Newcombe")


def hybrid(worse: tuple[float, Interval], better: tuple[float, Interval], method: str) -> Interval:
    """Interval of the difference of two shares, second less first, from each with its own interval.

    Its ends lie `sqrt((p2 - low2)^2 + (high1 - p1)^2)` below and `sqrt((high2 - p2)^2 + (p1 - low1)^2)` above
    the difference (Newcombe 1998).
    """
    (first, one), (second, other) = worse, better
    down = np.hypot(second - other.low, one.high - first)
    up = np.hypot(other.high - second, first - one.low)
    gap = second - first
    return Interval(
        low=max(-1.0, gap - float(down)), high=min(1.0, gap + float(up)), level=one.level, method=method
    )


def _facts(name: str, inside: Bool[ndarray, " n"], held_out: HeldOut) -> SliceFacts:
    mine, others = held_out.sides(inside)
    there, away = int(mine.sum()), int(others.sum())
    if not there:
        return SliceFacts(name, 0)
    said, right = held_out.said, held_out.said.errors == 0
    accuracy, rest = float(right[mine].mean()), float(right[others].mean()) if away else None
    return SliceFacts(
        name=name,
        size=int(inside.sum()),
        label=int(said.labels[mine][0]),
        prediction=int(np.bincount(said.predictions[mine]).argmax()),
        of_label=there,
        base_rate=there / (there + away),
        accuracy=accuracy,
        rest=away,
        rest_accuracy=rest,
        gap=None if rest is None else rest - accuracy,
        interval=_interval(mine, others, held_out) if away else None,
    )


def _interval(mine: Bool[ndarray, " n"], others: Bool[ndarray, " n"], held_out: HeldOut) -> Interval | None:
    right = held_out.said.errors == 0
    if held_out.clusters is not None:
        return _clustered(right, mine, others, held_out.clusters)
    worse, better = ((int(right[rows].sum()), int(rows.sum())) for rows in (mine, others))
    return newcombe(worse, better)


def _clustered(
    right: Bool[ndarray, " n"],
    mine: Bool[ndarray, " n"],
    others: Bool[ndarray, " n"],
    clusters: Shaped[ndarray, " n"],
) -> Interval | None:
    """Interval of the gap over clusters; None where one cluster holds a side, or nothing varies."""
    rows = np.flatnonzero(mine | others)
    if len(np.unique(clusters[rows])) < 2:
        return None

    def gap(drawn: Int[ndarray, " m"]) -> float:
        picked = rows[drawn]
        slice_rows, rest_rows = picked[mine[picked]], picked[others[picked]]
        if not len(slice_rows) or not len(rest_rows):
            return float("nan")
        return float(right[rest_rows].mean() - right[slice_rows].mean())

    found = clustered_statistic(gap, clusters[rows])
    return found.interval(0.95) if found is not None and found.error else None
