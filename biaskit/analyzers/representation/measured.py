"""Every single measurement of a representation audit, and which of them a number follows from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from biaskit.records.finding import FromRows, Statistic
from biaskit.records.table import Cell, Table, slug

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biaskit.analyzers.representation.numbers import Counted
    from biaskit.analyzers.representation.seeing import Seen
    from biaskit.records.prompt_set import GroupSet

NEUTRAL = "neutral nouns"
UNITS = ("image",)
IMAGES = {
    "target": f"The target; '{NEUTRAL}' where images of a neutral reference were drawn.",
    "image": "Name of the image.",
    "group": "The group that is asked for.",
    "shown": "Whether the image is taken for that group.",
    "probability": "How probable that group is to the classifier; 1 or 0 where a column said it.",
    "reference": "Share of the group that the target is compared with; none for neutral nouns.",
    "neutral": "Whether the image was drawn for a neutral noun.",
}


def images_table(about: str) -> str:
    """Return the name of the table that keeps what every image was taken for."""
    return slug(f"images {about}")


def image_table(
    about: str, groups: GroupSet, seen: Sequence[Seen], counted: Sequence[Counted], neutral: Seen | None
) -> Table:
    """Return what every image was taken for, one row an image and group."""
    rows = [row for one, own in zip(seen, counted, strict=True) for row in _rows(one, groups, own)]
    if neutral is not None:
        rows += _rows(neutral, groups, None)
    return Table.of(images_table(about), f"Every image of {about}", IMAGES, rows)


def _rows(seen: Seen, groups: GroupSet, counted: Counted | None) -> Iterator[tuple[Cell, ...]]:
    said, sure = seen.said[groups.name], seen.sure[groups.name]
    for row, image in enumerate(seen.names):
        for number, group in enumerate(groups.groups):
            reference = None if counted is None else float(counted.reference[number])
            probability = round(sure[row][number], 4)
            yield seen.target, image, group, said[row] == number, probability, reference, counted is None


def share_rows(one: Counted, group: str) -> FromRows:
    """Return the images that a share is the mean of."""
    where: dict[str, Cell | tuple[Cell, ...]] = {"target": one.target, "group": group}
    return FromRows(table=one.table, column="shown", where=where, units=UNITS)


def lean_rows(one: Counted, group: str) -> FromRows:
    """Return the images that a share less the reference's follows from: also those of neutral nouns."""
    if not one.neutral:
        return share_rows(one, group).model_copy(update={"less": "reference"})
    return FromRows(
        table=one.table,
        column="shown",
        where={"target": (one.target, NEUTRAL), "group": group},
        statistic=Statistic.STEP,
        beside="neutral",
    )


def score_rows(one: Counted, statistic: Statistic) -> FromRows:
    """Return the images that a score of all groups follows from."""
    distance = statistic is not Statistic.INEQUALITY
    return FromRows(
        table=one.table,
        column="shown",
        where={"target": one.target},
        less="reference" if distance else "",
        beside="group",
        statistic=statistic,
    )
