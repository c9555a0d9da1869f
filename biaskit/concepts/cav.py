"""Concept activation vectors: the weights of a logistic probe (TCAV, Kim et al. 2018, arXiv 1711.11279)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Num
from numpy import ndarray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from torch import Tensor

from biaskit.concepts.direction import ConceptDirection, as_float64, make_direction
from biaskit.concepts.probe_auc import FoldScores, clustered_auc
from biaskit.errors import RequestError
from biaskit.records.estimate import Estimate, Unit

PAPER_ITERATIONS = 100
"""scikit-learn's default, which the BiasLens paper left as it was (section 3.2.1)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    weight: Float[Tensor, " d"]
    bias: float
    iterations: int
    converged: bool


@dataclass(frozen=True, slots=True, eq=False)
class ConceptActivationVector:
    """A fitted logistic probe and what speaks for or against it.

    Attributes:
        direction: w / ||w|| with the decision boundary's point nearest the mean as its midpoint.
        weight: w in the space of the raw activations, float64.
        bias: b, so that P(concept | a) = sigmoid(<w, a> + b).
        held_out_auc: Area under the ROC curve on fillers the probe never saw.
        converged: Whether the solver reached its tolerance, in the full fit and in every fold.
        iterations: Iterations of the full fit.
        stability: Mean cosine between the vectors of any two folds, -1 to 1; None below two folds.
        fold_aucs: The AUC of each fold, whose mean `held_out_auc` is.
    """

    direction: ConceptDirection
    weight: Float[Tensor, " d"]
    bias: float
    held_out_auc: Estimate
    converged: bool
    iterations: int
    stability: float | None
    fold_aucs: tuple[float, ...] = ()

    def logits(self, activations: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Log-odds of the concept for each row, <w, a> + b, in nats."""
        return activations.double() @ self.weight + self.bias

    def steering_steps(
        self, activations: Float[Tensor, "n d"], probability: float = 0.999, step: float = 1.0
    ) -> Int[Tensor, " n"]:
        """How many steps along the vector take each row to `probability`.

        k = max(0, ceil((logit(probability) - (<w, a> + b)) / (step ||w||))), the closed form of
        "add step * v while sigmoid(<w, a> + b) < probability" (BiasLens, arXiv 2505.15524, Algorithm 1).

        Raises:
            RequestError: `probability` is not strictly between 0 and 1, or `step` is not positive.
        """
        if not 0 < probability < 1 or step <= 0:
            raise RequestError(
                f"Steering to {probability} in steps of {step} is not possible.",
                fix="Give a probability between 0 and 1 and a positive step.",
            )
        missing = math.log(probability / (1 - probability)) - self.logits(activations)
        return torch.ceil(missing / (step * self.direction.norm)).clamp_min(0).long()


@dataclass(frozen=True, slots=True, eq=False)
class CavFitter:
    """Settings of a logistic probe.

    Attributes:
        standardise: Scale every coordinate to unit variance before the fit (the vector is returned in
            the raw space). Without it the penalty weighs coordinates by their raw scale.
        inverse_penalty: scikit-learn's C of the L2 penalty.
        iterations: Most iterations of the solver.
        folds: Most folds of the held-out check; fewer where a class has fewer groups.
        seed: Seed of the folds and of the interval's bootstrap.
    """

    standardise: bool = True
    inverse_penalty: float = 1.0
    iterations: int = 1000
    folds: int = 5
    seed: int = 0

    @classmethod
    def paper(cls, seed: int = 0) -> CavFitter:
        """Return the settings of BiasLens: scikit-learn's defaults on raw activations."""
        return cls(standardise=False, iterations=PAPER_ITERATIONS, seed=seed)

    def fit(
        self, activations: Float[Tensor, "n d"], labels: Num[Tensor, " n"], groups: Sequence[str]
    ) -> ConceptActivationVector:
        """Fit the probe on all rows and check it on folds that never share a group.

        Args:
            activations: One row for each example.
            labels: 1 where the example shows the concept, 0 where it does not.
            groups: The filler of each example; no filler is ever in a fold's training and test rows.

        Raises:
            ActivationError: Activations are empty, NaN or infinite.
            RequestError: Labels are not 0 and 1, or the lengths differ.
        """
        rows = as_float64(activations, "given")
        target = _binary(labels, groups)
        whole = self._fit_once(rows, target)
        scores, fits = self._cross_fit(rows, target, np.asarray(groups))
        converged = whole.converged and all(fit.converged for fit in fits)
        if not converged:
            warnings.warn(_NOT_CONVERGED.format(self.iterations), ConvergenceWarning, stacklevel=2)
        return ConceptActivationVector(
            direction=_boundary(whole, rows.mean(dim=0)),
            weight=whole.weight,
            bias=whole.bias,
            held_out_auc=self._auc(scores),
            converged=converged,
            iterations=whole.iterations,
            stability=_mean_cosine([fit.weight for fit in fits]),
            fold_aucs=tuple(one.auc for one in scores),
        )

    def _fit_once(self, rows: Float[Tensor, "n d"], target: Bool[Tensor, " n"]) -> _Fit:
        centre, scale = torch.zeros(rows.shape[1]).double(), torch.ones(rows.shape[1]).double()
        if self.standardise:
            centre, scale = rows.mean(dim=0), rows.std(dim=0, correction=0)
            scale = torch.where(scale > 0, scale, 1.0)
        probe = LogisticRegression(C=self.inverse_penalty, max_iter=self.iterations)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            probe.fit(((rows - centre) / scale).numpy(), target.numpy())
        weight = torch.from_numpy(probe.coef_[0]) / scale
        return _Fit(
            weight=weight,
            bias=float(probe.intercept_[0]) - float(weight @ centre),
            iterations=int(probe.n_iter_[0]),
            converged=not any(issubclass(item.category, ConvergenceWarning) for item in caught),
        )

    def _cross_fit(
        self, rows: Float[Tensor, "n d"], target: Bool[Tensor, " n"], groups: ndarray
    ) -> tuple[list[FoldScores], list[_Fit]]:
        count = min(self.folds, *(len(set(groups[target.numpy() == side])) for side in (True, False)))
        if count < 2:
            return [], []
        folds = StratifiedGroupKFold(count, shuffle=True, random_state=self.seed)
        scores, fits = [], []
        for train, test in folds.split(groups, target.numpy(), groups):
            if len(set(target[train].tolist())) < 2 or len(set(target[test].tolist())) < 2:
                continue
            fit = self._fit_once(rows[train], target[train])
            held_out = (rows[test] @ fit.weight + fit.bias).numpy()
            scores.append(FoldScores(held_out, target[test].numpy(), groups[test]))
            fits.append(fit)
        return scores, fits

    def _auc(self, scores: list[FoldScores]) -> Estimate:
        if not scores:
            return Estimate(
                value=None,
                unit=Unit.AUC,
                n=0,
                resampling_unit="fillers",
                method="held-out AUC",
                reason="a class has fewer than two fillers, so none can be held out",
            )
        return clustered_auc(scores)


_NOT_CONVERGED = (
    "The logistic probe did not converge in {} iterations: its direction depends on where it stopped. "
    "Standardise the activations or allow more iterations."
)


def _binary(labels: Num[Tensor, " n"], groups: Sequence[str]) -> Bool[Tensor, " n"]:
    if len(groups) != len(labels):
        raise RequestError(
            f"There are {len(labels)} labels and {len(groups)} groups; give one each for a row."
        )
    if set(labels.tolist()) != {0, 1}:
        raise RequestError("Labels must be 0 and 1, with both present.")
    return labels.to(device="cpu").bool()


def _boundary(fit: _Fit, mean: Float[Tensor, " d"]) -> ConceptDirection:
    distance = (float(fit.weight @ mean) + fit.bias) / float(fit.weight @ fit.weight)
    return make_direction(fit.weight, mean - distance * fit.weight, "logistic")


def _mean_cosine(vectors: list[Float[Tensor, " d"]]) -> float | None:
    if len(vectors) < 2:
        return None
    units = torch.stack([vector / torch.linalg.vector_norm(vector) for vector in vectors])
    pairs = torch.triu_indices(len(units), len(units), offset=1)
    return float((units @ units.T)[pairs[0], pairs[1]].mean())
