"""Erasing a concept from activations: mean projection, LEACE, INLP, and random erasers to compare with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Num
from numpy import ndarray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold
from torch import Tensor

from biaskit.concepts.direction import as_float64
from biaskit.errors import RequestError
from biaskit.hooks.edits import Affine, Edit, Erase


@dataclass(frozen=True, slots=True, eq=False)
class Eraser:
    """The affine map r(x) = x - L R (x - m), with R of k rows and L of k columns.

    Attributes:
        left: L, the directions taken away (orthonormal and equal to R^T for a projection).
        right: R, what is read of each activation.
        mean: m, the point that stays where it is.
        method: `mean_projection`, `leace`, `inlp` or `random`.
    """

    left: Float[Tensor, "d k"]
    right: Float[Tensor, "k d"]
    mean: Float[Tensor, " d"]
    method: str

    @property
    def rank(self) -> int:
        """How many dimensions are taken away."""
        return self.right.shape[0]

    @property
    def matrix(self) -> Float[Tensor, "d d"]:
        """A = I - L R, so that r(x) = m + A (x - m)."""
        return torch.eye(len(self.mean), dtype=self.mean.dtype) - self.left @ self.right

    def __call__(self, activations: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Return the erased rows, computed in float64 and returned in the rows' own type."""
        rows = activations.to(device="cpu", dtype=torch.float64)
        erased = rows - (rows - self.mean) @ self.right.T @ self.left.T
        return erased.to(activations)

    def edit(self) -> Edit:
        """Return the change for `biaskit.hooks.edit` that does the same inside a running model."""
        if torch.equal(self.left, self.right.T):
            return Erase(basis=self.right, mean=self.mean)
        return Affine(matrix=self.matrix, mean=self.mean)


def mean_projection(directions: Float[Tensor, "k d"], mean: Float[Tensor, " d"]) -> Eraser:
    """Erase the span of `directions`: h' = h - <h - m, u> u for an orthonormal basis u of the span.

    Directions that depend on the others add nothing to the span; the eraser's rank is that of the span.

    Raises:
        ActivationError: A direction or the mean holds NaN or infinite values.
        RequestError: Every direction is zero.
    """
    rows = as_float64(directions, "direction")
    _, sizes, basis = torch.linalg.svd(rows, full_matrices=False)
    kept = sizes > sizes.max() * max(rows.shape) * torch.finfo(torch.float64).eps
    if not kept.any():
        raise RequestError("All directions to erase are zero.", fix="Give at least one direction.")
    return _projection(basis[kept], as_float64(mean[None], "mean")[0], "mean_projection")


def random_erasers(
    count: int, rank: int, mean: Float[Tensor, " d"], generator: torch.Generator
) -> tuple[Eraser, ...]:
    """Draw `count` projections of equal rank in uniformly random directions, around the same mean.

    Raises:
        RequestError: `rank` exceeds the width of the activations.
    """
    width = len(mean)
    if not 0 < rank <= width:
        raise RequestError(f"A rank of {rank} does not fit {width}-dimensional activations.")
    draws = torch.randn(count, width, rank, generator=generator, dtype=torch.float64)
    centre = mean.to(device="cpu", dtype=torch.float64)
    return tuple(_projection(torch.linalg.qr(draw).Q.T, centre, "random") for draw in draws)


