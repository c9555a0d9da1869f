"""Do maps depend on the model at all? Sanity checks (Adebayo et al. 2018).

Maps of a model whose weights are random must have nothing in common with its maps. A map that stays the same
is a picture of the image, as an edge detector's is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn
from torch.nn import functional

from biaskit.errors import RequestError
from biaskit.records.estimate import Estimate, Unit
from biaskit.saliency.per_image import PerImage, rank_agreement
from biaskit.stats.bootstrap import two_way_interval

STAGES = 8
DRAWS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """Maps after one more stage was randomised.

    Attributes:
        stage: The modules that this step added.
        agreement: Spearman correlation of the maps with those of the trained model, one row a draw of
            weights; 0 is chance.
    """

    stage: tuple[str, ...]
    agreement: Float[ndarray, "draws n"]

    def estimate(self) -> Estimate:
        """Return the mean with an interval for other draws of weights and other images.

        One draw of weights can agree well or badly on all images at once, so images alone do not tell.
        """
        what = {"unit": Unit.ONE, "n": len(self.agreement), "resampling_unit": "weight draws x images"}
        method = "Spearman with the trained model's maps, mean over draws of weights and images"
        if np.isfinite(self.agreement).sum() < 2:
            return Estimate(value=None, method=method, reason="no two maps could be compared", **what)
        return Estimate(
            value=float(np.nanmean(self.agreement)),
            method=method,
            interval=two_way_interval(self.agreement),
            reason="the check asks how small the agreement is, not whether it is zero",
            **what,
        )


def cascade(
    module: nn.Module,
    maps: Callable[[], Float[Tensor, "n h w"]],
    rng: torch.Generator,
    stages: Sequence[Sequence[str]] | None = None,
    draws: int = DRAWS,
) -> tuple[Step, ...]:
    """Randomise a model's weights from the head to the stem, one stage more at each step.

    A stage is randomised by putting each parameter's own values in random order: the scale stays and nothing
    learnt is left. The weights are put back whatever happens. With two classes, randomising the head alone
    can keep the pattern and flip its sign; look at the second step.

    Args:
        module: The model that `maps` explains.
        maps: Computes the signed maps of the same images and targets each time.
        rng: Source of the orders.
        stages: Names of the modules of each stage, head first; None for `stages_of(module)`.
        draws: How many times the cascade is run with other random weights.

    Raises:
        RequestError: The model has no weights.
    """
    order = stages_of(module) if stages is None else stages
    if not order:
        raise RequestError("The model has no weights to randomise.", fix="Give a module with parameters.")
    trained, rows = maps(), []
    for _ in range(draws):
        with restored(module):
            rows.append([_after(module, stage, maps, rng) for stage in order])
    agreements = [
        np.stack([maps_agreement(found[i], trained).values for found in rows]) for i in range(len(order))
    ]
    return tuple(Step(tuple(stage), found) for stage, found in zip(order, agreements, strict=True))


def data_randomisation(
    trained: Float[Tensor, "n h w"], on_shuffled_labels: Float[Tensor, "n h w"]
) -> PerImage:
    """Compare maps with those of the same architecture trained to fit shuffled labels; it should be 0."""
    return maps_agreement(on_shuffled_labels, trained)


def edge_map(pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n h w"]:
    """Length of the Sobel gradient of the grey image: knows no model, and passes for a map by eye.

    The negative control of `cascade`: its agreement is 1 at every step.
    """
    grey = functional.pad(pixels.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    across = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    kernels = torch.stack([across, across.T])[:, None].to(grey.dtype)
    return functional.conv2d(grey, kernels).square().sum(1).sqrt()


def maps_agreement(one: Float[Tensor, "n h w"], other: Float[Tensor, "n h w"]) -> PerImage:
    """Spearman correlation over the cells, image by image; a constant first map agrees by 0."""
    rho = rank_agreement(one.flatten(1).numpy(), other.flatten(1).numpy())
    return PerImage(rho, Unit.ONE, "Spearman of two maps over their cells, mean over images")


def stages_of(module: nn.Module, most: int = STAGES) -> tuple[tuple[str, ...], ...]:
    """Group the modules that hold parameters, head first, into the head alone and up to `most` - 1 others.

    Modules come in the order they were registered, which is the order they run in for most models.
    """
    names = [
        name
        for name, part in module.named_modules()
        if next(part.parameters(recurse=False), None) is not None
    ][::-1]
    rest, groups = names[1:], min(most - 1, len(names) - 1)
    cuts = [round(i * len(rest) / groups) for i in range(groups + 1)] if groups > 0 else [0]
    parts = [rest[low:high] for low, high in pairwise(cuts)]
    return tuple(tuple(part) for part in (names[:1], *parts) if part)


@contextmanager
def restored(module: nn.Module) -> Iterator[None]:
    """Put a module's parameters back when the block is left, however it is left."""
    kept = [parameter.detach().clone() for parameter in module.parameters()]
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, value in zip(module.parameters(), kept, strict=True):
                parameter.copy_(value)


def _after(
    module: nn.Module, stage: Sequence[str], maps: Callable[[], Tensor], rng: torch.Generator
) -> Tensor:
    for name in stage:
        _shuffle(module.get_submodule(name), rng)
    return maps()


def _shuffle(part: nn.Module, rng: torch.Generator) -> None:
    with torch.no_grad():
        for parameter in part.parameters(recurse=False):
            order = torch.randperm(parameter.numel(), generator=rng).to(parameter.device)
            parameter.copy_(parameter.flatten()[order].reshape(parameter.shape))
