"""What the numbers of a steered generator follow from: images, strengths and random sets of latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jaxtyping import Bool, Float
from numpy import ndarray

from biaskit.records.finding import FromRows, Statistic
from biaskit.records.table import Cell, Table

if TYPE_CHECKING:
    from biaskit.steering.doses import Response

BEFORE, STEERED, REWRITTEN, DIRECTION = "before", "steered", "prompts rewritten", "latent direction"
GUIDED = "guidance"
WAYS = (BEFORE, STEERED, DIRECTION, GUIDED, REWRITTEN)
READ = "its prompt's noun"
UNITS = ("image",)
MANY = "one number for every image and way of drawing would be too many to keep"
LATENTS = "it follows from the images' latents, which are as large as the images"


def column(way: str) -> str:
    """Return the column that says what images show that were drawn in one way."""
    return way.replace(" ", "_")


SHOWN = {
    "target": "The target.",
    "image": "Seed of the image.",
    **{
        column(way): f"Whether the image shows the group, {way}; none where nothing was drawn so."
        for way in WAYS
    },
}
KEPT = {
    "target": "The target.",
    "measure": f"What should not change: another group, or '{READ}' as it can be read.",
    "image": "Seed of the image.",
    "before": "Whether the image has it.",
    "after": "Whether the steered image has it.",
}
STRENGTHS = {
    "target": "The target.",
    "strength": "Strength of the edit.",
    "image": "Seed of the image.",
    "shown": "Whether the image shows the group.",
}
SETS = {
    "target": "The target.",
    "set": "Number of the random set of latents.",
    "change": "Change of the group's share by it.",
    "moved": "How far that is from 0.",
}


@dataclass(frozen=True, slots=True, eq=False)
class SteerRows:
    """Rows of an audit, target by target.

    Attributes:
        shown: What images show, by way of drawing.
        kept: What should not change.
        strengths: What images show at each strength.
        sets: What random sets of latents do.
    """

    shown: list[tuple[Cell, ...]] = field(default_factory=list)
    kept: list[tuple[Cell, ...]] = field(default_factory=list)
    strengths: list[tuple[Cell, ...]] = field(default_factory=list)
    sets: list[tuple[Cell, ...]] = field(default_factory=list)

    def show(self, target: str, seeds: Sequence[int], shown: Mapping[str, Bool[ndarray, " n"]]) -> None:
        """Keep what the images of a target show."""
        columns = [shown[way].tolist() if way in shown else [None] * len(seeds) for way in WAYS]
        self.shown.extend((target, *row) for row in zip(seeds, *columns, strict=True))

    def keep(
        self,
        about: tuple[str, str],
        seeds: Sequence[int],
        before: Bool[ndarray, " n"],
        after: Bool[ndarray, " n"],
    ) -> None:
        """Keep what should not change of a target's images; `about` is the target and what that is."""
        both = zip(seeds, before.tolist(), after.tolist(), strict=True)
        self.kept.extend((*about, *row) for row in both)

    def dose(self, target: str, seeds: Sequence[int], found: Response) -> None:
        """Keep what images show at each strength."""
        for place, strength in enumerate(found.strengths):
            hits = zip(seeds, found.hits[:, place].tolist(), strict=True)
            self.strengths.extend((target, float(strength), *row) for row in hits)

    def chance(self, target: str, random: Float[ndarray, " draws"]) -> None:
        """Keep what random sets of latents do."""
        moved = enumerate(random.tolist(), 1)
        self.sets.extend((target, number, change, abs(change)) for number, change in moved)

    def tables(self) -> tuple[Table, ...]:
        """Return the tables that have rows."""
        made = (
            Table.of("images", "What every fresh image shows, by way of drawing", SHOWN, self.shown),
            Table.of("kept", "What should not change, image by image", KEPT, self.kept),
            Table.of("strengths", "What images show at each strength of the edit", STRENGTHS, self.strengths),
            Table.of("random-sets", "Random sets of latents", SETS, self.sets),
        )
        return tuple(table for table in made if table.rows)


def share_rows(target: str, way: str) -> FromRows:
    """Return the images that a share is the mean of."""
    return FromRows(table="images", column=column(way), where={"target": target}, units=UNITS)


def effect_rows(target: str, way: str) -> FromRows:
    """Return the images whose change is the effect of a way of drawing."""
    return share_rows(target, way).model_copy(update={"less": column(BEFORE)})


def kept_rows(target: str, measure: str) -> FromRows:
    """Return the images in which something should not change."""
    where: dict[str, Cell | tuple[Cell, ...]] = {"target": target, "measure": measure}
    return FromRows(table="kept", column="after", where=where, units=UNITS, less="before")


def fall_rows(target: str) -> FromRows:
    """Return the images over whose strengths a share falls or does not."""
    return FromRows(
        table="strengths",
        column="shown",
        where={"target": target},
        beside="strength",
        statistic=Statistic.FALL,
    )


def random_rows(target: str) -> FromRows:
    """Return the random sets of a target."""
    return FromRows(table="random-sets", column="moved", where={"target": target})