class LeaceFitter:
    """Least-squares concept erasure, fitted batch by batch (Belrose et al. 2023, arXiv 2306.03819).

    r(x) = x - W^+ P W (x - E x), with W = (Sigma_xx^{1/2})^+ and P the orthogonal projector on the
    column space of W Sigma_xz: no linear classifier of z from r(x) beats a constant on the fitted rows,
    and of all affine maps with that property r moves the rows least in mean square.

    Moments are kept in float64 and merged exactly (Chan et al. 1983), so batches do not matter.

    With `shrinkage` s, W whitens (1 - s) Sigma_xx + s (tr Sigma_xx / d) I. P W Sigma_xz = W Sigma_xz holds
    for any invertible W, so the fitted rows are guarded exactly as before and only the smallest edit is given
    up; few rows in many dimensions then make no direction of rounding look informative. At s = 1 it is the
    orthogonal projection onto the complement of Sigma_xz.

    Args:
        shrinkage: s, from 0 to 1.
    """

    def __init__(self, shrinkage: float = 0.0) -> None:
        if not 0 <= shrinkage <= 1:
            raise RequestError(f"A shrinkage of {shrinkage:g} lies outside 0 to 1.")
        self._shrinkage = shrinkage
        self._count = 0
        self._mean_x = self._mean_z = torch.zeros(0, dtype=torch.float64)
        self._xx = self._xz = self._zz = torch.zeros(0, dtype=torch.float64)

    def update(self, activations: Float[Tensor, "n d"], concept: Num[Tensor, "m ..."]) -> LeaceFitter:
        """Take in rows with their concept: labels 0 and 1, a graded label, or one column for each class.

        Raises:
            ActivationError: Rows are missing, NaN or infinite.
            RequestError: The lengths or widths differ from each other or from earlier batches.
        """
        x = as_float64(activations, "given")
        z = as_float64(concept.reshape(len(concept), -1), "concept")
        if len(x) != len(z):
            raise RequestError(f"There are {len(x)} activations and {len(z)} concept values.")
        if not self._count:
            self._start(x.shape[1], z.shape[1])
        if (x.shape[1], z.shape[1]) != tuple(self._xz.shape):
            raise RequestError(f"The batch is {x.shape[1]} wide, earlier ones {self._xz.shape[0]}.")
        self._merge(x, z)
        return self

    def fit(self) -> Eraser:
        """Return the eraser of all rows taken in so far; its rank is 1 for a binary concept.

        Raises:
            RequestError: Fewer than two rows, or no row's activation goes with the concept.
        """
        if self._count < 2:
            raise RequestError("LEACE needs at least two rows.", fix="Call update() first.")
        root, whiten = _root_and_inverse(self._covariance())
        cross = whiten @ self._xz / self._count
        span, sizes, _ = torch.linalg.svd(cross, full_matrices=False)
        scale = float(torch.sqrt(self._zz.sum() / self._count))
        kept = span[:, sizes > 1e-9 * scale]
        if not kept.shape[1]:
            raise RequestError(
                "No linear trace of the concept is left to erase.",
                why="The concept is constant, or uncorrelated with every direction of the activations.",
            )
        return Eraser(root @ kept, kept.T @ whiten, self._mean_x, "leace")

    def _covariance(self) -> Float[Tensor, "d d"]:
        found = self._xx / self._count
        if not self._shrinkage:
            return found
        flat = torch.eye(len(found), dtype=found.dtype) * (found.trace() / len(found))
        return torch.lerp(found, flat, self._shrinkage)

    def _start(self, width: int, columns: int) -> None:
        self._mean_x = torch.zeros(width, dtype=torch.float64)
        self._mean_z = torch.zeros(columns, dtype=torch.float64)
        self._xx = torch.zeros(width, width, dtype=torch.float64)
        self._xz = torch.zeros(width, columns, dtype=torch.float64)
        self._zz = torch.zeros(columns, dtype=torch.float64)

    def _merge(self, x: Float[Tensor, "n d"], z: Float[Tensor, "n k"]) -> None:
        share = len(x) / (self._count + len(x))
        mean_x, mean_z = x.mean(dim=0), z.mean(dim=0)
        step_x, step_z = mean_x - self._mean_x, mean_z - self._mean_z
        weight = self._count * share
        self._xx += (x - mean_x).T @ (x - mean_x) + weight * torch.outer(step_x, step_x)
        self._xz += (x - mean_x).T @ (z - mean_z) + weight * torch.outer(step_x, step_z)
        self._zz += ((z - mean_z) ** 2).sum(dim=0) + weight * step_z**2
        self._mean_x, self._mean_z = self._mean_x + share * step_x, self._mean_z + share * step_z
        self._count += len(x)


def fit_leace(activations: Float[Tensor, "n d"], concept: Num[Tensor, "m ..."]) -> Eraser:
    """Fit LEACE on rows that are all at hand; see `LeaceFitter`."""
    return LeaceFitter().update(activations, concept).fit()


@dataclass(frozen=True, slots=True, eq=False)
class NullspaceProjection:
    """What INLP did.

    Attributes:
        eraser: The projection onto the null space of all classifiers that were taken away; its rank is 0
            where already the first was at chance.
        accuracies: Cross-validated balanced accuracy before each step, 0 to 1; the last one is that of what
            is left.
        chance: What no better than chance means here: one half plus one binomial standard error.
        reached_chance: Whether the last accuracy is at chance; false where the iterations ran out.
    """

    eraser: Eraser
    accuracies: tuple[float, ...]
    chance: float
    reached_chance: bool


