"""Every held-out image in one row, and again in each slice, so that each number can be counted again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from biaskit.analyzers.vig_bias.groups import slug
from biaskit.records.table import Cell, Table

if TYPE_CHECKING:
    from biaskit.analyzers.vig_bias.findings import Named
    from biaskit.analyzers.vig_bias.looking import Looked, Looker
    from biaskit.images.image_set import ImageSet
    from biaskit.saliency.choosing import Choice

OCCLUSION = "occlusion"
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

MAPS = {
    "image": "Name of the image in its set.",
    "cluster": "What the image was sampled with.",
    "explained": "The class whose map was judged.",
    "agreement": "Correlation with the occlusion map over cells, -1 to 1; empty for occlusion itself and "
    "where nothing counts.",
    "deletion": "How much lower the area under the class's probability is than in random order when the "
    "highest cells are deleted first.",
    "insertion": "How much higher it is when they are restored first.",
}

AFTER = {"remedy": "How the head was fitted again."} | {
    name: said for name, said in COLUMNS.items() if name != "slices"
}

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
    images = looker.images
    inside = [(f"{one.title} ({one.source})", one.inside) for one in shown]

    rows = (
        (*_image(looker, held, place), "; ".join(title for title, member in inside if member[place]))
        for place in range(len(held.rows))
    )
    return Table.of(images_table(images.name), f"Every held-out image of {images.name}", COLUMNS, rows)


def after_table(looker: Looker, seen: Looked, rule: str) -> Table:
    """Return every held-out image as the model with another head looks at it."""
    rows = ((rule, *_image(looker, seen, place)) for place in range(len(seen.rows)))
    title = f"Every held-out image of {looker.images.name} after a remedy"
    return Table.of(after_name(looker.images.name), title, AFTER, rows)


def maps_table(images: ImageSet, rows: Int[ndarray, " c"], choice: Choice) -> Table:
    """Return how faithful the map of each image is that judged the chosen way.

    Args:
        images: The set.
        rows: Rows of the images that chose and judged.
        choice: What was chosen, with what each judging image gave.
    """
    own = choice.candidate.method == OCCLUSION
    measured = (
        (
            *_names(images, int(rows[one.place])),
            one.explained,
            None if own else one.agreement,
            one.deletion,
            one.insertion,
        )
        for one in choice.images
    )
    return Table.of(maps_name(images.name), f"Faithfulness of maps of {images.name}", MAPS, measured)


def slices_table(looker: Looker, held: Looked, named: Sequence[Named]) -> Table:
    """Return, for each slice, every held-out image of its class and every other that is recognised in it."""

    def rows() -> Iterator[tuple[Cell, ...]]:
        for one in named:
            of_class = held.labels == one.label
            for place in np.flatnonzero(of_class | one.inside).tolist():
                yield (
                    *cells_of(one).values(),
                    one.title,
                    *_names(looker.images, int(held.rows[place])),
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


def after_name(name: str) -> str:
    """Return the name of an image set's table of images after a remedy."""
    return f"{slug(name)}-after"


def maps_name(name: str) -> str:
    """Return the name of an image set's table of maps."""
    return f"{slug(name)}-maps"


def images_table(name: str) -> str:
    """Return the name of an image set's table of images."""
    return f"{slug(name)}-images"


def slices_name(name: str) -> str:
    """Return the name of an image set's table of slices."""
    return f"{slug(name)}-slices"


def cells_of(one: Named) -> dict[str, Cell]:
    """Return the cells that tell a slice from all others; two may have one title."""
    return {"found_by": one.source, "number": one.place}


def _image(looker: Looker, seen: Looked, place: int) -> tuple[Cell, ...]:
    classes, predicted = looker.session.model.classes, int(seen.predictions[place])
    return (
        *_names(looker.images, int(seen.rows[place])),
        classes[int(seen.labels[place])],
        classes[predicted],
        round(float(seen.probabilities[place, predicted]), 6),
        bool(seen.degenerate[place]),
        *_flips(seen, place),
    )


def _names(images: ImageSet, row: int) -> tuple[str, str]:
    """Return an image's name and its cluster, which is the image itself where none are known."""
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
