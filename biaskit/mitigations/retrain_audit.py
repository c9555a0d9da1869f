"""A head that was fitted again, judged on held-out images: worst group, all images, what refits do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy import ndarray
from torch import Tensor

from biaskit.mitigations.retrain_head import RetrainHead
from biaskit.mitigations.retrain_rows import (
    AFTER,
    BEFORE,
    PLAIN,
    WAYS,
    accuracy_rows,
    change_rows,
    image_table,
    shuffle_rows,
    shuffle_table,
    worst_rows,
)
from biaskit.records.dot_plot import Dot, DotPlot, DotRow
from biaskit.records.estimate import Estimate, Interval, Null, Unit
from biaskit.records.finding import Analysis, Direction, Finding, FromRows
from biaskit.retraining.heads import RULES
from biaskit.stats.bootstrap import cluster_interval
from biaskit.stats.by_group import GroupMetric, GroupOptions, by_group
from biaskit.stats.paired import paired_interval, sign_flip
from biaskit.stats.proportions import wilson

if TYPE_CHECKING:
    from biaskit.mitigations.retrain_head import HeadRemedy
    from biaskit.mitigations.retrain_images import RetrainImages
    from biaskit.mitigations.retrain_split import Split
    from biaskit.records.table import Table
    from biaskit.session import VisionSession

_LOWEST = "The lowest of several groups is not tested; what changed in the group that failed most is."
_DESCRIBES = "It describes these images; the change is tested."
IMAGES = "images that were sampled together"
Ways: TypeAlias = Mapping[str, Bool[ndarray, " n"]]


@dataclass(frozen=True, slots=True, eq=False)
class RetrainAudit:
    """Settings, session, images and remedy; `run` judges.

    Attributes:
        settings: The mitigation's settings.
        session: Model and seed.
        split: The images in two parts.
        remedy: The head.
    """

    settings: RetrainImages
    session: VisionSession
    split: Split
    remedy: HeadRemedy

    def run(self) -> Analysis:
        """Compare the heads on the held-out images."""
        held, model = self.split.held, self.session.model
        ways: dict[str, Bool[ndarray, " n"]] = {
            BEFORE: held.right(model.head()),
            AFTER: held.right((self.remedy.weight, self.remedy.bias)),
            PLAIN: held.right(self._refit("erm")),
        }
        metrics = {way: self._by_group(right) for way, right in ways.items()}
        hard = self._hardest()
        findings = [one for way in ways for one in self._levels(way, ways[way], metrics[way])]
        for way in (AFTER, PLAIN):
            findings += self._changes(way, ways, hard)
        lowest = self._shuffled()
        findings.append(self._beside_shuffled(metrics[AFTER], lowest))
        return Analysis(
            analyzer=self.settings.name,
            settings=asdict(self.settings),
            findings=tuple(findings),
            summary=(self._said(ways, metrics),),
            notes=(
                f"The head was fitted on {len(self.split.fitted.rows)} images of '{self.split.name}' and "
                f"judged on {len(held.rows)} others, in groups of {self._attribute}; '{hard}' is the group "
                "that fails most on those it was fitted on.",
            ),
            limitations=self.settings.limitations,
            tables=(self._table(ways), shuffle_table(lowest)),
            dots=(self._plot(metrics),),
        )

    def _refit(
        self, rule: str, cells: tuple[str, ...] | None = None
    ) -> tuple[Float[Tensor, "k d"], Float[Tensor, " k"]]:
        fitted = self.split.fitted
        rng = self.session.torch_rng(f"retrain-head/{rule}")
        found = RetrainHead(RULES[rule]()).fit(self.session.model, fitted.examples(cells), rng, fitted.groups)
        return found.weight, found.bias

    def _by_group(self, right: Bool[ndarray, " n"]) -> GroupMetric:
        """Return accuracy in every group; a row counts as right where `right` says so."""
        held = self.split.held
        name = self._attribute
        options = GroupOptions(clusters=held.clusters, seed=self.session.seed)
        given = {"accuracy": right.astype(float)}
        said = held.labels.numpy()
        return by_group(given, said, said, {name: held.cells}, options).of("accuracy", name)

    @property
    def _attribute(self) -> str:
        return f"class and {self.split.attribute}"

    def _hardest(self) -> str:
        """The group that the model fails most on the images that heads are fitted on."""
        fitted = self.split.fitted
        right, cells = fitted.right(self.session.model.head()), np.array(fitted.cells)
        return min(fitted.groups, key=lambda group: float(right[cells == group].mean()))

    def _levels(self, way: str, right: Bool[ndarray, " n"], metric: GroupMetric) -> list[Finding]:
        worst = metric.worst
        n = next((one.n for one in metric.groups if one.group == worst.group), 0)
        lowest = Estimate(
            value=worst.value,
            unit=Unit.PROPORTION,
            n=n,
            resampling_unit=IMAGES,
            method=f"lowest accuracy of {len(metric.groups)} groups",
            interval=worst.interval,
            reason=worst.reason or _LOWEST,
        )
        return [
            self._finding("retraining.worst_group", (way, worst.group or ""), lowest, worst_rows(way)),
            self._finding(
                "retraining.accuracy", (way, "all images"), self._accuracy(right), accuracy_rows(way)
            ),
        ]

    def _changes(self, way: str, ways: Ways, hard: str) -> list[Finding]:
        inside = np.array(self.split.held.cells) == hard
        parts = {
            "accuracy_change": ("all images", np.ones(len(inside), dtype=bool)),
            "hard_group_change": (hard, inside),
        }
        return [
            self._finding(
                f"retraining.{metric}",
                (way, group),
                self._change(ways[way][rows], ways[BEFORE][rows], np.array(self.split.held.clusters)[rows]),
                change_rows(way, hard if metric == "hard_group_change" else ""),
            )
            for metric, (group, rows) in parts.items()
            if rows.any()
        ]

    def _accuracy(self, right: Bool[ndarray, " n"]) -> Estimate:
        clusters = np.array(self.split.held.clusters)
        owners = len(np.unique(clusters))
        alike = np.ptp(right.astype(int)) == 0
        interval = (
            wilson(owners if alike and right[0] else 0 if alike else int(right.sum()), owners)
            if alike or owners == len(right)
            else cluster_interval(right.astype(float), clusters)
        )
        return Estimate(
            value=float(right.mean()),
            unit=Unit.PROPORTION,
            n=owners,
            resampling_unit=IMAGES,
            method="accuracy over all held-out images",
            interval=interval,
            reason=_DESCRIBES,
        )

    def _change(
        self, one: Bool[ndarray, " n"], other: Bool[ndarray, " n"], clusters: Shaped[ndarray, " n"]
    ) -> Estimate:
        """Accuracy of one head less another's, image by image; signs of clusters are flipped."""
        moved = one.astype(float) - other.astype(float)
        _, first = np.unique(clusters, return_index=True)
        return Estimate(
            value=float(moved.mean()),
            unit=Unit.PROPORTION,
            n=len(first),
            resampling_unit=IMAGES,
            method="accuracy after less before, image by image",
            interval=_interval_of_change(one, other, clusters),
            null=sign_flip(moved, clusters, self.session.rng("retrain-head/change")),
        )

    def _shuffled(self) -> list[float]:
        """Return the worst group of each refit to groups that were shuffled within classes."""
        rng, lowest = self.session.rng("retrain-head/shuffles"), list[float]()
        fitted = self.split.fitted
        for _ in range(self.settings.shuffles):
            order = np.arange(len(fitted.cells))
            for label in np.unique(fitted.labels.numpy()):
                own = np.nonzero(fitted.labels.numpy() == label)[0]
                order[own] = rng.permutation(own)
            cells = tuple(fitted.cells[row] for row in order.tolist())
            right = self.split.held.right(self._refit(self.settings.rule, cells))
            lowest.append(self._lowest(right))
        return lowest

    def _beside_shuffled(self, after: GroupMetric, lowest: Sequence[float]) -> Finding:
        """Hold the worst group against that of refits to shuffled groups."""
        own_value = after.worst.value or 0.0
        reached = sum(one >= own_value - 1e-12 for one in lowest)
        p = (1 + reached) / (len(lowest) + 1)
        estimate = Estimate(
            value=float(np.mean(lowest)),
            unit=Unit.PROPORTION,
            n=len(lowest),
            resampling_unit="shuffles",
            method="lowest accuracy of a group after refits to groups shuffled within classes, mean",
            null=Null(p=p, kind=f"refits to shuffled groups with as high a worst group, {len(lowest)} draws"),
            reason="Refits to shuffled groups are no sample that an interval could be of.",
        )
        found = self._finding("retraining.shuffled", (AFTER, ""), estimate, shuffle_rows())
        return found.model_copy(update={"direction": Direction.NONE})

    def _table(self, ways: Ways) -> Table:
        held, images = self.split.held, self.session.images[0]
        names = [images.pictures.name(row) for row in held.rows]
        return image_table(self.split.name, names, held, {way: ways[way] for way in WAYS})

    def _lowest(self, right: Bool[ndarray, " n"]) -> float:
        cells = np.array(self.split.held.cells)
        return min(float(right[cells == group].mean()) for group in self.split.held.groups)

    def _finding(self, metric: str, about: tuple[str, str], estimate: Estimate, rows: FromRows) -> Finding:
        way, group = about
        return Finding(
            metric=metric,
            concepts=(self.split.name, way),
            group=group or None,
            direction=Direction.HIGHER,
            rows=rows,
            headline=metric == "retraining.worst_group" and way in {BEFORE, AFTER},
            estimate=estimate,
        )

    def _said(self, ways: Ways, metrics: Mapping[str, GroupMetric]) -> str:
        worst = [metrics[way].worst for way in (BEFORE, AFTER)]
        shares = [100 * float(ways[way].mean()) for way in (BEFORE, AFTER)]
        return (
            f"'{self.split.name}': the worst group of class and {self.split.attribute} goes from "
            f"{100 * (worst[0].value or 0):.0f} % right ('{worst[0].group}') to "
            f"{100 * (worst[1].value or 0):.0f} % ('{worst[1].group}') on held-out images; "
            f"all images from {shares[0]:.0f} % to {shares[1]:.0f} %."
        )

    def _plot(self, metrics: Mapping[str, GroupMetric]) -> DotPlot:
        """Draw every group under every head."""
        names = [one.group for one in metrics[BEFORE].groups]
        rows = []
        for place, name in enumerate(names):
            dots = []
            for way, metric in metrics.items():
                one = metric.groups[place]
                if one.value is None:
                    continue
                low, high = (one.interval.low, one.interval.high) if one.interval else (one.value, one.value)
                dots.append(Dot(series=way, value=one.value, low=low, high=high))
            rows.append(DotRow(name=name, n=metrics[BEFORE].groups[place].n, dots=tuple(dots)))
        return DotPlot(
            name="groups-before-and-after",
            title=f"Accuracy by {self._attribute}, held-out images",
            series=tuple(metrics),
            rows=tuple(rows),
        )


def _interval_of_change(
    one: Bool[ndarray, " n"], other: Bool[ndarray, " n"], clusters: Shaped[ndarray, " n"]
) -> Interval:
    """Interval of a change of accuracy; where all images move alike, clusters are what was seen to move."""
    moved = one.astype(float) - other.astype(float)
    _, first = np.unique(clusters, return_index=True)
    if len(first) == len(one):
        return paired_interval(one, other)
    if np.ptp(moved) > 0:
        return cluster_interval(moved, clusters)
    found = paired_interval(one[first], other[first])
    return found.model_copy(update={"method": f"{found.method}, of {len(first)} clusters that move alike"})
