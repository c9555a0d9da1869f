"""What a classifier says of images whose group is known, from a CSV file."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from biaskit.errors import RequestError
from biaskit.stats.misclassified import Confusion

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("true", "said", "count")


@dataclass(frozen=True, slots=True)
class Row:
    """One cell of a confusion table.

    Attributes:
        true: The group that the images show.
        said: What the classifier took them for.
        count: How many images.
    """

    true: str
    said: str
    count: int


def read_confusions(path: Path) -> tuple[Row, ...]:
    """Read every cell of a file; one file can hold several sets of groups.

    Raises:
        RequestError: It cannot be read, or a count is no whole number.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, ValueError) as error:
        raise RequestError(f"'{path.name}' cannot be read.", why=str(error)) from error
    if not rows or any(column not in rows[0] for column in COLUMNS):
        raise RequestError(
            f"'{path.name}' is no confusion table.", fix=f"It needs the columns {', '.join(COLUMNS)}."
        )
    try:
        return tuple(Row(one["true"].strip(), one["said"].strip(), int(one["count"])) for one in rows)
    except (ValueError, AttributeError) as error:
        raise RequestError(
            f"A row of '{path.name}' has no whole number as its count.", why=str(error)
        ) from error


def confusion_for(groups: Sequence[str], rows: Sequence[Row]) -> Confusion | None:
    """Return the table of one set of groups; None where the file is about others.

    Raises:
        RequestError: Shares cannot be corrected with it.
    """
    counted: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row.true in groups and row.said in groups:
            counted[row.true, row.said] += row.count
    if not counted:
        return None
    table = np.array([[counted[one, other] for other in groups] for one in groups], dtype=np.int64)
    try:
        return Confusion(tuple(groups), table)
    except ValueError as error:
        raise RequestError(
            f"The confusion table of {', '.join(groups)} corrects nothing.",
            why=f"{str(error)[0].upper()}{str(error)[1:]}.",
            fix="Classify known images of every group, or take another classifier.",
        ) from error
