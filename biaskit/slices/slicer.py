"""What a method of slice discovery must offer."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.slices.observations import Observations


class Slices(Protocol):
    """Slices that were found on some images and can be recognised in others."""

    @property
    def names(self) -> tuple[str, ...]:
        """A short name for each slice, unique, worst first, such as `class 1, part 3`."""

    def membership(self, seen: Observations) -> Float[ndarray, "n s"]:
        """How strongly each image belongs to each slice, in [0, 1]; columns in the order of `names`."""

    def recognised(self, seen: Observations) -> Float[ndarray, "n s"]:
        """The same from embeddings and labels alone, without a look at what the classifier said.

        Whether a slice fails can be tested on such members only: where predictions decide who belongs, a
        slice of mistakes is wrong by definition. All 0 where a method knows slices by their predictions.
        """


class Slicer(Protocol):
    """A method of slice discovery."""

    @property
    def name(self) -> str:
        """Name of the method, such as `domino`."""

    def fit(self, seen: Observations, rng: np.random.Generator) -> Slices:
        """Find slices; the images they are tested on must be others.

        Raises:
            RequestError: There are too few images for what was asked.
        """
