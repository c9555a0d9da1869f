"""Gaps between groups: one value an image and group, compared within templates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from biaskit.analyzers.diffusion_pid.numbers import IMAGES, About, corrected, mean
from biaskit.records.estimate import Estimate, Null, Unit
from biaskit.records.finding import Direction, Evidence, Finding, FromRows, Statistic
from biaskit.records.table import Cell
from biaskit.stats.within_rows import advantages, exchanged

SHOWN = 5

Row = tuple[Cell, ...]
NOUNS = "neutral nouns"
COLUMNS = {
    "metric": "What was measured.",
    "target": f"The target; '{NOUNS}' where one of them was measured as targets are.",
    "group": "The group, or the first of the two that are compared.",
    "template": "The template.",
    "image": "Name of the image.",
    "value": "The image's number, in the metric's unit.",
    "neutral": "Whether the image is of a neutral noun.",
    "noun": "The neutral noun; empty for a target.",
}


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """One quantity of a target's images under each group's word.

    Attributes:
        target: The target.
        values: One row an image, one column a group.
        units: The unit each image was sampled in: its template, or the image itself.
        names: Name of each image.
        templates: The template of each image.
    """

    target: str
    values: Float[ndarray, "n g"]
    units: Shaped[ndarray, " n"]
    names: tuple[str, ...]
    templates: tuple[str, ...]

    @property
    def by_unit(self) -> Float[ndarray, "u g"]:
        """Means of each unit's images."""
        return np.stack([self.values[self.units == unit].mean(axis=0) for unit in np.unique(self.units)])


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a gap is a gap of.

    Attributes:
        metric: Name of the metric.
        method: How a value was computed, one phrase.
        unit: What it counts in.
        named: What the units are.
        headline: Whether it belongs on the first page.
        table: Table that keeps what a gap is a mean of; empty where none does.
    """

    metric: str
    method: str
    unit: Unit = Unit.NAT
    named: str = "templates"
    headline: bool = False
    table: str = ""


def gaps(
    found: Sequence[Grouped], groups: Sequence[str], quantity: Quantity, rng: np.random.Generator
) -> list[Finding]:
    """Return one finding a target, or one a target and group where there are more than two groups.

    With two groups the gap is the first minus the second; with more, each against the mean of the others.
    p: groups exchanged within units; q over all targets and groups.
    """
    tested = [one for each in found for one in _tests(each, rng)[: _columns(groups)]]
    nulls = iter(corrected(tested, f"gaps of {quantity.metric}"))
    return [
        finding(each, groups, column, quantity, _estimate(each, groups, column, quantity, next(nulls)))
        for each, column in each_column(found, groups)
    ]


def behind(
    found: Sequence[Grouped], groups: Sequence[str], quantity: Quantity, *, neutral: bool = False
) -> list[Row]:
    """Return what every gap is a mean of, or what neutral nouns are set against it: one row an image."""
    return [
        (
            quantity.metric,
            NOUNS if neutral else each.target,
            groups[column],
            template,
            name,
            float(value),
            neutral,
            each.target if neutral else "",
        )
        for each, column in each_column(found, groups)
        for template, name, value in zip(
            each.templates, each.names, advantages(each.values)[:, column], strict=True
        )
    ]


def source(table: str, quantity: Quantity, target: str, group: str) -> FromRows:
    """Return which rows of `table` a number is the mean of."""
    unit = "image" if quantity.named == IMAGES else "template"
    where: dict[str, Cell | tuple[Cell, ...]] = {
        "metric": quantity.metric,
        "target": target,
        "group": group,
    }
    return FromRows(table=table, column="value", where=where, units=(unit,))


def beyond_source(quantity: Quantity, target: str, group: str) -> FromRows:
    """Return which rows a target's mean less that of neutral nouns follows from; all nouns have as many."""
    where: dict[str, Cell | tuple[Cell, ...]] = {
        "metric": quantity.metric,
        "target": (target, NOUNS),
        "group": group,
    }
    return FromRows(
        table=quantity.table,
        column="value",
        where=where,
        units=("noun",),
        beside="neutral",
        statistic=Statistic.STEP,
    )


def each_column(found: Sequence[Grouped], groups: Sequence[str]) -> Iterator[tuple[Grouped, int]]:
    """Go through targets and the groups that have a gap: one of two, or all of more."""
    return ((each, column) for each in found for column in range(_columns(groups)))


def over(groups: Sequence[str], column: int) -> str:
    """Say what is subtracted from what."""
    if len(groups) == 2:
        return f"{groups[0]} minus {groups[1]}"
    return f"{groups[column]} minus the mean of the others"


def _columns(groups: Sequence[str]) -> int:
    return 1 if len(groups) == 2 else len(groups)


def _tests(grouped: Grouped, rng: np.random.Generator) -> tuple[Null | None, ...]:
    by_unit = grouped.by_unit
    if len(by_unit) < 2:
        return (None,) * int(by_unit.shape[1])
    return exchanged(by_unit, rng)


def _estimate(
    grouped: Grouped, groups: Sequence[str], column: int, quantity: Quantity, null: Null | None
) -> Estimate:
    about = About(
        method=f"{quantity.method}, {over(groups, column)}",
        unit=quantity.unit,
        named=quantity.named,
        null=null,
    )
    return mean(advantages(grouped.values)[:, column], grouped.units, about)


def finding(
    grouped: Grouped, groups: Sequence[str], column: int, quantity: Quantity, estimate: Estimate
) -> Finding:
    """Return a gap's estimate with the target and groups it is about, and the images that move it most."""
    pair = (groups[0], groups[1]) if len(groups) == 2 else None
    return Finding(
        metric=quantity.metric,
        concepts=(grouped.target,),
        references=pair,
        group=None if pair else groups[column],
        direction=Direction.TOWARD_ZERO,
        headline=quantity.headline,
        estimate=estimate,
        evidence=_evidence(grouped, advantages(grouped.values)[:, column]),
        rows=source(quantity.table, quantity, grouped.target, groups[column]) if quantity.table else None,
    )


def _evidence(grouped: Grouped, differences: Float[ndarray, " n"]) -> tuple[Evidence, ...]:
    """The images that move the gap most, in either direction."""
    most = np.argsort(-np.abs(differences), kind="stable")[:SHOWN]
    return tuple(
        Evidence(
            text=grouped.names[row],
            value=float(differences[row]),
            template=grouped.templates[row],
            filler=grouped.target,
        )
        for row in most.tolist()
    )
