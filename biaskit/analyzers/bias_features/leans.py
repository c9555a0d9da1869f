"""How the model leans: the share of each group in what it draws for each target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy import stats

from biaskit.analyzers.bias_features.measured import share_rows
from biaskit.errors import RequestError
from biaskit.records.estimate import Estimate, Null, Unit
from biaskit.records.finding import Direction, Finding
from biaskit.stats.multiplicity import holm
from biaskit.stats.proportions import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

LEVEL = 0.05
IMAGES = "images"


@dataclass(frozen=True, slots=True, eq=False)
class Leans:
    """Counts of groups by target, tested against a tolerated distance from equal shares.

    Attributes:
        targets: Names of the targets.
        groups: Names of the groups.
        counts: Images of each target that show each group.
        tolerated: How far a share may be from equal.
    """

    targets: tuple[str, ...]
    groups: tuple[str, ...]
    counts: Int[ndarray, "t g"]
    tolerated: float

    @property
    def shares(self) -> Float[ndarray, "t g"]:
        """Share of each group."""
        return np.asarray(self.counts / self.counts.sum(axis=1, keepdims=True))

    @property
    def p(self) -> Float[ndarray, "t g"]:
        """Exact binomial p of `|share - 1/G| <= tolerated`, both sides."""
        equal = 1 / len(self.groups)
        low, high = max(equal - self.tolerated, 0.0), min(equal + self.tolerated, 1.0)
        n = self.counts.sum(axis=1, keepdims=True)
        above = stats.binom.sf(self.counts - 1, n, high)
        below = stats.binom.cdf(self.counts, n, low)
        return np.asarray(np.minimum(1.0, 2 * np.minimum(above, below)))

    @property
    def adjusted(self) -> Float[ndarray, "t g"]:
        """The same, corrected by Holm over all targets and groups that are independent of each other."""
        columns = 1 if len(self.groups) == 2 else len(self.groups)
        flat = holm(self.p[:, :columns].ravel()).reshape(-1, columns)
        return flat if columns > 1 else np.repeat(flat, 2, axis=1)

    def widest(self) -> tuple[int, int] | None:
        """Return the target that leans most beyond what is tolerated, and its rarest group, or None."""
        leaning = (self.adjusted <= LEVEL).any(axis=1)
        if not leaning.any():
            return None
        away = np.where(leaning, np.abs(self.shares - 1 / len(self.groups)).max(axis=1), -1.0)
        target = int(away.argmax())
        return target, int(self.shares[target].argmin())

    def findings(self, title: str) -> list[Finding]:
        """Return one finding a target and group of a comparison; of two groups the first alone."""
        columns = 1 if len(self.groups) == 2 else len(self.groups)
        return [
            self._finding(title, row, column) for row in range(len(self.targets)) for column in range(columns)
        ]

    def _finding(self, title: str, row: int, column: int) -> Finding:
        count, n = int(self.counts[row, column]), int(self.counts[row].sum())
        tests = self.adjusted.size if len(self.groups) > 2 else len(self.targets)
        return Finding(
            metric="bias_features.share",
            concepts=(self.targets[row],),
            group=self.groups[column],
            direction=Direction.NONE,
            headline=True,
            rows=share_rows(title, self.targets[row], self.groups[column]),
            estimate=Estimate(
                value=count / n,
                unit=Unit.PROPORTION,
                n=n,
                resampling_unit=IMAGES,
                method=f"share of drawn images that the classifier takes for '{self.groups[column]}'",
                interval=wilson(count, n),
                null=Null(
                    p=float(self.p[row, column]),
                    kind=f"a share within {self.tolerated:g} of {1 / len(self.groups):.3g}, exact binomial",
                    adjusted=float(self.adjusted[row, column]),
                    correction=f"Holm over {tests} shares",
                ),
            ),
        )


def leans_of(
    targets: Sequence[str],
    groups: Sequence[str],
    owners: Sequence[str],
    labels: Int[ndarray, " n"],
    tolerated: float,
) -> Leans:
    """Count the groups of each target's images."""
    counts = np.zeros((len(targets), len(groups)), dtype=int)
    for owner, label in zip(owners, labels.tolist(), strict=True):
        counts[targets.index(owner), label] += 1
    return Leans(tuple(targets), tuple(groups), counts, tolerated)


def require_enough(each: int, half_width: float) -> None:
    """Refuse a number of images that cannot give the interval that is asked for.

    Raises:
        RequestError: Says how many images would.
    """

    def reach(n: int) -> float:
        found = wilson(n // 2, n)
        return (found.high - found.low) / 2

    if each < 1 or reach(each) > half_width:
        needed = next(n for n in range(1, 100_000) if reach(n) <= half_width)
        raise RequestError(
            f"{each} images a target give no interval of +- {half_width:g} around a share.",
            why=f"That takes {needed} images a target.",
            fix="Raise traced, name fewer targets, or accept a wider interval (half_width).",
        )
