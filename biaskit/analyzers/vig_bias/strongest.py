"""The strongest members of the slices that find a known group best, place by place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biaskit.analyzers.vig_bias.groups import slug
from biaskit.analyzers.vig_bias.looking import VIEWS
from biaskit.records.table import Cell, Table
from biaskit.slices.scoring import top_places

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from biaskit.analyzers.vig_bias.truth import Scored, Truth

MOST = 5000
"""Most rows for one attribute; where there are more groups, a row is a group and not a place."""
COLUMNS = {
    "attribute": "The attribute whose groups are sought.",
    "group": "The class and value that is sought.",
    "method": "What found the slices.",
    "place": "Place among the strongest members of the slice that finds the group best, from 1; empty where "
    "a row stands for all of them.",
}
SHARES = {
    view: f"On {view} images: whether the image there is of the group; a share where several tie for the "
    "place, 0 where nobody is left for it."
    for view in VIEWS
}
NAMES = {
    f"{view}_image": f"On {view} images: name of that image; empty where several tie or nobody is left."
    for view in VIEWS
}

Place = tuple[float, str | None]
"""Share of the images there that are of the group, and the name where it is one image."""


def strongest_name(name: str) -> str:
    """Return the name of an image set's table of strongest members."""
    return f"{slug(name)}-strongest"


def strongest_table(name: str, rows: Sequence[tuple[Cell, ...]]) -> tuple[Table, ...]:
    """Return the table; nothing where no group is known."""
    title = f"Strongest members of the slices that find the known groups of {name} best"
    return (Table.of(strongest_name(name), title, COLUMNS | SHARES | NAMES, rows),) if rows else ()


def strongest_rows(
    truth: Truth, scored: Sequence[Scored], images: Sequence[str]
) -> Iterator[tuple[Cell, ...]]:
    """Yield for each group and method what stands at each place, in every view.

    Args:
        truth: The groups that are known.
        scored: How well each method in each view finds them.
        images: Names of the held-out images.
    """
    by_method: dict[str, list[Scored]] = {}
    for one in scored:
        by_method.setdefault(one.found.method, []).append(one)
    places = sum(own[0].precision.k for own in by_method.values())
    read = _whole if len(truth.names) * places > MOST else _places
    for method, own in by_method.items():
        for number, group in enumerate(truth.names):
            seen = {one.found.view: read(one, truth, number, images) for one in own}
            for at, row in enumerate(zip(*seen.values(), strict=True), 1):
                place = at if read is _places else None
                yield truth.attribute, group, method, place, *_cells(dict(zip(seen, row, strict=True)))


def _places(one: Scored, truth: Truth, number: int, images: Sequence[str]) -> list[Place]:
    column = one.found.membership[:, one.precision.slices[number]]
    return [
        (
            float(truth.members[rows, number].mean()) if len(rows) else 0.0,
            images[int(rows[0])] if len(rows) == 1 else None,
        )
        for rows in top_places(column, one.precision.k)
    ]


def _whole(one: Scored, _truth: Truth, number: int, _images: Sequence[str]) -> list[Place]:
    return [(float(one.precision.values[number]), None)]


def _cells(by_view: Mapping[str, Place]) -> Iterator[Cell]:
    for part in (0, 1):
        for view in VIEWS:
            yield by_view[view][part] if view in by_view else None
