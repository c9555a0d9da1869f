"""A long-format table: every single measurement behind the findings, one row each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from biaskit.records.base import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Cell = str | int | float | bool | None


def slug(text: str) -> str:
    """Return a text as the name of a table or figure: small letters and digits, hyphens between words."""
    return "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in text.casefold()).split())


class Column(Record):
    """One column of a table."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    """Name of the column, stable over runs."""
    description: str = Field(min_length=1)
    """What it holds, with its unit, one sentence."""


class Table(Record):
    """Measurements in long format."""

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    """Name of the table, and of its file in the run folder."""
    title: str = Field(min_length=1)
    """What the rows are, one phrase."""
    columns: tuple[Column, ...] = Field(min_length=1)
    """The columns, in order."""
    rows: tuple[tuple[Cell, ...], ...]
    """The measurements; a cell that was not measured is None."""

    @classmethod
    def of(cls, name: str, title: str, columns: Mapping[str, str], rows: Iterable[tuple[Cell, ...]]) -> Self:
        """Make a table from the description of each column, by its name."""
        made = tuple(Column(name=column, description=said) for column, said in columns.items())
        return cls(name=name, title=title, columns=made, rows=tuple(rows))

    @model_validator(mode="after")
    def _rectangular(self) -> Self:
        width = len(self.columns)
        if any(len(row) != width for row in self.rows):
            raise ValueError(f"every row of the table '{self.name}' must have {width} cells")
        return self
