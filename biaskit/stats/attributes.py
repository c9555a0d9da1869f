"""Which group each row is in: one attribute or several crossed, with what is missing and what is empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from biaskit.errors import RequestError

MISSING = -1
TIMES = " x "


@dataclass(frozen=True, slots=True, eq=False)
class Attribute:
    """An attribute, or several crossed.

    Attributes:
        name: Its name, such as `sex`, or `sex x age` for an intersection.
        groups: The names of its groups, empty ones included.
        codes: The group of each row, `MISSING` where the attribute is not known.
    """

    name: str
    groups: tuple[str, ...]
    codes: Int[ndarray, " n"]

    @property
    def missing(self) -> int:
        """How many rows have no group."""
        return int((self.codes == MISSING).sum())


def attributes(
    cells: Mapping[str, Sequence[object]], rows: int, declared: Mapping[str, Sequence[str]]
) -> tuple[Attribute, ...]:
    """Read one attribute a column; None, NaN and the empty text are missing.

    Args:
        cells: The columns by attribute.
        rows: How many rows there are.
        declared: Groups that exist, by attribute; one that no row is in is then listed as empty.

    Raises:
        RequestError: A column has another length, a cell is not a declared group, or there is no attribute.
    """
    if not cells:
        raise RequestError("No attribute was given.", fix='Give groups such as {"sex": ["f", "m", ...]}.')
    return tuple(_attribute(name, column, rows, declared.get(name)) for name, column in cells.items())


def crossed(parts: Sequence[Attribute]) -> Attribute:
    """Cross attributes: a group for each combination, a row that misses one attribute misses all."""
    sizes = tuple(len(part.groups) for part in parts)
    codes = np.stack([part.codes for part in parts])
    together = np.ravel_multi_index(tuple(np.maximum(codes, 0)), sizes)
    names = tuple(TIMES.join(combination) for combination in product(*(part.groups for part in parts)))
    known = (codes != MISSING).all(axis=0)
    return Attribute(TIMES.join(part.name for part in parts), names, np.where(known, together, MISSING))


def _attribute(name: str, column: Sequence[object], rows: int, declared: Sequence[str] | None) -> Attribute:
    if len(column) != rows:
        raise RequestError(
            f"'{name}' has {len(column)} entries, and there are {rows} rows.", fix="Give one for each row."
        )
    texts = [_text(cell) for cell in column]
    seen = sorted({text for text in texts if text})
    groups = tuple(declared) if declared is not None else tuple(seen)
    if strangers := sorted(set(seen) - set(groups)):
        raise RequestError(
            f"'{name}' holds '{strangers[0]}', which is not among its groups: {', '.join(groups)}."
        )
    if not groups:
        raise RequestError(f"Every cell of '{name}' is missing.", fix="Leave the attribute out.")
    index = {group: code for code, group in enumerate(groups)}
    return Attribute(name, groups, np.array([index.get(text, MISSING) for text in texts], dtype=int))


def _text(cell: object) -> str:
    unknown = cell is None or (isinstance(cell, float | np.floating) and bool(np.isnan(cell)))
    return "" if unknown else str(cell)
