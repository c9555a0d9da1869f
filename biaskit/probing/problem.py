"""What a probe is asked to tell apart, and which rows may never be split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from biaskit.errors import RequestError


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A binary property of some rows.

    Attributes:
        name: What is told apart, such as `food` or `male - female`.
        labels: True where a row shows it.
        groups: Rows of one group never stand on both sides of a split, such as the sentences of one filler.
        grouping: What the groups are, in the plural: `fillers`, `distinct texts`, or a column's name.
        crossed: The other unit the rows were made from (the template), numbered; None where there is none.
    """

    name: str
    labels: Bool[ndarray, " n"]
    groups: Int[ndarray, " n"]
    grouping: str
    crossed: Int[ndarray, " n"] | None = None

    def __post_init__(self) -> None:
        """Refuse a problem that cannot be probed.

        Raises:
            RequestError: Lengths differ, or one of the two classes is missing.
        """
        if len(self.groups) != len(self.labels):
            raise RequestError(
                f"'{self.name}' has {len(self.labels)} labels and {len(self.groups)} groups.",
                fix="Give one of each for every row.",
            )
        if self.labels.all() or not self.labels.any():
            raise RequestError(
                f"'{self.name}' has rows of one class only.",
                fix="Give rows of both classes.",
            )

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.labels)

    def groups_of(self, *, positive: bool) -> int:
        """Count the groups that hold a row of the class."""
        return len(np.unique(self.groups[self.labels == positive]))
