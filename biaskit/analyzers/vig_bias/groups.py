"""Accuracy by class and attribute: what is known without looking for anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from biaskit.analyzers.vig_bias.numbers import (
    CLUSTERS,
    IMAGES,
    group_gap,
    group_ratio,
    group_value,
    worst_group,
)
from biaskit.errors import RequestError
from biaskit.records.dot_plot import Dot, DotPlot, DotRow
from biaskit.records.finding import Direction, Evidence, Finding, FromRows, Statistic
from biaskit.records.table import Cell, Table
from biaskit.stats.by_group import GroupFrame, GroupMetric, GroupOptions, GroupValue, by_group

CLASS = "class"
_MOST_CROSSED = 3
_MOST_MISTAKES = 50
_AND = " and "

COLUMNS = {
    "image": "Name of the image in its set.",
    "metric": "What was measured.",
    "attribute": "The attribute, or attributes, that part the groups.",
    "group": "The group the image is in.",
    "cluster": "What the image was sampled with.",
    "value": "The image's number: 1 where it is right or where the prediction flips, else 0.",
}


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """Rows by what is known of them.

    Attributes:
        name: Name of the image set.
        columns: One column of values for each attribute, the class among them.
        clusters: Rows that were sampled together; empty: each alone.
        images: Name of each row's image; empty: no image stands under a gap.
        taken_for: The class each row was put in.
    """

    name: str
    columns: Mapping[str, Sequence[str]]
    clusters: Sequence[str]
    images: Sequence[str] = ()
    taken_for: Sequence[str] = ()

    @property
    def unit(self) -> str:
        """What was sampled."""
        return CLUSTERS if self.clusters else IMAGES

    def frame(
        self,
        labels: Int[ndarray, " n"],
        probabilities: Float[ndarray, "n k"],
        further: Mapping[str, ndarray],
        seed: int,
    ) -> GroupFrame:
        """Measure accuracy, and further columns of one number a row, in every group.

        Every attribute is crossed with the class, and all with each other where they are few.
        """
        options = GroupOptions(clusters=list(self.clusters) or None, seed=seed, intersections=False)
        metrics = measured(labels, probabilities, further)
        return by_group(metrics, labels, probabilities.argmax(axis=1), self._crossed(), options)

    def table(self, metrics: Mapping[str, Float[ndarray, " n"]]) -> Table:
        """Return what every group's mean is a mean of, one row an image, metric and group."""
        return Table.of(
            self.table_name,
            f"Every held-out image of {self.name} in every group",
            COLUMNS,
            (
                (self.images[row], metric, attribute, cell, self._cluster(row), _cell(values[row]))
                for metric, values in metrics.items()
                for attribute, cells in self._crossed().items()
                for row, cell in enumerate(cells)
                if cell
            ),
        )

    @property
    def table_name(self) -> str:
        """Name of the table."""
        return f"{slug(self.name)}-by-group"

    def _cluster(self, row: int) -> str:
        return self.clusters[row] if self.clusters else self.images[row]

    def mistakes(self, entry: GroupMetric) -> tuple[Evidence, ...]:
        """Return the wrong images of the worst group, and what each adds to the gap; no more than 50."""
        cells = self._crossed()[entry.attribute]
        members = sum(cell == entry.worst.group for cell in cells)
        rows = zip(self.images, self.taken_for, self.columns[CLASS], cells, strict=False)
        wrong = [
            Evidence(text=f"{image}: {label} taken for {taken}", value=1 / members)
            for image, taken, label, cell in rows
            if cell == entry.worst.group and taken != label
        ]
        return tuple(wrong[:_MOST_MISTAKES])

    def cells(self, attribute: str) -> list[str]:
        """Return the group of each row by an attribute, or attributes crossed; empty where it has none."""
        return self._crossed()[attribute]

    def _crossed(self) -> dict[str, list[str]]:
        plain = {name: list(cells) for name, cells in self.columns.items()}
        others = [name for name in plain if name != CLASS]
        pairs: dict[str, tuple[str, ...]] = {f"{CLASS}{_AND}{name}": (CLASS, name) for name in others}
        if 1 < len(others) <= _MOST_CROSSED:
            pairs[_AND.join((CLASS, *others))] = (CLASS, *others)
        return plain | {title: _joined([plain[name] for name in names]) for title, names in pairs.items()}


def measured(
    labels: Int[ndarray, " n"], probabilities: Float[ndarray, "n k"], further: Mapping[str, ndarray]
) -> dict[str, Float[ndarray, " n"]]:
    """Return whether each row is right, and the further columns, as numbers."""
    right = (probabilities.argmax(axis=1) == labels).astype(float)
    return {"accuracy": right} | {name: column.astype(float) for name, column in further.items()}


