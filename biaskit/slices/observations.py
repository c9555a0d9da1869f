"""What a slice is found from: embeddings, labels and what the classifier said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from biaskit.errors import RequestError


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """Images as a slicer sees them, one row each.

    Attributes:
        embeddings: Where each image lies, such as in CLIP's space.
        labels: Index of the true class.
        probabilities: What the audited classifier gave each class; rows sum to 1.
    """

    embeddings: Float[ndarray, "n d"]
    labels: Int[ndarray, " n"]
    probabilities: Float[ndarray, "n k"]

    def __post_init__(self) -> None:
        """Refuse rows that do not belong together and numbers that are none."""
        if not len(self.embeddings) == len(self.labels) == len(self.probabilities):
            raise RequestError(
                f"There are {len(self.embeddings)} embeddings, {len(self.labels)} labels and "
                f"{len(self.probabilities)} rows of probabilities.",
                fix="Give one of each for every image.",
            )
        if not (np.isfinite(self.embeddings).all() and np.isfinite(self.probabilities).all()):
            raise RequestError("An embedding or a probability is not a number.")

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.labels)

    @property
    def predictions(self) -> Int[ndarray, " n"]:
        """The class with the highest probability; the first of several."""
        highest: ndarray = self.probabilities.argmax(axis=1)
        return highest

    @property
    def errors(self) -> Int[ndarray, " n"]:
        """1 where the prediction is wrong, else 0."""
        wrong: ndarray = (self.predictions != self.labels).astype(np.int64)
        return wrong

    def take(self, rows: Int[ndarray, " m"]) -> Observations:
        """Return some of the rows."""
        return Observations(self.embeddings[rows], self.labels[rows], self.probabilities[rows])
