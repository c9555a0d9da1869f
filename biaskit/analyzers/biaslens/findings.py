"""The findings of one measured reading, and where inside, behaviour and cause disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.analyzers.biaslens.estimates import (
    Basis,
    evidence,
    plain_estimate,
    share_estimate,
    target_estimates,
)
from biaskit.analyzers.biaslens.long_table import ITEM, PARTS, averaged, from_cells, part_of, part_rows
from biaskit.analyzers.biaslens.measured import squares
from biaskit.records.estimate import Estimate, Interval, Null, Unit
from biaskit.records.finding import Direction, Finding, FromRows, Statistic
from biaskit.stats.bootstrap import cluster_interval
from biaskit.stats.correlation import slope_and_r2, split_half

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from biaskit.analyzers.biaslens.cause import Erasure, Patching
    from biaskit.analyzers.biaslens.measured import Measured
    from biaskit.analyzers.biaslens.read_point import ReadPoint
    from biaskit.records.table import Cell
    from biaskit.session import Comparison, Session

SMALLEST_GAP_IN_SD = 2.0
"""A behavioural gap below this many standard deviations of the controls is too small to erase a share of."""
UNDECIDED = "undecided: "
TRIED = "this token was tried on a few neutral nouns alone, and its cells are not kept"


@dataclass(frozen=True, slots=True)
class Scribe:
    """Writes the findings of one reading of one comparison.

    Attributes:
        session: Source of the generators.
        comparison: What was compared.
        measured: What was measured.
        parts: What numbers that are no mean of cells follow from, row by row; it grows with the findings.
    """

    session: Session
    comparison: Comparison
    measured: Measured
    parts: list[tuple[Cell, ...]] = field(default_factory=list)

    def finding(self, metric: str, target: str, estimate: Estimate, **rest: Any) -> Finding:
        """Return a finding about `target` in this reading; `rest` are further fields of `Finding`."""
        fields = {"group": str(self.measured.reading), "site": self.measured.point.site} | rest
        return Finding(
            metric=f"biaslens.{metric}",
            concepts=(target,),
            references=self.comparison.pair.poles,
            estimate=estimate,
            **fields,
        )

    def behaviour(self) -> dict[str, Finding]:
        """Return the behavioural gap of each target."""
        cells = self.measured.behaviour
        estimates = target_estimates(
            cells, self.measured, "log-odds less the neutral controls'", self._rng("b")
        )
        return {
            target: self.finding(
                "behaviour", target, estimate, site=None, **self._shown("behaviour", cells, target)
            )
            for target, estimate in estimates.items()
        }

    def score(self) -> dict[str, Finding]:
        """Return the oriented score of each target at the reported point."""
        cells, point = self.measured.score, self.measured.point
        method = f"oriented axis, {point}, less the neutral controls'"
        estimates = target_estimates(cells, self.measured, method, self._rng("s"))
        return {
            target: self.finding("score", target, estimate, **self._shown("score", cells, target))
            for target, estimate in estimates.items()
        }

    def profile(self) -> Iterator[Finding]:
        """Yield the score of each target at every layer, read at the reported token."""
        for point, cells in self.measured.scores.items():
            if point.pooling is not self.measured.point.pooling:
                continue
            estimates = target_estimates(cells, self.measured, f"oriented axis, {point}", self._rng("p"))
            for target, estimate in estimates.items():
                rows = self.by_noun("profile", target, cells, point)
                yield self.finding("profile", target, estimate, site=point.site, rows=rows)

    def erasure(self, erasure: Erasure) -> Iterator[Finding]:
        """Yield what erasing the axis, and random directions, leave of each target's behavioural gap."""
        spread = self._control_spread(self.measured.behaviour)
        for target, columns in self.measured.nouns.columns.items():
            if not columns:
                continue
            index = list(columns)
            before = self.measured.behaviour[:, index]
            gap = float(before.mean())
            if spread is None or abs(gap) <= SMALLEST_GAP_IN_SD * spread:
                reason = f"the behavioural gap is within {SMALLEST_GAP_IN_SD:g} sd of the neutral controls'"
                yield self.finding(
                    "erasure", target, _nothing(Unit.PROPORTION, reason), direction=Direction.NONE
                )
                continue
            random = erasure.random[:, :, index].mean(axis=(1, 2)) / gap
            method = f"share of the gap left after erasing {erasure.rank} direction(s)"
            estimate = share_estimate(erasure.axis[:, index], before, random, method)
            items, left = self._averaged(target, erasure.axis)
            _, whole = self._averaged(target, self.measured.behaviour)
            rows = self.keep("erasure", target, items, left, whole, how=Statistic.SHARE)
            yield self.finding("erasure", target, estimate, direction=Direction.NONE, rows=rows)
            yield self._random_erasure(target, random, erasure.rank)

    def _random_erasure(self, target: str, left: Float[ndarray, " r"], rank: int) -> Finding:
        estimate = plain_estimate(
            float(np.median(left)),
            Unit.PROPORTION,
            Basis(
                n=len(left),
                over="random directions",
                method=f"median share of the gap left after erasing {rank} random direction(s)",
                reason="it is the null of biaslens.erasure",
            ),
            _range(left),
        )
        rows = self.keep("random_erasure", target, range(len(left)), left, how=Statistic.MEDIAN)
        return self.finding("random_erasure", target, estimate, direction=Direction.NONE, rows=rows)

    def damage(self, erasure: Erasure, templates: Sequence[str]) -> Finding:
        """Return what erasing the axis does to neutral text, beside the random directions."""
        random = erasure.random_kl.mean(axis=1)
        value = float(erasure.kl.mean())
        p = (1 + int((random >= value).sum())) / (1 + len(random))
        single = len(set(templates)) == 1
        estimate = Estimate(
            value=value,
            unit=Unit.NAT,
            n=len(set(templates)),
            resampling_unit="templates of neutral text",
            method="mean KL divergence of the next token on neutral text",
            interval=None if single else cluster_interval(erasure.kl, np.array(templates)),
            null=Null(p=p, kind=f"{len(random)} random directions of equal rank, one-sided"),
            reason="one template cannot be resampled" if single else None,
        )
        rows = self.keep("kl", self._named, templates, erasure.kl)
        return self._shared("kl", estimate, rows=rows.model_copy(update={"units": ITEM}))

    def reliability(self) -> Finding:
        """Return the split-half reliability of the scores over stems."""
        targets = [list(columns) for columns in self.measured.nouns.columns.values() if columns]
        cells = np.stack([self.measured.score[:, columns].mean(axis=1) for columns in targets])
        found = split_half(cells, rng=self._rng("half"))
        estimate = plain_estimate(
            found.value,
            Unit.ONE,
            Basis(
                n=found.n,
                over="targets",
                method=f"Spearman-Brown corrected split half over {self.measured.grid.shape[0]} stems",
                reason=found.reason or "a reliability is not tested against a null",
            ),
            found.interval,
        )
        correlations = np.array(found.correlations)
        splits = (range(len(correlations)), correlations)
        rows = self.keep("reliability", self._named, *splits, how=Statistic.SPEARMAN_BROWN)
        return self._shared("reliability", estimate, direction=Direction.HIGHER, rows=rows)

    def patching(self, patching: Patching) -> Iterator[Finding]:
        """Yield how well the score predicts real patching: slope and R^2 over the patched cells."""
        real, predicted = patching.effect, patching.predicted
        measured = ~np.isnan(real)
        nouns = np.broadcast_to(np.arange(real.shape[1]), real.shape)[measured]
        line = slope_and_r2(predicted[measured], real[measured], clusters=nouns)
        basis = Basis(
            n=len(set(nouns.tolist())),
            over="nouns",
            method="least squares of the real patching effect on the predicted one",
            reason=line.reason or "agreement is read against 1, not against a null",
        )
        words = [self.measured.nouns.words[noun] for noun in nouns]
        rows = self.keep("patching_slope", self._named, words, real[measured], predicted[measured])
        slope = plain_estimate(line.slope, Unit.ONE, basis, line.interval)
        yield self._shared(
            "patching_slope",
            slope,
            rows=rows.model_copy(update={"statistic": Statistic.SLOPE, "units": ITEM}),
        )
        r_squared = plain_estimate(line.r_squared, Unit.ONE, basis)
        yield self._shared(
            "patching_r2", r_squared, rows=rows.model_copy(update={"statistic": Statistic.R_SQUARED})
        )

    def control_spread(self) -> Finding:
        """Return the standard deviation of the neutral controls' scores, for the band in a plot."""
        spread = self._control_spread(self.measured.score)
        count = len(self.measured.nouns.controls)
        estimate = plain_estimate(
            spread,
            Unit.NAT,
            Basis(
                n=count,
                over="neutral nouns",
                method="standard deviation of the neutral nouns' scores",
                reason=(
                    "one neutral noun has no spread"
                    if spread is None
                    else "it describes the controls and is not tested"
                ),
            ),
        )
        controls = list(self.measured.nouns.controls)
        words = [self.measured.nouns.words[column] for column in controls]
        own = self.measured.score[:, controls].mean(axis=0)
        rows = self.keep("control_sd", self._named, words, own, how=Statistic.SD)
        return self._shared("control_sd", estimate, rows=rows)

    def agreement(self) -> Iterator[Finding]:
        """Yield, for every point, how well it predicts the controls' behaviour: how the point was chosen."""
        controls = self.measured.nouns.controls
        count = len(controls)
        for point, value in self.measured.agreement.items():
            estimate = plain_estimate(
                value,
                Unit.ONE,
                Basis(
                    n=count,
                    over="neutral nouns",
                    method=f"1 - squared error / squares of the controls' behaviour, {point}",
                    reason="it chooses the point and is not tested",
                ),
            )
            scores = self.measured.scores.get(point)
            follows: dict[str, Any] = {"unkept": TRIED}
            if scores is not None:
                missed, whole = squares(scores, self.measured.behaviour, controls)
                stems = (self.measured.grid.stems, missed.sum(axis=1), whole.sum(axis=1))
                rows = self.keep("agreement", self._named, *stems, how=Statistic.EXPLAINED, point=point)
                follows = {"rows": rows}
            if point.pooling is not self.measured.point.pooling:
                follows["group"] = f"{self.measured.reading} / {point.token}"
            yield self._shared("agreement", estimate, site=point.site, direction=Direction.HIGHER, **follows)

    def _shared(self, metric: str, estimate: Estimate, **rest: Any) -> Finding:
        return self.finding(metric, self._named, estimate, **({"direction": Direction.NONE} | rest))

    @property
    def _named(self) -> str:
        return self.comparison.targets.name

    def by_noun(
        self, measure: str, target: str, cells: Float[ndarray, "g n"], point: ReadPoint | None = None
    ) -> FromRows:
        """Keep a target's cells averaged over stems, and say that its number is their mean."""
        items, values = self._averaged(target, cells)
        return self.keep(measure, target, items, values, point=point)

    def _averaged(
        self, target: str, cells: Float[ndarray, "g n"]
    ) -> tuple[Sequence[str], Float[ndarray, " k"]]:
        nouns = self.measured.nouns
        return averaged(cells, nouns.columns[target], nouns.words, self.measured.grid.stems)

    def keep(
        self,
        measure: str,
        target: str,
        items: Iterable[object],
        *columns: Float[ndarray, " k"],
        how: Statistic = Statistic.MEAN,
        point: ReadPoint | None = None,
    ) -> FromRows:
        """Keep what a number follows from, one row an item, and say how it does.

        Args:
            measure: The metric, without the analyzer's name.
            target: What the number is about.
            items: What each row is about.
            columns: The values, then what they are held against, if anything.
            how: The statistic.
            point: Where it was read; by default the reported point.
        """
        reading, place = str(self.measured.reading), point or self.measured.point
        about = part_of(measure, target, self.comparison, reading, place)
        self.parts.extend(part_rows(about, items, *columns))
        beside = "item" if how is Statistic.SD else "beside" if len(columns) > 1 else ""
        # An item here is a mean over what was sampled beside it, so that it names no unit to pair runs over.
        return FromRows(table=PARTS, column="value", where=about, statistic=how, beside=beside)

    def _control_spread(self, cells: Float[ndarray, "g n"]) -> float | None:
        controls = cells.mean(axis=0)[list(self.measured.nouns.controls)]
        return float(controls.std(ddof=1)) if len(controls) > 1 else None

    def rows(self, measure: str, target: str) -> FromRows:
        """Return the rows of the long table that a target's number is the mean of."""
        return from_cells(measure, target, self.comparison, self.measured)

    def _shown(self, measure: str, cells: Float[ndarray, "g n"], target: str) -> dict[str, Any]:
        """Return what a number of the first page carries: its strongest cells, and which rows it rests on."""
        strongest = evidence(cells, self.measured, self.measured.nouns.columns[target])
        return {"headline": True, "evidence": strongest, "rows": self.rows(measure, target)}

    def _rng(self, label: str) -> np.random.Generator:
        names = (self.comparison.targets.name, self.comparison.pair.name, self.measured.reading, label)
        return self.session.rng("biaslens/" + "/".join(names))


def _range(values: Float[ndarray, " r"]) -> Interval | None:
    """Return from the smallest to the largest; a next value lies there with chance (r - 1) / (r + 1)."""
    count = len(values)
    if count < 2:
        return None
    return Interval(
        low=float(values.min()),
        high=float(values.max()),
        level=(count - 1) / (count + 1),
        method="range of the random directions",
    )


def _nothing(unit: Unit, reason: str) -> Estimate:
    return Estimate(
        value=None, unit=unit, n=0, resampling_unit="nothing", method="not measured", reason=reason
    )


def undecided(finding: Finding, why: str) -> Finding:
    """Return the finding marked so that no verdict rests on it."""
    estimate = finding.estimate.model_copy(update={"reason": UNDECIDED + why})
    return finding.model_copy(update={"estimate": estimate})


def sign(estimate: Estimate) -> int:
    """Return +1 or -1 where the interval leaves out 0, else 0."""
    if estimate.value is None or estimate.interval is None or 0.0 in estimate.interval:
        return 0
    return 1 if estimate.value > 0 else -1
