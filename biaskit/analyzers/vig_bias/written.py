"""Every held-out image in one row, so that each number can be counted again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from biaskit.analyzers.vig_bias.groups import slug
from biaskit.records.table import Cell, Column, Table

if TYPE_CHECKING:
    from biaskit.analyzers.vig_bias.findings import Named
    from biaskit.analyzers.vig_bias.looking import Looked, Looker

COLUMNS = {
    "image": "Name of the image in its set.",
    "label": "Its true class.",
    "prediction": "The class the model puts it in.",
    "confidence": "Probability of that class, 0 to 1.",
    "points_nowhere": "Whether its map points nowhere, so that it was left whole.",
    "flips_erased": "Whether the prediction changed when the region was erased.",
    "flips_erased_elsewhere": "Whether it changed when as much was erased elsewhere.",
    "follows_swapped": "Whether it became the donor's class when the region was taken from the donor.",
    "follows_swapped_elsewhere": "Whether it did with a region elsewhere.",
    "slices": "The reported slices the image is recognised in, separated by semicolons.",
}


def table_of(looker: Looker, held: Looked, shown: Sequence[Named]) -> Table:
    """Return the table of one image set."""
    classes, images = looker.session.model.classes, looker.images
    inside = [(f"{one.title} ({one.source})", one.inside) for one in shown]
    flips = held.flips

    def row(place: int) -> tuple[Cell, ...]:
        predicted = int(held.predictions[place])
        return (
            images.pictures.name(int(held.rows[place])),
            classes[int(held.labels[place])],
            classes[predicted],
            round(float(held.probabilities[place, predicted]), 6),
            bool(held.degenerate[place]),
            bool(flips.erased[place]),
            bool(flips.erased_elsewhere[place]),
            bool(flips.followed[place]) if flips.has_donor[place] else None,
            bool(flips.followed_elsewhere[place]) if flips.has_donor[place] else None,
            "; ".join(title for title, member in inside if member[place]),
        )

    return Table(
        name=f"{slug(images.name)}-images",
        title=f"Every held-out image of {images.name}",
        columns=tuple(Column(name=name, description=said) for name, said in COLUMNS.items()),
        rows=tuple(row(place) for place in range(len(held.rows))),
    )
