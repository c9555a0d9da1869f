"""Which images choose how maps are computed, and which judge it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from numpy import ndarray
from torch import Tensor

from biaskit.errors import RequestError

FEWEST = 6


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """Images that layers and methods are tried on.

    Attributes:
        pixels: The images.
        targets: The class that is explained of each.
        clusters: What each was sampled with; None: each image alone.
    """

    pixels: Float[Tensor, "n c h w"]
    targets: Int[Tensor, " n"]
    clusters: Shaped[ndarray, " n"] | None

    def rows(self, most: int, rng: np.random.Generator) -> tuple[Int[Tensor, " c"], Int[Tensor, " j"]]:
        """Draw the rows that choose, about a third of up to `most`, and those that judge.

        Images of one cluster all lie on one side: what they have in common would else count as a merit of
        the layer that suits them.

        Raises:
            RequestError: There are fewer than six images, or all are of one cluster.
        """
        n = len(self.pixels)
        if n < FEWEST:
            raise RequestError(f"{n} images cannot choose a layer and judge it.", fix="Give at least six.")
        rows = rng.permutation(n)[:most]
        third = max(2, len(rows) // 3)
        first = np.arange(len(rows)) < third if self.clusters is None else _side(self.clusters[rows], third)
        return torch.from_numpy(np.sort(rows[first])), torch.from_numpy(np.sort(rows[~first]))

    def take(self, rows: Int[Tensor, " m"]) -> Given:
        """Return some of the images."""
        clusters = None if self.clusters is None else self.clusters[rows.numpy()]
        return Given(self.pixels[rows], self.targets[rows], clusters)


def clusters_of(names: Sequence[str], images: int) -> Shaped[ndarray, " n"] | None:
    """Return the cluster of each image; None where none are named.

    Raises:
        RequestError: There are other clusters than images.
    """
    if names and len(names) != images:
        raise RequestError(f"There are {len(names)} clusters for {images} images.", fix="Give one each.")
    return np.array(names) if names else None


def _side(owners: Shaped[ndarray, " n"], images: int) -> Bool[ndarray, " n"]:
    """Take clusters in the order of their first images while that brings their size nearer to `images`.

    Two are left on the other side where there are three or more; where none is taken, the smallest is.
    """
    names, places, sizes = np.unique(owners, return_index=True, return_counts=True)
    if len(names) < 2:
        raise RequestError(
            "Images of one cluster cannot choose a layer and judge it.",
            why="What they have in common would be taken for a merit of the layer.",
            fix="Give images of at least two clusters.",
        )
    chosen: list[int] = []
    for at in np.argsort(places).tolist():
        missing = images - int(sizes[chosen].sum())
        if sizes[at] < 2 * missing and len(names) - len(chosen) > 2:
            chosen.append(at)
    return np.isin(owners, names[chosen or [int(sizes.argmin())]])
