"""What a component of a mixture says about a row: Gaussian and categorical densities, fitted by means.

All but one are exponential families: the log density is linear in a few features of a row, and the best
parameters follow from the weighted means of these features. So both steps of EM are matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.errors import RequestError
from biaskit.slices.observations import Observations

Parameters: TypeAlias = tuple[ndarray, ...]
RAREST = 1e-12
MOST_CLASSES = 64
LOG_TAU = float(np.log(2 * np.pi))


class Term(Protocol):
    """One factor of a component's density.

    Attributes:
        of_predictions: Whether it reads what the classifier said.
    """

    of_predictions: ClassVar[bool]

    def features(self, seen: Observations) -> Float[ndarray, "n f"]:
        """What the density reads of each row."""

    def fitted(self, means: Float[ndarray, "s f"]) -> Parameters:
        """Parameters of each component, from the mean of its rows' statistics."""

    def log_density(self, features: Float[ndarray, "n f"], parameters: Parameters) -> Float[ndarray, "n s"]:
        """Log density of each row under each component."""

    def statistics(
        self, features: Float[ndarray, "n f"], owned: Float[ndarray, "n s"], parameters: Parameters | None
    ) -> Float[ndarray, "s f"]:
        """Sum over the rows of what `fitted` needs the mean of, each row counted by how far it is owned."""

    def freedom(self, features: int) -> int:
        """Free parameters of one component."""


class _Linear:
    """An exponential family: the sums of its features are all that its parameters need."""

    __slots__ = ()
    of_predictions: ClassVar[bool] = False

    def statistics(
        self,
        features: Float[ndarray, "n f"],
        owned: Float[ndarray, "n s"],
        parameters: Parameters | None,  # noqa: ARG002 - only a density with a hidden part needs it
    ) -> Float[ndarray, "s f"]:
        """Sums of the features."""
        return np.asarray(owned.T @ features)


@dataclass(frozen=True, slots=True)
class Embedding(_Linear):
    """Gaussian with diagonal covariance on the embeddings.

    Attributes:
        floor: Smallest variance, as a share of the mean variance of the rows (which are scaled to 1). The
            best variance under this bound is the larger of the two, so the likelihood still cannot fall;
            adding it, as is often done, is not the best and can lower it.
    """

    floor: float = 1e-3

    def features(self, seen: Observations) -> Float[ndarray, "n f"]:
        """Coordinates and their squares."""
        return np.concatenate([seen.embeddings, np.square(seen.embeddings)], axis=1)

    def fitted(self, means: Float[ndarray, "s f"]) -> Parameters:
        """Mean and variance of each coordinate."""
        first, second = np.split(means, 2, axis=1)
        return first, np.maximum(second - np.square(first), self.floor)

    def log_density(self, features: Float[ndarray, "n f"], parameters: Parameters) -> Float[ndarray, "n s"]:
        """Return log N(z; mean, diag(variance))."""
        mean, variance = parameters
        slopes = np.concatenate([mean / variance, -0.5 / variance], axis=1)
        constant = np.square(mean) / variance + np.log(variance) + LOG_TAU
        return np.asarray(features @ slopes.T - 0.5 * constant.sum(axis=1))

    def freedom(self, features: int) -> int:
        """One mean and one variance a coordinate."""
        return features


