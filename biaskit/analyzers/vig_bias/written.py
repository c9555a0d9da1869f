"""Every held-out image in one row, and again in each slice, so that each number can be counted again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from biaskit.analyzers.vig_bias.groups import slug
from biaskit.records.table import Cell, Table

if TYPE_CHECKING:
    from biaskit.analyzers.vig_bias.findings import Named
    from biaskit.analyzers.vig_bias.looking import Looked, Looker
    from biaskit.images.image_set import ImageSet

UNITS = ("cluster", "image")
COLUMNS = {
    "image": "Name of the image in its set.",
    "cluster": "What the image was sampled with.",
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


_FLIPS = ("flips_erased", "flips_erased_elsewhere", "follows_swapped", "follows_swapped_elsewhere")
SLICE_COLUMNS = {
    "found_by": "The method that found the slice, and in which view.",
    "number": "Number of the slice among those of that method and view.",
    "slice": "What the slice is called.",
    "image": "Name of the image in its set.",
    "cluster": "What the image was sampled with.",
    "of_class": "Whether the image is of the slice's class.",
    "inside": "Whether it is recognised in the slice.",
    "right": "Whether the model is right about it.",
    "points_nowhere": COLUMNS["points_nowhere"],
} | {name: COLUMNS[name] for name in _FLIPS}

REMEDIES = {
    "remedy": "How the head was fitted again.",
    "image": "Name of the image in its set.",
    "cluster": "What the image was sampled with.",
    "group": "The group that the remedy is judged by.",
    "right": "Whether the model is right about it after the remedy.",
    "right_before": "Whether it was right before.",
}


def table_of(looker: Looker, held: Looked, shown: Sequence[Named]) -> Table:
    """Return the table of one image set."""
    classes, images = looker.session.model.classes, looker.images
    inside = [(f"{one.title} ({one.source})", one.inside) for one in shown]

    def row(place: int) -> tuple[Cell, ...]:
        predicted = int(held.predictions[place])
        return (
            *_named(images, held, place),
            classes[int(held.labels[place])],
            classes[predicted],
            round(float(held.probabilities[place, predicted]), 6),
            bool(held.degenerate[place]),
            *_flips(held, place),
            "; ".join(title for title, member in inside if member[place]),
        )

    name, title = images_table(images.name), f"Every held-out image of {images.name}"
    return Table.of(name, title, COLUMNS, (row(place) for place in range(len(held.rows))))


def slices_table(looker: Looker, held: Looked, named: Sequence[Named]) -> Table:
    """Return, for each slice, every held-out image of its class and every other that is recognised in it."""

    def rows() -> Iterator[tuple[Cell, ...]]:
        for one in named:
            of_class = held.labels == one.label
            for place in np.flatnonzero(of_class | one.inside).tolist():
                yield (
                    *cells_of(one).values(),
                    one.title,
                    *_named(looker.images, held, place),
                    bool(of_class[place]),
                    bool(one.inside[place]),
                    bool(held.correct[place]),
                    bool(held.degenerate[place]),
                    *_flips(held, place),
                )

    title = f"Every held-out image in every slice of {looker.images.name}"
    return Table.of(slices_name(looker.images.name), title, SLICE_COLUMNS, rows())


def remedies_table(name: str, rows: Iterable[tuple[Cell, ...]]) -> Table:
    """Return every held-out image under every remedy."""
    return Table.of(remedies_name(name), f"Every held-out image of {name} under every remedy", REMEDIES, rows)


def remedies_name(name: str) -> str:
    """Return the name of an image set's table of remedies."""
    return f"{slug(name)}-remedies"


def images_table(name: str) -> str:
    """Return the name of an image set's table of images."""
    return f"{slug(name)}-images"


def slices_name(name: str) -> str:
    """Return the name of an image set's table of slices."""
    return f"{slug(name)}-slices"


def cells_of(one: Named) -> dict[str, Cell]:
    """Return the cells that tell a slice from all others; two may have one title."""
    return {"found_by": one.source, "number": one.place}


def _named(images: ImageSet, held: Looked, place: int) -> tuple[str, str]:
    """Return an image's name and its cluster, which is the image itself where none are known."""
    row = int(held.rows[place])
    name = images.pictures.name(row)
    return name, images.clusters[row] if images.clusters else name


def _flips(held: Looked, place: int) -> tuple[Cell, ...]:
    flips, has_donor = held.flips, bool(held.flips.has_donor[place])
    return (
        bool(flips.erased[place]),
        bool(flips.erased_elsewhere[place]),
        bool(flips.followed[place]) if has_donor else None,
        bool(flips.followed_elsewhere[place]) if has_donor else None,
    )
