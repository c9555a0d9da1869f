"""A data frame as a table of cells, whichever library it comes from; none of them is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from biaskit.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterable


@runtime_checkable
class Frame(Protocol):
    """What is needed of a data frame; those of pandas and polars have it."""

    @property
    def columns(self) -> Iterable[object]:
        """The columns, in order."""

    def to_numpy(self) -> Iterable[Iterable[object]]:
        """Return the cells, a row at a time."""


def frame_rows(frame: Frame) -> tuple[list[str], dict[int, list[str]]]:
    """Return the header and the rows by their number from 0, every cell as text, missing ones empty.

    Raises:
        CatalogueError: There is no row.
    """
    rows = {number: [_cell(value) for value in cells] for number, cells in enumerate(frame.to_numpy())}
    if not rows:
        raise CatalogueError("The data frame holds no rows.", fix="Give rows of texts and labels.")
    return [str(name).strip() for name in frame.columns], rows


def _cell(value: object) -> str:
    return "" if _is_missing(value) else str(value)


def _is_missing(value: object) -> bool:
    """Tell None, NaN, NaT and pandas's NA: the others do not equal themselves."""
    if value is None or type(value).__name__ == "NAType":
        return True
    return (isinstance(value, float) and value != value) or type(value).__name__ == "NaTType"
