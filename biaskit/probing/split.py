"""A division of rows into those a probe is fitted on and those it is judged on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One division of the rows.

    Attributes:
        train: Rows the probe, its selection and its settings are fitted on.
        test: Rows it is judged on; none of their groups is in `train`, unless the rule says otherwise.
        tags: What the split is, such as `{"repeat": 0, "fold": 3}` or `{"regime": "scarcity", "x": 20}`.
        labels: Labels of all rows as the probe is told them where they differ from the true ones (label
            noise); the test rows are always judged by the true ones.
    """

    train: Int[ndarray, " a"]
    test: Int[ndarray, " b"]
    tags: Mapping[str, float | int | str] = field(default_factory=dict)
    labels: Bool[ndarray, " n"] | None = None


class InnerRule(Protocol):
    """How settings are chosen inside the training rows of one split."""

    def folds(
        self,
        labels: Bool[ndarray, " n"],
        groups: Int[ndarray, " n"],
        train: Int[ndarray, " a"],
        rng: np.random.Generator,
    ) -> list[tuple[Int[ndarray, " _"], Int[ndarray, " _"]]]:
        """Return pairs (rows to fit on, rows to validate on) inside `train`; none where it is too small."""