@dataclass(frozen=True, slots=True)
class Simplex(_Linear):
    """Gaussian with full covariance on the vectors of probabilities.

    Attributes:
        floor: Smallest eigenvalue of a covariance; the probabilities sum to 1, so one is always 0. Clipping
            the eigenvalues gives the most likely covariance under this bound.
    """

    of_predictions: ClassVar[bool] = True
    floor: float = 1e-3

    def features(self, seen: Observations) -> Float[ndarray, "n f"]:
        """Probabilities and their products."""
        classes = seen.probabilities.shape[1]
        if classes > MOST_CLASSES:
            raise RequestError(
                f"A full covariance over {classes} classes has too many parameters.",
                fix=f"Give at most {MOST_CLASSES} classes, such as those that are confused with each other.",
            )
        products = seen.probabilities[:, :, None] * seen.probabilities[:, None, :]
        return np.concatenate([seen.probabilities, products.reshape(len(seen), classes**2)], axis=1)

    def fitted(self, means: Float[ndarray, "s f"]) -> Parameters:
        """Mean, precision and log determinant of the covariance."""
        classes = _side(means.shape[1])
        first, second = means[:, :classes], means[:, classes:].reshape(-1, classes, classes)
        spread, axes = np.linalg.eigh(second - first[:, :, None] * first[:, None, :])
        spread = np.maximum(spread, self.floor)
        return first, (axes / spread[:, None, :]) @ axes.swapaxes(1, 2), np.log(spread).sum(axis=1)

    def log_density(self, features: Float[ndarray, "n f"], parameters: Parameters) -> Float[ndarray, "n s"]:
        """Return log N(p; mean, covariance)."""
        mean, precision, log_determinant = parameters
        pulls = np.einsum("sij,sj->si", precision, mean)
        slopes = np.concatenate([pulls, -0.5 * precision.reshape(len(mean), -1)], axis=1)
        constant = (pulls * mean).sum(axis=1) + log_determinant + mean.shape[1] * LOG_TAU
        return np.asarray(features @ slopes.T - 0.5 * constant)

    def freedom(self, features: int) -> int:
        """Means and covariances inside the simplex."""
        inside = _side(features) - 1
        return inside + inside * (inside + 1) // 2


@dataclass(frozen=True, slots=True)
class Label(_Linear):
    """Categorical distribution of the true class."""

    def features(self, seen: Observations) -> Float[ndarray, "n f"]:
        """One column for each class."""
        columns: ndarray = (seen.labels[:, None] == np.arange(seen.probabilities.shape[1])).astype(float)
        return columns

    def fitted(self, means: Float[ndarray, "s f"]) -> Parameters:
        """Share of each class."""
        return (np.maximum(means, RAREST),)

    def log_density(self, features: Float[ndarray, "n f"], parameters: Parameters) -> Float[ndarray, "n s"]:
        """Log probability of the class."""
        return np.asarray(features @ np.log(parameters[0]).T)

    def freedom(self, features: int) -> int:
        """Shares that sum to 1."""
        return features - 1


@dataclass(frozen=True, slots=True)
class Prediction(_Linear):
    """Categorical distribution of the predicted class, of which only probabilities are seen.

    The density of a row is sum_j q_j p_j for the classifier's probabilities q. DOMINO sets p to the mean of
    q, which can lower this likelihood; here each class that could have been predicted counts by how likely it
    is under the component, `p_j <- mean_i p_j q_ij / sum_j' p_j' q_ij'`, which cannot. Where q is 0 or 1 both
    are the same.
    """

    of_predictions: ClassVar[bool] = True

    def features(self, seen: Observations) -> Float[ndarray, "n f"]:
        """The probabilities."""
        return np.asarray(seen.probabilities, dtype=float)

    def fitted(self, means: Float[ndarray, "s f"]) -> Parameters:
        """Share of each class."""
        return (np.maximum(means, RAREST),)

    def log_density(self, features: Float[ndarray, "n f"], parameters: Parameters) -> Float[ndarray, "n s"]:
        """Log of the mean probability under the component's shares."""
        return np.asarray(np.log(np.maximum(features @ parameters[0].T, RAREST)))

    def statistics(
        self, features: Float[ndarray, "n f"], owned: Float[ndarray, "n s"], parameters: Parameters | None
    ) -> Float[ndarray, "s f"]:
        """Expected counts of each predicted class; of the plain probabilities where nothing is known yet."""
        if parameters is None:
            return np.asarray(owned.T @ features)
        (shares,) = parameters
        likely = np.maximum(features @ shares.T, RAREST)
        return np.asarray(shares * ((owned / likely).T @ features))

    def freedom(self, features: int) -> int:
        """Shares that sum to 1."""
        return features - 1


def _side(features: int) -> int:
    """The C of C + C^2 features."""
    return (int(np.sqrt(1 + 4 * features)) - 1) // 2
