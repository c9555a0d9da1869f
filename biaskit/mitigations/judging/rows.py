"""What the numbers of a judged remedy follow from: cells before and after, and everything else by part."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jaxtyping import Float
from numpy import ndarray

from biaskit.records.finding import FromRows, Statistic
from biaskit.records.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from biaskit.mitigations.judging.case import Case
    from biaskit.records.table import Cell

CELLS, PARTS = "remedy-cells", "remedy-parts"
CELL_UNITS = ("stem", "word")
CELL_COLUMNS = {
    "stem": "Stem, with its slot.",
    "word": "Held-out word.",
    "target": "Target of the word; empty for a neutral one.",
    "neutral": "Whether the word is a neutral one.",
    "before": "Log-odds less the neutral words', in nats.",
    "after": "The same with the remedy, in nats.",
    "gap_before": "`before`, turned so that the word's gap on the fitted stems is positive.",
    "gap_after": "`after`, turned in the same way.",
}
PART_COLUMNS = {
    "measure": "What was measured.",
    "item": "Draw, fold, template, beginning, pole word, target or stem that the row is about.",
    "word": "The word in the stem; empty where the row is about no word.",
    "value": "What was measured, with the remedy where both were.",
    "beside": "The same before; empty where nothing stands beside it.",
}


@dataclass(slots=True)
class Parts:
    """Rows behind the numbers that are no mean of the remedy's cells; they grow with the findings."""

    rows: list[tuple[Cell, ...]] = field(default_factory=list)

    def keep(
        self,
        measure: str,
        values: Float[ndarray, " n"],
        beside: Float[ndarray, " n"] | None = None,
        *,
        items: Iterable[object] = (),
        how: Statistic = Statistic.MEAN,
    ) -> FromRows:
        """Keep one row an item, numbered where they have no names, and say how a number follows from them."""
        seconds = [None] * len(values) if beside is None else beside.tolist()
        names = list(items) or range(len(values))
        for item, value, second in zip(names, values.tolist(), seconds, strict=True):
            self.rows.append((measure, str(item), "", value, second))
        return FromRows(table=PARTS, column="value", where={"measure": measure}, statistic=how)

    def keep_cells(
        self,
        measure: str,
        names: tuple[Sequence[str], Sequence[str]],
        after: Float[ndarray, "g w"],
        before: Float[ndarray, "g w"],
    ) -> FromRows:
        """Keep one row for each of the stems and words that `names` gives; the number is a mean over them."""
        stems, words = names
        for stem, later, earlier in zip(stems, after.tolist(), before.tolist(), strict=True):
            cells = zip(words, later, earlier, strict=True)
            self.rows.extend((measure, stem, word, value, beside) for word, value, beside in cells)
        return FromRows(table=PARTS, column="value", where={"measure": measure}, units=("item", "word"))

    def table(self) -> tuple[Table, ...]:
        """Return the table; none where nothing was kept."""
        title = "What further numbers of the remedy follow from"
        return (Table.of(PARTS, title, PART_COLUMNS, self.rows),) if self.rows else ()


def of_cells(column: str, *, neutral: bool = False, **rest: Any) -> FromRows:
    """Say which column of the remedy's cells a number follows from."""
    return FromRows(table=CELLS, column=column, where={"neutral": neutral}, units=CELL_UNITS, **rest)


def column_of(rows: FromRows, column: str) -> FromRows:
    """Say that another number follows from another column of the same rows."""
    return rows.model_copy(update={"column": column})


def change_of(rows: FromRows) -> FromRows:
    """Say that a number is the mean of what the remedy changed in each row."""
    return rows.model_copy(update={"less": "beside"})


def cells_table(case: Case) -> Table:
    """Return every held-out word in every stem, with and without the remedy."""
    owner = {word: target for target, words in case.units.targets.items() for word in words}
    told: list[tuple[Cell, ...]] = [
        (word, owner.get(word, ""), word not in owner) for word in case.units.columns
    ]
    tables = (case.before, case.after, case.before * case.signs, case.after * case.signs)
    rows = (
        (stem, *told[j], *(float(table[i, j]) for table in tables))
        for i, stem in enumerate(case.stems)
        for j in range(len(told))
    )
    return Table.of(CELLS, "Behaviour of held-out words with and without the remedy", CELL_COLUMNS, rows)
