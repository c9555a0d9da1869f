"""Whether labels are classes: numbers on a scale, or a label of its own in every row, are none."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from biaskit.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from biaskit.records.labelled_texts import LabelledTexts

MOST_NUMBERS = 10
"""Most different numbers that are still read as classes, such as stars from 1 to 5."""
MOST_RARE, RARE = 20, 5
"""Most labels of fewer than `RARE` rows (one a fold) where they outnumber the others."""


def few_classes(where: str, data: LabelledTexts) -> None:
    """Refuse labels, unless one of them is named as positive, and attributes that are no classes.

    Raises:
        CatalogueError: There are more than ten different numbers, or more than twenty values with fewer than
            five rows each, which outnumber the others.
    """
    if data.positive is None:
        _classes(
            f"{where} has",
            data.labels,
            "as labels",
            "name the label to tell from all others with --positive, or the right column with --label-column",
        )
    for name, cells in data.attributes.items():
        _classes(f"{where} has", cells, f"in the column '{name}'", "leave the column out")


def _classes(has: str, cells: Iterable[str], place: str, otherwise: str) -> None:
    counts = Counter(filter(None, cells))
    if len(counts) > MOST_NUMBERS and all(map(_is_number, counts)):
        raise CatalogueError(
            f"{has} {len(counts)} different numbers {place}, such as {', '.join(list(counts)[:3])}.",
            why="Each would be a class of its own, told from all others; numbers on a scale are no classes.",
            fix=f"Put them into a few named bins, such as low and high; or {otherwise}.",
        )
    rare = sum(rows < RARE for rows in counts.values())
    if rare > MOST_RARE and 2 * rare > len(counts):
        raise CatalogueError(
            f"{has} {len(counts)} different values {place}, {rare} of them in fewer than {RARE} rows.",
            why="Each would be a class of its own, told from all others, and so few rows cannot show it.",
            fix=f"Join the rare ones; or {otherwise}.",
        )


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
