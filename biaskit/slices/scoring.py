"""Do slices match groups that are known? Precision of the top members, beside what chance would give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy import stats
from sklearn.metrics import average_precision_score

from biaskit.errors import RequestError
from biaskit.records.estimate import Interval

FOUND = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class PrecisionAtK:
    """How pure the top k members of slices are; one entry for each true group.

    Attributes:
        values: Best precision of any slice, in [0, 1].
        slices: The slice that reaches it.
        table: Precision of every slice (rows) for every group (columns).
        members: How many images belong to each slice at all; slices with fewer than k cannot reach 1 where
            k is divided by.
        base_rates: Share of the group among all images.
        class_rates: Share of the group among the images of its class.
        chance: Mean of the best precision of as many slices if each ranked the images of the class at random.
        bands: Where that best precision lies by chance, at the level 0.95.
        k: Members that count.
        divided_by: Whether hits were divided by k or by the members that there are.
    """

    values: Float[ndarray, " g"]
    slices: Int[ndarray, " g"]
    table: Float[ndarray, "s g"]
    members: Int[ndarray, " s"]
    base_rates: Float[ndarray, " g"]
    class_rates: Float[ndarray, " g"]
    chance: Float[ndarray, " g"]
    bands: tuple[Interval, ...]
    k: int
    divided_by: Literal["k", "members"]

    @property
    def mean(self) -> float:
        """Mean over groups: the published score."""
        return float(self.values.mean())

    def coverage(self, at: float = FOUND) -> float:
        """Share of the groups that some slice finds with at least this precision."""
        return float((self.values >= at).mean())


def precision_at_k(
    membership: Float[ndarray, "n s"],
    truth: Bool[ndarray, "n g"],
    labels: Int[ndarray, " n"],
    k: int = 10,
    divided_by: Literal["k", "members"] = "k",
) -> PrecisionAtK:
    """Best precision of the k strongest members over slices, for every true group (Yenamandra et al. 2023).

        precision(s, g) = |{top k of s} in g| / k,    score(g) = max_s precision(s, g)

    An image with membership 0 is no member. Among equal memberships every order is as good: hits are
    expectations over them. Chance is the maximum of independent hypergeometric draws from the class.

    Args:
        membership: Images x slices, larger is stronger.
        truth: Images x groups; every group lies in one class (else the commonest class counts as its class).
        labels: Class of each image.
        k: Members that count.
        divided_by: Divide by k (published), or by the members where a slice has fewer than k.

    Raises:
        RequestError: k is not positive, a group is empty, or there are no slices or groups.
    """
    if k < 1 or not membership.shape[1] or not truth.any(axis=0).all() or not truth.shape[1]:
        raise RequestError(
            f"Precision at {k} needs k of at least 1, a slice, and an image in each of the true groups."
        )
    members = (membership > 0).sum(axis=0)
    hits = np.stack([_top_hits(column, truth, k) for column in membership.T])
    divisor = np.full(len(members), k) if divided_by == "k" else np.clip(members, 1, k)
    table = hits / divisor[:, None]
    draws = [_chance(truth[:, g], labels, k, len(members)) for g in range(truth.shape[1])]
    return PrecisionAtK(
        values=table.max(axis=0),
        slices=table.argmax(axis=0),
        table=table,
        members=members,
        base_rates=truth.mean(axis=0),
        class_rates=np.array([rate for rate, *_ in draws]),
        chance=np.array([mean for _, mean, _ in draws]),
        bands=tuple(band for *_, band in draws),
        k=k,
        divided_by=divided_by,
    )


def average_precision(
    membership: Float[ndarray, "n s"], truth: Bool[ndarray, "n g"]
) -> Float[ndarray, "s g"]:
    """Average precision of every slice's ranking for every group, in [0, 1]; chance is the group's share."""
    return np.array(
        [[average_precision_score(group, column) for group in truth.T] for column in membership.T]
    )


def top_places(column: Float[ndarray, " n"], k: int) -> list[Int[ndarray, " _"]]:
    """Return for each of the k places of a slice the images that may hold it, strongest first.

    One image a place, but for equal memberships: those that tie for the last places are as likely to hold
    any of them. A place that no member is left for is empty.
    """
    rows = np.flatnonzero(column > 0)
    ranked = rows[np.argsort(-column[rows], kind="stable")]
    if len(ranked) <= k:
        return [*ranked[:, None], *([ranked[:0]] * (k - len(ranked)))]
    tied = ranked[column[ranked] == column[ranked[k - 1]]]
    above = ranked[column[ranked] > column[ranked[k - 1]]]
    return [*above[:, None], *([tied] * (k - len(above)))]


def _top_hits(column: Float[ndarray, " n"], truth: Bool[ndarray, "n g"], k: int) -> Float[ndarray, " g"]:
    """Expected images of each group among the top k, ties in random order."""
    rows = np.flatnonzero(column > 0)
    if len(rows) <= k:
        return np.asarray(truth[rows].sum(axis=0), dtype=float)
    least = np.partition(column[rows], -k)[-k]
    above, tied = rows[column[rows] > least], rows[column[rows] == least]
    return np.asarray(truth[above].sum(axis=0) + truth[tied].mean(axis=0) * (k - len(above)))


def _chance(
    group: Bool[ndarray, " n"], labels: Int[ndarray, " n"], k: int, slices: int
) -> tuple[float, float, Interval]:
    """The group's share of its class; mean and band of the best precision by chance."""
    inside = labels == np.bincount(labels[group]).argmax()
    size, there = int(inside.sum()), int((group & inside).sum())
    drawn = min(k, size)
    # P(best <= h) of independent slices is the power of P(one <= h).
    below = stats.hypergeom(size, there, drawn).cdf(np.arange(drawn + 1)) ** slices
    mean = float((1 - below[:-1]).sum()) / k
    low, high = (int(np.searchsorted(below, tail)) / k for tail in (0.025, 0.975))
    method = f"best of {slices} slices that rank the class at random"
    return there / size, mean, Interval(low=low, high=high, level=0.95, method=method)
