"""Dose and response: the share of a class at several strengths of an edit, from the same noises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy import stats

from biaskit.records.estimate import Interval, Null
from biaskit.stats.paired import mcnemar, paired_interval
from biaskit.stats.proportions import wilson
from biaskit.steering.trajectories import Asked, Stage

if TYPE_CHECKING:
    from biaskit.concepts.site_edit import SiteEdit


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """Which images show a class at each strength; all strengths start from the same noises.

    Attributes:
        strengths: The strengths, ascending.
        hits: Whether image i shows the class at strength j.
    """

    strengths: tuple[float, ...]
    hits: Bool[ndarray, "n doses"]

    @property
    def shares(self) -> Float[ndarray, " doses"]:
        """Share of the class at each strength."""
        return np.asarray(self.hits.mean(axis=0))

    def interval(self, dose: int) -> Interval:
        """Wilson interval of a share."""
        return wilson(int(self.hits[:, dose].sum()), len(self.hits))

    def effect(self, dose: int, base: int = 0) -> float:
        """Change of the share from one strength to another."""
        return float(self.shares[dose] - self.shares[base])

    def effect_interval(self, dose: int, base: int = 0) -> Interval:
        """Interval of the change, image by image."""
        return paired_interval(self.hits[:, dose], self.hits[:, base])

    def test(self, dose: int, base: int = 0) -> Null:
        """Exact test that the edit changes no image's class either way more often than the other."""
        return mcnemar(self.hits[:, dose], self.hits[:, base])

    def trend(self) -> Null:
        """One-sided test that shares grow with the strength, images being the strata (Mantel 1963).

        With scores `c` (strengths less their mean) and hits `h`, `T = sum_i sum_j c_j h_ij`. Were strengths
        exchangeable within each image, T had mean 0 and variance `sum_i |c|^2 |h_i - mean|^2 / (J - 1)`.
        """
        scores = np.array(self.strengths) - np.mean(self.strengths)
        hits = self.hits.astype(float)
        around = ((hits - hits.mean(axis=1, keepdims=True)) ** 2).sum()
        kind = f"Mantel's test of a rise over {len(hits)} images and {len(scores)} strengths"
        if around == 0:
            return Null(p=1.0, kind=f"{kind}: no image changed")
        spread = np.sqrt((scores**2).sum() * around / (len(scores) - 1))
        return Null(p=float(stats.norm.sf((hits @ scores).sum() / spread)), kind=kind)

    @property
    def falls(self) -> float:
        """The largest fall of the share from one strength to the next; 0 where it never falls."""
        return float(max(0.0, -np.diff(self.shares).min())) if len(self.strengths) > 1 else 0.0


def respond(
    stage: Stage, number: int, edits: Sequence[SiteEdit | None], asked: Asked
) -> Bool[ndarray, "n edits"]:
    """Draw the same noises under each edit and tell which images show class `number`."""
    said = [stage.classifier.probabilities(stage.draw(asked, one)).argmax(dim=1) for one in edits]
    return np.stack([(one == number).numpy() for one in said], axis=1)


def dose_response(
    stage: Stage, number: int, edit: SiteEdit, strengths: Sequence[float], asked: Asked
) -> Response:
    """Measure the share of class `number` at ascending strengths of an edit."""
    ordered = tuple(sorted(strengths))
    return Response(ordered, respond(stage, number, [edit.stronger(one) for one in ordered], asked))
