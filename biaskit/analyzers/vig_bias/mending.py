"""What fitting the head again would change, rule by rule, on images that no rule saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from biaskit.analyzers.vig_bias.findings import EVERYTHING, Named, Part, reliance
from biaskit.analyzers.vig_bias.groups import CLASS, Grouped, dot, finest, slug
from biaskit.analyzers.vig_bias.looking import GROUNDED, Looked, Looker
from biaskit.analyzers.vig_bias.numbers import Sampled, group_gap, paired_difference, worst_group
from biaskit.analyzers.vig_bias.remedies import Mended, mend
from biaskit.analyzers.vig_bias.written import after_name, after_table, remedies_name, remedies_table
from biaskit.errors import RequestError
from biaskit.records.dot_plot import DotPlot, DotRow
from biaskit.records.finding import Direction, Finding, FromRows, Statistic

if TYPE_CHECKING:
    from biaskit.analyzers.vig_bias.said import Said
    from biaskit.records.table import Table
    from biaskit.stats.by_group import GroupMetric

PLAIN, LAST_LAYER = "erm", "last-layer"
BEFORE = "before"
IN_SLICE = "in a failing slice"
LOWEST = {"statistic": Statistic.LOWEST, "beside": "group"}
GAP = {"statistic": Statistic.GAP, "beside": "group"}
CHANGE = {"less": "right_before"}


@dataclass(frozen=True, slots=True, eq=False)
class Mending:
    """How the head is fitted again.

    Attributes:
        rules: Names of the rules.
        looker: How images are looked at.
        grouped: The held-out images by what is known of them.
        attribute: The attribute that the groups are told by; empty: the failing slices tell them.
    """

    rules: tuple[str, ...]
    looker: Looker
    grouped: Grouped
    attribute: str

    def run(self, said: Said, named: Sequence[Named], found: Looked, held: Looked) -> None:
        """Fit every rule on the images slices were found on, grouped by class and failing slice."""
        failing = [one for one in named if one.significant]
        if not self.rules or not self.looker.has_head:
            said.notes += [] if not self.rules else ["No remedy was tried: the model has no linear head."]
            return
        if not failing:
            said.notes.append("No remedy was tried: no slice fails more than shuffled errors do.")
            return
        mended = [self._mended(said, rule, _pseudo(found, failing), (found, held)) for rule in self.rules]
        kept = [one for one in mended if one is not None]
        before = self._metric(held, held.probabilities, failing)
        after = {one.rule: self._metric(held, one.probabilities, failing) for one in kept}
        for one in kept:
            said.findings += self._changed(one, (before, after[one.rule]), held)
        if kept:
            said.tables.append(self._table(kept, held, self._groups(failing).cells(before.attribute)))
        chosen = _main(kept)
        series = {BEFORE: before} | {
            rule: metric for rule, metric in after.items() if rule in {PLAIN, chosen}
        }
        said.dots.append(_plot(self.grouped.name, series))
        for one in kept:
            if one.rule == chosen:
                self._looked_again(said, one, held)

    def _mended(
        self, said: Said, rule: str, codes: Int[ndarray, " n"], seen: tuple[Looked, Looked]
    ) -> Mended | None:
        session = self.looker.session
        generator = session.torch_rng(f"vig-bias/{self.grouped.name}/remedy/{rule}")
        try:
            return mend(rule, session.model.head(), seen, codes, generator)
        except RequestError as error:
            said.caveats.append(f"The remedy '{rule}' was left out: {error}")
            return None

    def _metric(self, held: Looked, probabilities: ndarray, failing: Sequence[Named]) -> GroupMetric:
        """Return accuracy by class and attribute, or class and failing slice where there is none."""
        grouped = self._groups(failing)
        return finest(grouped.frame(held.labels, probabilities, {}, self.looker.session.seed))

    def _groups(self, failing: Sequence[Named]) -> Grouped:
        columns = {CLASS: self.grouped.columns[CLASS]}
        if self.attribute:
            columns[self.attribute] = self.grouped.columns[self.attribute]
        else:
            columns["slice"] = np.where(_inside(failing), IN_SLICE, "elsewhere").tolist()
        return replace(self.grouped, columns=columns)

    def _table(self, mended: Sequence[Mended], held: Looked, cells: Sequence[str]) -> Table:
        """Return every held-out image under every remedy."""
        images = self.looker.names(held.rows)
        clusters = self.grouped.clusters or images
        before = held.correct.tolist()
        return remedies_table(
            self.grouped.name,
            (
                (one.rule, image, clusters[row], cells[row], right, bool(before[row]))
                for one in mended
                for row, (image, right) in enumerate(
                    zip(images, (one.probabilities.argmax(axis=1) == held.labels).tolist(), strict=True)
                )
            ),
        )

    def _changed(self, one: Mended, metrics: tuple[GroupMetric, GroupMetric], held: Looked) -> list[Finding]:
        """Return worst group, gap and average after a remedy, and by how much they changed."""
        about, unit = (self.grouped.name, one.rule), self.grouped.unit
        right = one.probabilities.argmax(axis=1) == held.labels
        average = paired_difference(
            right, held.correct, self._sampled(one.rule), "accuracy after less before"
        )
        numbers = {
            "worst_group": (worst_group(metrics[1], unit), Direction.HIGHER, LOWEST),
            "gap": (group_gap(metrics[1], unit), Direction.LOWER, GAP),
            "accuracy_change": (average, Direction.HIGHER, CHANGE),
        }
        rows = FromRows(
            table=remedies_name(self.grouped.name),
            column="right",
            where={"remedy": one.rule},
            units=("cluster", "image"),
        )
        return [
            Finding(
                metric=f"vig_bias.remedy_{metric}",
                concepts=about,
                group=f"{metrics[1].attribute}; before {metrics[0].worst.value or 0.0:.2f}"
                if metric == "worst_group"
                else metrics[1].attribute,
                direction=direction,
                headline=metric == "worst_group",
                estimate=estimate,
                rows=rows.model_copy(update=how),
            )
            for metric, (estimate, direction, how) in numbers.items()
        ]

    def _sampled(self, what: str) -> Sampled:
        rng = self.looker.session.rng(f"vig-bias/{self.grouped.name}/remedy/{what}/test")
        return Sampled(self.grouped.clusters, rng)

    def _looked_again(self, said: Said, one: Mended, held: Looked) -> None:
        """Measure reliance once more under a remedy."""
        session = self.looker.session
        model = session.model.with_head(one.weight, one.bias)
        looker = replace(self.looker, session=replace(session, model=model), views=(GROUNDED,))
        seen = looker.look(held.rows, f"held-out (after {one.rule})")
        said.tables.append(after_table(looker, seen, one.rule))
        table = after_name(self.grouped.name)
        everything = [Part(EVERYTHING, np.ones(len(seen.rows), dtype=bool), table, {"remedy": one.rule})]
        for finding in reliance(self.grouped.name, seen, self._sampled("again"), everything):
            group = f"{EVERYTHING}, after {one.rule}"
            said.findings.append(finding.model_copy(update={"group": group, "headline": False}))


def _main(mended: Sequence[Mended]) -> str:
    """Return the remedy that is looked at closely: last-layer, else the first that is not ERM."""
    names = [one.rule for one in mended]
    return LAST_LAYER if LAST_LAYER in names else next((name for name in names if name != PLAIN), "")


def _pseudo(found: Looked, failing: Sequence[Named]) -> Int[ndarray, " n"]:
    """Number the groups class x in a failing slice or not, without gaps."""
    flagged = np.any([one.found.found_in[:, one.place] >= 0.5 for one in failing], axis=0)
    _, codes = np.unique(found.labels * 2 + flagged, return_inverse=True)
    return codes.astype(np.int64)


def _inside(failing: Sequence[Named]) -> Bool[ndarray, " n"]:
    member: ndarray = np.any([one.inside for one in failing], axis=0)
    return member


def _plot(name: str, metrics: dict[str, GroupMetric]) -> DotPlot:
    """Draw every group before and after."""
    first = next(iter(metrics.values()))
    rows = tuple(
        DotRow(
            name=value.group,
            n=value.n,
            dots=tuple(dot(metric.groups[place], series) for series, metric in metrics.items()),
        )
        for place, value in enumerate(first.groups)
    )
    return DotPlot(
        name=f"{slug(name)}-remedies",
        title=f"Accuracy by {first.attribute}, before and after fitting the head again",
        series=tuple(metrics),
        rows=rows,
    )
