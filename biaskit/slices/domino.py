"""DOMINO: slices coherent in the embedding and in what is taken for what (Eyuboglu et al., ICLR 2022)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.errors import RequestError
from biaskit.slices.by_class import MixtureParts, numbered
from biaskit.slices.mixture import FittedMixture, Mixture
from biaskit.slices.observations import Observations
from biaskit.slices.projection import Projection
from biaskit.slices.terms import Label, Prediction


@dataclass(frozen=True, slots=True, eq=False)
class DominoSlices:
    """The components that are handed out.

    Attributes:
        names: `class 1, part 3` by the commonest label of the component.
        parts: The components.
    """

    names: tuple[str, ...]
    parts: MixtureParts

    def membership(self, seen: Observations) -> Float[ndarray, "n s"]:
        """Probability that a row comes from each component."""
        return self.parts.membership(seen)

    def recognised(self, seen: Observations) -> Float[ndarray, "n s"]:
        """The same from embeddings and labels alone."""
        return self.parts.recognised(seen)


@dataclass(frozen=True, slots=True)
class Domino:
    """DOMINO's slicer.

    It hands out the components with the largest `max_c (predicted share of c - true share of c)`, those that
    over-predict a class the most. Departures from the released code: variances are bounded rather than
    padded and soft predictions are fitted by likelihood, so that EM cannot lose any; components that share
    a kind of mistake are parted by k-means rather than by noise. Both weights are 10, as in the released
    convenience wrapper: at the 1 of the paper many dimensions of the embedding outvote two categories, and
    components part the images by what they show, whoever is mistaken.

    Attributes:
        n_slices: How many slices are handed out.
        components: Components of the mixture.
        label_weight: Weight gamma of the labels; above 0.
        prediction_weight: Weight of the predictions; above 0.
        dimensions: Principal components of the embeddings that are read.
    """

    n_slices: int = 5
    components: int = 25
    label_weight: float = 10.0
    prediction_weight: float = 10.0
    dimensions: int = 128

    def __post_init__(self) -> None:
        """Refuse weights with which no component could over-predict."""
        if min(self.label_weight, self.prediction_weight) <= 0 or min(self.n_slices, self.dimensions) < 1:
            raise RequestError("DOMINO needs weights above 0, and at least one slice and one dimension.")

    @property
    def name(self) -> str:
        """Name of the method."""
        return "domino"

    def fit(self, seen: Observations, rng: np.random.Generator) -> DominoSlices:
        """Find slices; see `Slicer.fit`."""
        projection = Projection.of(seen.embeddings, self.dimensions)
        mixture = Mixture(self.components, self.label_weight, self.prediction_weight)
        fitted = mixture.fit(projection(seen), rng)
        chosen = np.argsort(-_overpredicted(fitted), kind="stable")[: self.n_slices]
        names = numbered(fitted.of(Label)[0][chosen].argmax(axis=1))
        return DominoSlices(names, MixtureParts(projection, fitted, chosen))


def _overpredicted(fitted: FittedMixture) -> Float[ndarray, " s"]:
    excess: ndarray = (fitted.of(Prediction)[0] - fitted.of(Label)[0]).max(axis=1)
    return excess
