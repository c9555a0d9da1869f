"""Replicates of one image summed up, and images put together; maps are averaged before the next image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from biaskit.decomposition.measured import Curves, Maps, Pointwise, Tails
from biaskit.decomposition.tails import tails

if TYPE_CHECKING:
    from biaskit.decomposition.passes import Replicate


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """What all replicates of one image found.

    Attributes:
        standard: Standard information of each contrast by replicate.
        orthogonal: The orthogonal one.
        losses: Integrated denoising error of each prompt by replicate.
        errors: Mean denoising error of each prompt at each node.
        differences: Mean squared difference of each contrast at each node.
        log_snrs: Mean log-SNR of each node.
        tails: What lies below and above the trained log-SNRs.
        maps: Mean maps of both informations.
    """

    standard: Float[Tensor, "c r"]
    orthogonal: Float[Tensor, "c r"]
    losses: Float[Tensor, "p r"]
    errors: Float[Tensor, "p k"]
    differences: Float[Tensor, "c k"]
    log_snrs: Float[Tensor, " k"]
    tails: Float[Tensor, "2 c"]
    maps: Float[Tensor, "2 c _ _"]


def summed_up(found: Sequence[Replicate], log_snrs: Float[Tensor, " levels"]) -> Summary:
    """Sum up the replicates of one image."""
    return Summary(
        standard=torch.stack([one.standard for one in found], dim=1),
        orthogonal=torch.stack([one.orthogonal for one in found], dim=1),
        losses=torch.stack([one.errors @ one.weights / 2 for one in found], dim=1),
        errors=torch.stack([one.errors for one in found]).mean(dim=0),
        differences=torch.stack([one.differences for one in found]).mean(dim=0),
        log_snrs=torch.stack([log_snrs[one.levels] for one in found]).mean(dim=0),
        tails=torch.stack([tails(one, log_snrs) for one in found]).mean(dim=0),
        maps=torch.stack([torch.stack([one.standard_maps, one.orthogonal_maps]) for one in found]).mean(
            dim=0
        ),
    )


def pointwise(found: Sequence[Float[Tensor, "c _"]], level: float) -> Pointwise:
    """Put the replicates of all images in one table, filled up with NaN."""
    most = max(one.shape[1] for one in found)
    table = np.full((len(found), len(found[0]), most), np.nan)
    for row, one in enumerate(found):
        table[row, :, : one.shape[1]] = one.numpy()
    return Pointwise(table, level)


def curves(found: Sequence[Summary], places: Sequence[int]) -> Curves:
    """Put the integrands of all images together; `places` is where each prompt asked about was run."""
    return Curves(
        log_snrs=np.mean([one.log_snrs.numpy() for one in found], axis=0),
        errors=np.stack([one.errors.numpy()[list(places)] for one in found]),
        differences=np.stack([one.differences.numpy() for one in found]),
    )


def beyond(found: Sequence[Summary]) -> Tails:
    """Put the tails of all images together."""
    both: Float[ndarray, "n 2 c"] = np.stack([one.tails.numpy() for one in found])
    return Tails(low=both[:, 0], high=both[:, 1])


def mapped(found: Sequence[Summary]) -> Maps:
    """Put the maps of all images together."""
    return Maps(
        standard=np.stack([one.maps[0].numpy() for one in found]),
        orthogonal=np.stack([one.maps[1].numpy() for one in found]),
    )
