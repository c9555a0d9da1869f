"""The mixture behind DOMINO and FACTS: embeddings, labels and predictions, each with its weight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.special import logsumexp

from biaskit.errors import RequestError
from biaskit.slices.observations import Observations
from biaskit.slices.starts import confusion_start, k_means_start
from biaskit.slices.terms import Embedding, Label, Parameters, Prediction, Simplex, Term

BLOCK = 1024
EMPTY = 1e-10

Start = Literal["confusion", "k-means"]


@dataclass(frozen=True, slots=True)
class Mixture:
    """Error-aware mixture model, fitted by EM.

        l = mean_i log sum_s pi_s N(z_i; mu_s, diag) P_s(y_i)^gamma P_s(q_i)^gamma' N(q_i; m_s, T_s)^w

    z are embeddings, y labels, q the classifier's probabilities. DOMINO (Eyuboglu et al., ICLR 2022) is
    gamma = gamma' = 1, w = 0; the correlation-aware mixture of FACTS (Yenamandra et al., ICCV 2023) is
    gamma = gamma' = 0, w = 25, fitted class by class. l never falls from one step to the next, whatever the
    weights. Data are read in blocks, so memory beyond the embeddings does not grow with the rows.

    Attributes:
        components: At most so many; fewer where there are not enough different rows.
        label_weight: gamma; 0 leaves labels out.
        prediction_weight: gamma'; 0 leaves them out.
        simplex_weight: w; 0 leaves it out.
        start: Whether components begin as kinds of mistakes or as k-means clusters.
        tolerance: EM ends when l rises by less.
        iterations: EM ends after so many steps.
    """

    components: int = 25
    label_weight: float = 1.0
    prediction_weight: float = 1.0
    simplex_weight: float = 0.0
    start: Start = "confusion"
    tolerance: float = 1e-3
    iterations: int = 100

    def __post_init__(self) -> None:
        """Refuse what cannot be fitted."""
        if self.components < 1 or self.iterations < 1:
            raise RequestError("A mixture needs at least one component and one step of EM.")
        if min(self.label_weight, self.prediction_weight, self.simplex_weight) < 0:
            raise RequestError("The weight of a part of the mixture is negative.")

    @property
    def terms(self) -> tuple[tuple[Term, float], ...]:
        """The parts that count, with their weights."""
        parts: tuple[tuple[Term, float], ...] = (
            (Embedding(), 1.0),
            (Label(), self.label_weight),
            (Prediction(), self.prediction_weight),
            (Simplex(), self.simplex_weight),
        )
        return tuple(part for part in parts if part[1] > 0)

    def fit(self, seen: Observations, rng: np.random.Generator) -> FittedMixture:
        """Fit to embeddings that are centred and scaled (see `Projection`).

        Raises:
            RequestError: There are fewer than two rows.
        """
        if len(seen) < 2:
            raise RequestError(f"A mixture cannot be fitted to {len(seen)} images.")
        begin = confusion_start if self.start == "confusion" else k_means_start
        return self.fit_from(seen, begin(seen, self.components, rng))

    def fit_from(self, seen: Observations, owned: Float[ndarray, "n s"]) -> FittedMixture:
        """Fit from rows that are owned in part by each component; columns give the components."""
        current = _maximised(self, seen, owned)
        trace: list[float] = []
        for _ in range(self.iterations):
            value, following = current.step(seen)
            trace.append(value)
            if len(trace) > 1 and value - trace[-2] < self.tolerance:
                break
            current = following
        return replace(current, trace=tuple(trace))


@dataclass(frozen=True, slots=True, eq=False)
class FittedMixture:
    """A fitted mixture.

    Attributes:
        mixture: What was fitted.
        shares: pi, in [0, 1]; sums to 1.
        parameters: Parameters of each of the mixture's terms, components on the first axis.
        trace: l before each step of EM.
    """

    mixture: Mixture
    shares: Float[ndarray, " s"]
    parameters: tuple[Parameters, ...]
    trace: tuple[float, ...] = ()

    def __len__(self) -> int:
        """How many components there are."""
        return len(self.shares)

    def of(self, kind: type[Term]) -> Parameters:
        """Return the parameters of one term, such as `Label`."""
        for (term, _), found in zip(self.mixture.terms, self.parameters, strict=True):
            if isinstance(term, kind):
                return found
        raise KeyError(kind.__name__)

    def owned(self, seen: Observations, *, blind: bool = False) -> Float[ndarray, "n s"]:
        """How probable it is that each row comes from each component; rows sum to 1.

        Args:
            seen: Any rows, projected as those of the fit.
            blind: Judge by embeddings and labels alone, as if predictions were not known.
        """
        return np.concatenate([block for _, block, _ in self._expected(seen, blind=blind)])

    def log_likelihood(self, seen: Observations) -> float:
        """Return l on any rows, in nats a row."""
        return sum(float(values.sum()) for *_, values in self._expected(seen)) / len(seen)

    def bic(self, seen: Observations) -> float:
        """Bayesian information criterion, lower is better; a true one only where all weights are 1."""
        widths = [term.features(seen.take(np.arange(1))).shape[1] for term, _ in self.mixture.terms]
        each = sum(term.freedom(width) for (term, _), width in zip(self.mixture.terms, widths, strict=True))
        free = len(self) * (each + 1) - 1
        return free * float(np.log(len(seen))) - 2 * len(seen) * self.log_likelihood(seen)

    def step(self, seen: Observations) -> tuple[float, FittedMixture]:
        """One step of EM: l before it, and the mixture after it."""
        total, sums = 0.0, _Sums(self.mixture)
        for features, owned, values in self._expected(seen):
            total += float(values.sum())
            sums.add(features, owned, self.parameters)
        return total / len(seen), sums.fitted(self.mixture)

    def _expected(
        self, seen: Observations, *, blind: bool = False
    ) -> Iterator[tuple[list[ndarray], ndarray, ndarray]]:
        """Blocks of rows: what the terms read, who owns them, their log density."""
        log_shares = np.log(self.shares)
        for features in _blocks(self.mixture, seen):
            log_density: ndarray = log_shares
            for (term, weight), read, found in zip(
                self.mixture.terms, features, self.parameters, strict=True
            ):
                if not (blind and term.of_predictions):
                    log_density = log_density + weight * term.log_density(read, found)
            values = logsumexp(log_density, axis=1)
            yield features, np.exp(log_density - values[:, None]), values


class _Sums:
    """Sums over blocks of rows from which the next parameters follow."""

    def __init__(self, mixture: Mixture) -> None:
        self.terms = [term for term, _ in mixture.terms]
        self.mass: ndarray | float = 0.0
        self.statistics: list[ndarray | float] = [0.0] * len(self.terms)

    def add(
        self,
        features: list[ndarray],
        owned: Float[ndarray, "n s"],
        parameters: tuple[Parameters, ...] | None = None,
    ) -> None:
        self.mass = self.mass + owned.sum(axis=0)
        known = parameters or (None,) * len(self.terms)
        for place, (term, read, found) in enumerate(zip(self.terms, features, known, strict=True)):
            self.statistics[place] = self.statistics[place] + term.statistics(read, owned, found)

    def fitted(self, mixture: Mixture) -> FittedMixture:
        """Parameters from the sums; a component without rows is dropped."""
        mass = np.asarray(self.mass)
        alive = mass > EMPTY * mass.sum()
        means = [np.asarray(sums)[alive] / mass[alive][:, None] for sums in self.statistics]
        parameters = tuple(term.fitted(mean) for term, mean in zip(self.terms, means, strict=True))
        return FittedMixture(mixture, mass[alive] / mass[alive].sum(), parameters)


def _maximised(mixture: Mixture, seen: Observations, owned: Float[ndarray, "n s"]) -> FittedMixture:
    sums = _Sums(mixture)
    for place, features in enumerate(_blocks(mixture, seen)):
        sums.add(features, owned[place * BLOCK : (place + 1) * BLOCK])
    return sums.fitted(mixture)


def _blocks(mixture: Mixture, seen: Observations) -> Iterator[list[ndarray]]:
    for first in range(0, len(seen), BLOCK):
        block = seen.take(np.arange(first, min(first + BLOCK, len(seen))))
        yield [term.features(block) for term, _ in mixture.terms]
