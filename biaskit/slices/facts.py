"""FACTS: correlation-aware slices within each class (Yenamandra et al., ICCV 2023).

FACTS first trains the classifier anew so that it follows the easy correlation only ("amplified"); the
probabilities of that classifier are what this slicer must be given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.metrics import adjusted_rand_score

from biaskit.errors import RequestError
from biaskit.slices.by_class import ClassSlices, MixtureParts, find_by_class
from biaskit.slices.mixture import Mixture
from biaskit.slices.observations import Observations
from biaskit.slices.projection import Projection

WEIGHTS = (1.0, 5.0, 25.0)
SPLITS = 2


@dataclass(frozen=True, slots=True)
class Facts:
    """FACTS' correlation-aware slicer: a mixture over embeddings and probabilities within each class.

    The weight decides whether components part the rows by where they lie or by what was predicted. The
    published one of 25 mixes contexts that mislead the classifier in the same way; `auto` takes, in each
    class, the weight whose components two halves of the images agree on best when they are recognised
    without predictions (adjusted Rand index), so that slices are sought that embeddings can tell apart.

    Attributes:
        weight: Weight of the probabilities, or `auto`: one of 1, 5, 25.
        parts: Components for each kind of mistake, that is each class predicted. The released code asks for
            36 in a class and gets one for each kind, as its start leaves the others without rows.
        dimensions: Principal components of the embeddings that are read.
    """

    weight: float | Literal["auto"] = "auto"
    parts: int = 2
    dimensions: int = 128

    def __post_init__(self) -> None:
        """Refuse a weight that leaves predictions out."""
        unusable = self.weight != "auto" and self.weight <= 0
        if unusable or min(self.parts, self.dimensions) < 1:
            raise RequestError("FACTS needs a weight above 0, and at least one part and one dimension.")

    @property
    def name(self) -> str:
        """Name of the method."""
        return "facts"

    def fit(self, seen: Observations, rng: np.random.Generator) -> ClassSlices:
        """Find slices; see `Slicer.fit`."""
        return find_by_class(seen, lambda rows: self._parts(rows, rng))

    def _parts(self, seen: Observations, rng: np.random.Generator) -> MixtureParts:
        projection = Projection.of(seen.embeddings, self.dimensions)
        projected = projection(seen)
        kinds = len(np.unique(seen.predictions))
        weight = stablest(projected, self.parts * kinds, rng) if self.weight == "auto" else self.weight
        fitted = _mixture(self.parts * kinds, weight).fit(projected, rng)
        return MixtureParts(projection, fitted, np.arange(len(fitted)))


def stablest(seen: Observations, components: int, rng: np.random.Generator) -> float:
    """Return the weight whose components are recognised alike after fits to either half of the rows."""
    halves = []
    for _ in range(SPLITS):
        order = rng.permutation(len(seen))
        halves.append((seen.take(order[::2]), seen.take(order[1::2])))
    agreement = {}
    for weight in WEIGHTS:
        mixture = _mixture(components, weight)
        pairs = [[mixture.fit(half, rng).owned(seen, blind=True) for half in both] for both in halves]
        agreement[weight] = np.mean(
            [adjusted_rand_score(*(o.argmax(axis=1) for o in pair)) for pair in pairs]
        )
    return max(agreement, key=lambda weight: float(agreement[weight]))


def _mixture(components: int, weight: float) -> Mixture:
    return Mixture(components, label_weight=0.0, prediction_weight=0.0, simplex_weight=weight)
