"""How far an edit takes images from real ones, from what they were, and from their prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy import linalg
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from biaskit.errors import RequestError

COMPONENTS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Real images, or what stands for them, in the leading principal components of their latents.

    Attributes:
        centre: Mean of the latents.
        axes: Principal components, one a column.
        rows: The images in them.
    """

    centre: Float[ndarray, " d"]
    axes: Float[ndarray, "d c"]
    rows: Float[ndarray, "n c"]

    @classmethod
    def of(cls, latents: Float[Tensor, "n ..."], components: int = COMPONENTS) -> Reference:
        """Take the leading components of some images' latents.

        Raises:
            RequestError: There are too few images for a covariance.
        """
        table = latents.flatten(1).double().numpy()
        kept = min(components, table.shape[1], len(table) - 1)
        if kept < 2:
            raise RequestError(f"{len(table)} images are too few to compare others with.")
        centre = table.mean(axis=0)
        axes = np.linalg.svd(table - centre, full_matrices=False)[2][:kept].T
        return cls(centre, axes, (table - centre) @ axes)

    def placed(self, latents: Float[Tensor, "n ..."]) -> Float[ndarray, "n c"]:
        """Return images in the components."""
        return np.asarray((latents.flatten(1).double().numpy() - self.centre) @ self.axes)

    def distance(self, latents: Float[Tensor, "n ..."]) -> float:
        """Frechet distance of two Gaussians: `|m - m'|^2 + tr(C + C' - 2 (C C')^1/2)` (Heusel et al. 2017).

        FID's formula on latents in place of a network's features, so the numbers are no FID.
        """
        return self.apart(self.placed(latents))

    def apart(self, rows: Float[ndarray, "n c"]) -> float:
        """Return the same distance of images that are placed already."""
        return frechet(rows, self.rows)

    def nearest(self, latents: Float[Tensor, "n ..."]) -> Float[ndarray, " n"]:
        """Distance of each image to the nearest real one, over all coordinates outside the components too."""
        table = latents.flatten(1).double().numpy() - self.centre
        inside = table @ self.axes
        outside = np.maximum((table**2).sum(axis=1) - (inside**2).sum(axis=1), 0.0)
        apart = ((inside[:, None] - self.rows[None]) ** 2).sum(axis=2).min(axis=1)
        return np.asarray(np.sqrt(apart + outside))


@dataclass(frozen=True, slots=True, eq=False)
class Distances:
    """How far each of some images is from the nearest reference image.

    Attributes:
        values: The distances.
        groups: Number of the group that each image shows.
    """

    values: Float[ndarray, " n"]
    groups: Int[ndarray, " n"]

    def rows(self, which: Int[ndarray, " m"]) -> Distances:
        """Return those of some images."""
        return Distances(self.values[which], self.groups[which])

    def mean(self, number: int) -> float | None:
        """Return the mean of a group's images; None where no image shows it."""
        own = self.values[self.groups == number]
        return float(own.mean()) if own.size else None


def farther(before: Distances, after: Distances, shares: Sequence[float]) -> float:
    """How much farther images got from real ones, with the groups' shares held equal.

    `sum_g s_g mean(after, g) / sum_g s_g mean(before, g) - 1` over the groups that images show before and
    after; of all images where there is no such group. So a group whose images vary more, or that the
    references hold few of, is no worse for being drawn more often.
    """
    pairs = [(before.mean(number), after.mean(number), share) for number, share in enumerate(shares)]
    known = [(one, other, share) for one, other, share in pairs if one is not None and other is not None]
    if not known:
        return float(after.values.mean() / before.values.mean() - 1)
    was, became = (sum(pair[side] * pair[2] for pair in known) for side in (0, 1))
    return became / was - 1


def evened(groups: Int[ndarray, " n"], shares: Sequence[float]) -> Int[ndarray, " m"]:
    """Return rows in which the groups have given shares, the first of each; all where a group is missing."""
    counts = np.bincount(groups, minlength=len(shares))
    wanted = [(int(count), share) for count, share in zip(counts, shares, strict=True) if share > 0]
    whole = min(count / share for count, share in wanted)
    if whole < 1:
        return np.arange(len(groups))
    kept = [np.flatnonzero(groups == number)[: round(share * whole)] for number, share in enumerate(shares)]
    return np.sort(np.concatenate(kept))


def frechet(one: Float[ndarray, "n c"], other: Float[ndarray, "m c"]) -> float:
    """Return the squared Frechet distance of Gaussians with the means and covariances of two samples."""
    apart = float(((one.mean(axis=0) - other.mean(axis=0)) ** 2).sum())
    first, second = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (one, other))
    root = _root(first)
    mixed = np.linalg.eigvalsh(root @ second @ root)
    return apart + float(np.trace(first) + np.trace(second) - 2 * np.sqrt(np.maximum(mixed, 0.0)).sum())


def _root(matrix: Float[ndarray, "c c"]) -> Float[ndarray, "c c"]:
    values, vectors = linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


@dataclass(frozen=True, slots=True, eq=False)
class PromptReader:
    """Reads off a finished image which prompt it was drawn for, as far as a linear probe can.

    Attributes:
        reference: Components that are read.
        model: The probe.
    """

    reference: Reference
    model: LogisticRegression

    @classmethod
    def of(cls, latents: Float[Tensor, "n ..."], owners: Int[ndarray, " n"]) -> PromptReader:
        """Fit the probe on unedited images and the numbers of their prompts' nouns."""
        reference = Reference.of(latents, 4 * COMPONENTS)
        return cls(reference, LogisticRegression(max_iter=2000).fit(reference.rows, owners))

    def reads(self, latents: Float[Tensor, "n ..."], owner: int) -> Bool[ndarray, " n"]:
        """Tell of each image whether it is read as one of noun `owner`."""
        return np.asarray(self.model.predict(self.reference.placed(latents)) == owner)
