"""Every text in one row, with what its label cost and whether it was told right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.records.finding import FromRows, Statistic
from biaskit.records.table import Cell, Table

if TYPE_CHECKING:
    from biaskit.analyzers.sparse_probing.questions import Question

TEXTS = "texts"
COLUMNS = {
    "concept": "What was told apart.",
    "text": "Number of the text among those of the concept, from 0.",
    "template": "The template it was made from; empty for texts of one's own.",
    "filler": "The words in the template's slot; empty for texts of one's own.",
    "positive": "Whether it shows the property.",
    "bits": "Bits that its label took in the online code.",
    "raw_bits": "Bits that it takes where nothing is read: 1, as there are two classes.",
    "right": "Share of repeats in which it was told right, split by template, 0 to 1.",
    "right_control": "The same on the control task, whose labels are drawn word by word.",
}


@dataclass(slots=True)
class TextTable:
    """Collects what was measured of every text.

    Attributes:
        measured: By question, what was measured of each of its texts, by column.
    """

    measured: dict[str, tuple[Question, dict[str, Float[ndarray, " n"]]]] = field(default_factory=dict)

    def keep(self, question: Question, columns: dict[str, Float[ndarray, " n"]]) -> None:
        """Keep numbers of a question's texts; NaN where there is none."""
        self.measured.setdefault(question.name, (question, {}))[1].update(columns)

    def tables(self) -> tuple[Table, ...]:
        """Return the table; nothing where nothing was kept."""
        rows = [row for question, columns in self.measured.values() for row in _rows(question, columns)]
        title = "every text, what its label cost and whether it was told right"
        return (Table.of(TEXTS, title, COLUMNS, rows),) if rows else ()


def compression_rows(question: Question) -> FromRows:
    """Say which rows the compression follows from; whole groups are sent, in an order that is drawn."""
    return FromRows(
        table=TEXTS,
        column="raw_bits",
        where={"concept": question.name},
        statistic=Statistic.SHARE,
        beside="bits",
    )


def selectivity_rows(question: Question) -> FromRows:
    """Say which rows the selectivity is the mean of."""
    return FromRows(
        table=TEXTS,
        column="right",
        where={"concept": question.name},
        units=("template", "filler"),
        less="right_control",
    )


def _rows(question: Question, columns: dict[str, Float[ndarray, " n"]]) -> Iterator[tuple[Cell, ...]]:
    numbers = [columns.get(name, ()) for name in ("bits", "raw_bits", "right", "right_control")]
    for row, positive in enumerate(question.problem.labels.tolist()):
        template, filler = question.made_from[row] if question.made_from else (None, None)
        yield (question.name, row, template, filler, positive, *(_cell(values, row) for values in numbers))


def _cell(values: Sequence[float] | Float[ndarray, " n"], row: int) -> float | None:
    return float(values[row]) if len(values) and np.isfinite(values[row]) else None
