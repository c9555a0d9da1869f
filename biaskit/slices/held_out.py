"""Images that slices were not found on, and who belongs to a slice among them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Shaped
from numpy import ndarray

from biaskit.errors import RequestError
from biaskit.slices.observations import Observations
from biaskit.slices.slicer import Slices

MEMBER = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Images that slices are tested on.

    Attributes:
        seen: The images as the slicer sees them.
        audited: The same images with what the audited classifier said, where slices are found by the
            predictions of another one, such as FACTS' amplified one.
        clusters: The cluster of each image, where images were sampled together.
    """

    seen: Observations
    audited: Observations | None = None
    clusters: Shaped[ndarray, " n"] | None = None

    def __post_init__(self) -> None:
        """Refuse columns that do not fit the images."""
        given = [column for column in (self.audited, self.clusters) if column is not None]
        if any(len(column) != len(self.seen) for column in given):
            raise RequestError(
                f"There are {len(self.seen)} held-out images, and not as many predictions or clusters.",
                fix="Give one of each for every image.",
            )

    @property
    def said(self) -> Observations:
        """The images with what the audited classifier said."""
        return self.seen if self.audited is None else self.audited

    def members(self, slices: Slices) -> Bool[ndarray, "n s"]:
        """Who belongs to each slice with a probability of at least a half, predictions not looked at.

        Were predictions to decide who belongs, a slice of mistakes would have an accuracy of 0 whatever the
        classifier does.
        """
        return slices.recognised(self.seen) >= MEMBER

    def sides(self, inside: Bool[ndarray, " n"]) -> tuple[Bool[ndarray, " n"], Bool[ndarray, " n"]]:
        """Members that are of the slice's commonest class, and the rest of that class."""
        if not inside.any():
            return inside, inside
        of_class = self.seen.labels == np.bincount(self.seen.labels[inside]).argmax()
        return inside & of_class, ~inside & of_class
