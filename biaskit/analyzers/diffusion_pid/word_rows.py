"""What numbers about words of prompts are means of: one row an image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from biaskit.records.finding import FromRows, Statistic
from biaskit.records.table import Cell, Table, slug

if TYPE_CHECKING:
    from biaskit.records.prompt_set import PromptCase

Row = tuple[Cell, ...]
COLUMNS = {
    "metric": "What was measured.",
    "prompt": "The prompt.",
    "words": "The word that it is about, or the two words.",
    "part": "The word or pair of words that was looked at, with its prompt.",
    "image": "Name of the image.",
    "value": "The image's number, in the metric's unit; none where it has none.",
}


@dataclass(frozen=True, slots=True, eq=False)
class WordRows:
    """Rows of one set of prompts.

    Attributes:
        prompts: Name of the set.
        rows: The rows so far.
    """

    prompts: str
    rows: list[Row]

    @property
    def name(self) -> str:
        """Name of the table."""
        return slug(f"{self.prompts} measured")

    @property
    def table(self) -> Table:
        """Return the table."""
        return Table.of(self.name, f"What every mean is a mean of: {self.prompts}", COLUMNS, self.rows)

    def keep(
        self,
        metric: str,
        case: PromptCase,
        about: tuple[str, str],
        images: Iterable[tuple[str, float | None]],
    ) -> FromRows:
        """Keep the values of a prompt's images and return which rows they are.

        Args:
            metric: The metric.
            case: The prompt.
            about: The words that it is about, and the word or pair that was looked at.
            images: Name and value of each image.
        """
        words, part = about[0], f"{about[1]}: {case.text}"
        self.rows.extend((metric, case.text, words, part, image, value) for image, value in images)
        where: dict[str, Cell | tuple[Cell, ...]] = {
            "metric": metric,
            "prompt": case.text,
            "words": words,
            "part": part,
        }
        return FromRows(table=self.name, column="value", where=where, units=("image",))

    def over_pairs(self, metric: str, case: PromptCase) -> FromRows:
        """Return the rows of a prompt, of which a number is the mean over pairs of means over images."""
        return FromRows(
            table=self.name,
            column="value",
            where={"metric": metric, "prompt": case.text},
            beside="part",
            statistic=Statistic.MEAN_OF_MEANS,
        )

    def over_words(self, metric: str) -> FromRows:
        """Return the rows of every prompt; words of prompts are the units."""
        return FromRows(table=self.name, column="value", where={"metric": metric}, units=("part",))