def _cell(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _joined(columns: Sequence[Sequence[str]]) -> list[str]:
    """Join cells row by row; a row with an empty cell has none."""
    return [", ".join(cells) if all(cells) else "" for cells in zip(*columns, strict=True)]


def group_findings(grouped: Grouped, frame: GroupFrame) -> Iterator[Finding]:
    """Yield the gap and the worst group of every attribute, then each group by itself."""
    headlines = {CLASS, most_telling(frame).attribute}
    for entry in frame.metrics:
        metric = f"vig_bias.{entry.metric}"
        about = (grouped.name,)
        yield Finding(
            metric=f"{metric}_gap",
            concepts=about,
            group=entry.attribute,
            direction=Direction.LOWER,
            headline=entry.metric == "accuracy" and entry.attribute in headlines,
            estimate=group_gap(entry, grouped.unit),
            rows=_over_groups(grouped, entry, Statistic.GAP),
            evidence=grouped.mistakes(entry) if entry.metric == "accuracy" else (),
        )
        if entry.metric == "accuracy":
            yield Finding(
                metric=f"{metric}_ratio",
                concepts=about,
                group=entry.attribute,
                direction=Direction.HIGHER,
                estimate=group_ratio(entry, grouped.unit),
                rows=_over_groups(grouped, entry, Statistic.RATIO),
            )
        yield Finding(
            metric=f"{metric}_worst",
            concepts=about,
            group=f"{entry.attribute}: {entry.worst.group or 'none'}",
            direction=Direction.HIGHER,
            estimate=worst_group(entry, grouped.unit),
            rows=_over_groups(grouped, entry, Statistic.LOWEST),
        )
        for value in entry.groups:
            yield Finding(
                metric=metric,
                concepts=about,
                group=f"{entry.attribute}: {value.group}",
                direction=Direction.HIGHER,
                estimate=group_value(value, grouped.unit),
                rows=FromRows(
                    table=grouped.table_name,
                    column="value",
                    where={"metric": entry.metric, "attribute": entry.attribute, "group": value.group},
                    units=("cluster", "image"),
                ),
            )


def _over_groups(grouped: Grouped, entry: GroupMetric, statistic: Statistic) -> FromRows:
    """Say which rows a number over an attribute's groups follows from."""
    where: dict[str, Cell] = {"metric": entry.metric, "attribute": entry.attribute}
    return FromRows(
        table=grouped.table_name,
        column="value",
        where=where,
        units=("cluster", "image"),
        statistic=statistic,
        beside="group",
    )


def plot(entry: GroupMetric, name: str, series: str = "accuracy") -> DotPlot:
    """Draw a metric's groups side by side."""
    rows = tuple(DotRow(name=one.group, n=one.n, dots=(dot(one, series),)) for one in entry.groups)
    return DotPlot(name=name, title=f"Accuracy by {entry.attribute}", series=(series,), rows=rows)


def dot(value: GroupValue, series: str) -> Dot:
    """Return one group's number as a dot."""
    interval = value.interval
    return Dot(
        series=series,
        value=value.value,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
    )


def finest(frame: GroupFrame) -> GroupMetric:
    """Return accuracy over the finest groups that were formed."""
    accuracy = [entry for entry in frame.metrics if entry.metric == "accuracy"]
    return accuracy[-1]


def most_telling(frame: GroupFrame) -> GroupMetric:
    """Return accuracy by class and the attribute that parts groups most; by class where there is none."""
    accuracy = [entry for entry in frame.metrics if entry.metric == "accuracy"]
    pairs = [entry for entry in accuracy if entry.attribute.count(_AND) == 1]
    return max(pairs, key=lambda entry: entry.difference.value or 0.0, default=accuracy[0])


def attribute_of(entry: GroupMetric) -> str:
    """Return the attribute that a metric crosses with the class; empty where it crosses none."""
    return entry.attribute.partition(_AND)[2]


def columns_of(
    classes: Sequence[str], attributes: Mapping[str, Sequence[str]], rows: ndarray
) -> dict[str, list[str]]:
    """Return the class and every attribute of some rows; an attribute with one value compares nothing."""
    taken = {name: [cells[row] for row in rows] for name, cells in attributes.items()}
    return {CLASS: list(classes)} | {
        name: cells for name, cells in taken.items() if len(set(cells) - {""}) > 1
    }


def remarks(name: str, attributes: Mapping[str, Sequence[str]], rows: ndarray) -> Iterator[str]:
    """Say which attributes compare nothing, and how many images have no value of the others."""
    for attribute, cells in attributes.items():
        taken = [cells[row] for row in rows]
        known = set(taken) - {""}
        if len(known) < 2:
            has = f"is '{known.pop()}' on" if known else "has no value on"
            yield f"{name}: {attribute} {has} all {len(taken)} held-out images: it compares nothing."
        elif empty := taken.count(""):
            yield f"{name}: {empty} of {len(taken)} held-out images have no {attribute}; no group holds them."


def names_of(labels: Int[ndarray, " n"], classes: Sequence[str]) -> list[str]:
    """Return the class name of each row."""
    return list(np.array(classes)[labels])


def slug(name: str) -> str:
    """Return a name as plots, sheets and tables are named: small letters, digits and single hyphens.

    Raises:
        RequestError: It has neither letter nor digit.
    """
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name.lower())
    slug = "-".join(part for part in kept.split("-") if part)
    if not slug:
        raise RequestError(f"The image set '{name}' has a name without a letter or digit.", fix="Rename it.")
    return slug