@dataclass(frozen=True, slots=True)
class InlpFitter:
    """Iterative null-space projection (Ravfogel et al. 2020, arXiv 2004.07667).

    A logistic classifier is fitted, its direction is projected away, and again, until such classifiers tell
    held-out rows apart no better than chance. P = I - Q Q^T with Q an orthonormal basis of all weight vectors
    (in the raw space), which equals the published product of projections. It guards against linear readers
    alone: what is encoded otherwise (a radius, an exclusive or) stays.

    Attributes:
        iterations: Most directions that are taken away.
        folds: Folds of the accuracy; fewer where a class has fewer groups.
        inverse_penalty: scikit-learn's C of the classifiers, on standardised rows, classes weighted equally.
        seed: Seed of the folds.
    """

    iterations: int = 35
    folds: int = 4
    inverse_penalty: float = 1.0
    seed: int = 0

    def fit(
        self,
        activations: Float[Tensor, "n d"],
        labels: Num[Tensor, " m"],
        groups: Int[ndarray, " m"] | None = None,
    ) -> NullspaceProjection:
        """Take directions away until chance.

        Args:
            activations: One row an example.
            labels: 0 or 1 for each row.
            groups: Rows of one group are never both fitted and held out; None for rows on their own.

        Raises:
            ActivationError: Activations are missing, NaN or infinite.
            RequestError: Lengths differ, labels are not 0 and 1, or a class cannot be held out.
        """
        rows, target = as_float64(activations, "given"), _two_classes(labels, len(activations))
        folds = self._folds(target, np.arange(len(target)) if groups is None else groups)
        held = target[np.concatenate([held for _, held in folds])]
        chance = 0.5 + math.sqrt(1 / held.sum() + 1 / (~held).sum()) / 4
        mean, accuracies = rows.mean(dim=0), []
        found = torch.zeros(0, rows.shape[1], dtype=torch.float64)
        while True:
            left = _projection(found, mean, "inlp")(rows) - mean
            accuracies.append(self._accuracy(left, target, folds))
            reached = accuracies[-1] <= chance
            if reached or len(found) == min(self.iterations, rows.shape[1]):
                eraser = _projection(found, mean, "inlp")
                return NullspaceProjection(eraser, tuple(accuracies), chance, reached)
            weight = self._weight(left, target)
            # What rounding leaves inside the span would be blown up by the next scaling.
            fresh = weight - found.T @ (found @ weight)
            found = torch.cat([found, torch.nn.functional.normalize(fresh, dim=0)[None]])

    def _folds(
        self, target: Bool[ndarray, " n"], groups: Int[ndarray, " n"]
    ) -> list[tuple[Int[ndarray, " _"], Int[ndarray, " _"]]]:
        each = [len(np.unique(groups[target == side])) for side in (False, True)]
        count = min(self.folds, *each)
        if count < 2:
            raise RequestError(
                "INLP has to hold out rows of both classes, and one class is a single group.",
                fix="Give at least two groups of each class.",
            )
        divider = StratifiedGroupKFold(count, shuffle=True, random_state=self.seed)
        pairs = list(divider.split(target, target, groups))
        kept = [pair for pair in pairs if all(len(np.unique(target[part])) == 2 for part in pair)]
        if not kept:
            raise RequestError(
                "INLP has to hold out rows of both classes, and no division of the groups does.",
                fix="Give more groups of each class.",
            )
        return kept

    def _accuracy(
        self,
        rows: Float[Tensor, "n d"],
        target: Bool[ndarray, " n"],
        folds: list[tuple[Int[ndarray, " _"], Int[ndarray, " _"]]],
    ) -> float:
        """Balanced accuracy of classifiers on the rows they were not fitted on, all folds together."""
        told = []
        for fitted, held in folds:
            scale = _scale(rows[fitted])
            reader = self._reader().fit((rows[fitted] / scale).numpy(), target[fitted])
            told.append(reader.predict((rows[held] / scale).numpy()))
        held_out = np.concatenate([held for _, held in folds])
        return float(balanced_accuracy_score(target[held_out], np.concatenate(told)))

    def _weight(self, rows: Float[Tensor, "n d"], target: Bool[ndarray, " n"]) -> Float[Tensor, " d"]:
        """The weights of a classifier of all rows, in their own space."""
        scale = _scale(rows)
        reader = self._reader().fit((rows / scale).numpy(), target)
        return torch.from_numpy(reader.coef_[0]) / scale

    def _reader(self) -> LogisticRegression:
        return LogisticRegression(C=self.inverse_penalty, class_weight="balanced", max_iter=1000)


def inlp(
    activations: Float[Tensor, "n d"],
    labels: Num[Tensor, " m"],
    groups: Int[ndarray, " m"] | None = None,
    iterations: int = 35,
) -> NullspaceProjection:
    """Erase by iterative null-space projection with the default settings; see `InlpFitter`."""
    return InlpFitter(iterations=iterations).fit(activations, labels, groups)


def _two_classes(labels: Num[Tensor, " m"], rows: int) -> Bool[ndarray, " m"]:
    if len(labels) != rows:
        raise RequestError(f"There are {rows} activations and {len(labels)} labels.")
    if set(labels.tolist()) != {0, 1}:
        raise RequestError("Labels must be 0 and 1, with both present.")
    return labels.cpu().numpy().astype(bool)


def _scale(rows: Float[Tensor, "n d"]) -> Float[Tensor, " d"]:
    """Standard deviation of each coordinate, infinite where it is constant, so that it is divided away."""
    scale = rows.std(dim=0, correction=0)
    return torch.where(scale > 1e-9 * scale.max(), scale, torch.inf)


def _projection(basis: Float[Tensor, "k d"], mean: Float[Tensor, " d"], method: str) -> Eraser:
    return Eraser(basis.T.contiguous(), basis.contiguous(), mean, method)


def _root_and_inverse(covariance: Float[Tensor, "d d"]) -> tuple[Float[Tensor, "d d"], Float[Tensor, "d d"]]:
    values, vectors = torch.linalg.eigh(covariance)
    floor = values.max().clamp_min(0) * len(values) * torch.finfo(torch.float64).eps
    kept, basis = values[values > floor].sqrt(), vectors[:, values > floor]
    return (basis * kept) @ basis.T, (basis / kept) @ basis.T
