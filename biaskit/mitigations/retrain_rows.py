"""What the numbers of a head that was fitted again follow from: held-out images and shuffles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from jaxtyping import Bool
from numpy import ndarray

from biaskit.records.finding import FromRows, Statistic
from biaskit.records.table import Table

if TYPE_CHECKING:
    from biaskit.mitigations.retrain_split import Side

BEFORE, AFTER, PLAIN = "before", "retrained", "refit without groups"
WAYS = (BEFORE, AFTER, PLAIN)
UNITS = ("cluster", "image")
IMAGES, SHUFFLES = "held-out-images", "shuffles"


def column(way: str) -> str:
    """Return the column that says which images a head puts right."""
    return way.replace(" ", "_")


COLUMNS = {
    "image": "Name of the image.",
    "cluster": "What it was sampled together with.",
    "group": "Its class and attribute.",
    **{column(way): f"Whether it is put right, {way}." for way in WAYS},
}
DRAWS = {
    "shuffle": "Number of the shuffle of groups within classes.",
    "lowest": "Lowest accuracy of a group after a refit to it.",
}


def image_table(
    name: str, images: Sequence[str], held: Side, ways: Mapping[str, Bool[ndarray, " n"]]
) -> Table:
    """Return which held-out images every head puts right."""
    right = (ways[way].tolist() for way in WAYS)
    rows = zip(images, held.clusters, held.cells, *right, strict=True)
    return Table.of(IMAGES, f"Held-out images of {name}", COLUMNS, rows)


def shuffle_table(lowest: Sequence[float]) -> Table:
    """Return the worst group after each refit to shuffled groups."""
    return Table.of(SHUFFLES, "Refits to groups shuffled within classes", DRAWS, enumerate(lowest, 1))


def worst_rows(way: str) -> FromRows:
    """Return the images over whose groups a lowest accuracy is taken."""
    return FromRows(table=IMAGES, column=column(way), beside="group", statistic=Statistic.LOWEST)


def accuracy_rows(way: str) -> FromRows:
    """Return the images that an accuracy is the mean of."""
    return FromRows(table=IMAGES, column=column(way), units=UNITS)


def change_rows(way: str, group: str = "") -> FromRows:
    """Return the images that a change of accuracy is the mean of; those of one group where it is named."""
    where = {"group": group} if group else {}
    return FromRows(table=IMAGES, column=column(way), where=where, units=UNITS, less=column(BEFORE))


def shuffle_rows() -> FromRows:
    """Return the shuffles."""
    return FromRows(table=SHUFFLES, column="lowest")
