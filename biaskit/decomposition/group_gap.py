"""How much worse a model explains the images of one group than those of another, without drawing any.

The denoising error of a model at a log-SNR says how much of the images' structure at that scale it does not
expect; half its integral is -log p(x | prompt) but for a part that is the same for all images. All images
meet the same levels and noise, so that what differs between groups is their images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from scipy import stats
from torch import Tensor

from biaskit.decomposition.measure import Asked, measure
from biaskit.errors import RequestError, UnknownNameError
from biaskit.records.estimate import Interval

if TYPE_CHECKING:
    from biaskit.decomposition.denoiser import Denoiser


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """A curve over log-SNR with an interval at each node, over images.

    Attributes:
        mean: The curve.
        half_width: Half the width of its t interval.
    """

    mean: Float[ndarray, " k"]
    half_width: Float[ndarray, " k"]


class Gap(NamedTuple):
    """A difference of two groups' integrated errors.

    Attributes:
        value: In nats; above 0 where the first group is explained worse.
        interval: Over images and over levels and noise.
    """

    value: float
    interval: Interval


@dataclass(frozen=True, slots=True, eq=False)
class GroupErrors:
    """Denoising errors of groups of images under one prompt.

    Attributes:
        log_snrs: Mean log-SNR of each node, ascending.
        errors: Error of each image of each group at each node, summed over the latent.
        losses: Half the integrated error of each image in each replicate of the rule, in nats.
        level: Confidence level of intervals.
    """

    log_snrs: Float[ndarray, " k"]
    errors: Mapping[str, Float[ndarray, "_ k"]]
    losses: Mapping[str, Float[ndarray, "_ r"]]
    level: float

    def curve(self, group: str) -> Band:
        """Return the mean error of a group's images at each node."""
        values = self._of(group, self.errors)
        spread = values.std(axis=0, ddof=1) / np.sqrt(len(values))
        critical = stats.t.ppf((1 + self.level) / 2, len(values) - 1)
        return Band(values.mean(axis=0), critical * spread)

    def gap_curve(self, group: str, other: str) -> Band:
        """Return the mean error of a group minus that of another at each node, with Welch's intervals."""
        one, two = self._of(group, self.errors), self._of(other, self.errors)
        parts = [(each.var(axis=0, ddof=1) / len(each), len(each) - 1) for each in (one, two)]
        half = _half_width(parts, self.level)
        return Band(one.mean(axis=0) - two.mean(axis=0), half)

    def gap(self, group: str, other: str) -> Gap:
        """Return the difference of cross-entropies of two groups, in nats, on the trained log-SNRs.

        `1/2 INT E ||eps - e(z)||^2 d alpha` over a group's images minus that over the other's. The variance
        adds that of the two means over images to that of the difference over replicates, because levels and
        noise are shared by the images; degrees of freedom by Welch and Satterthwaite. What noise does to
        single images is counted in both, so the interval errs on the wide side.
        """
        one, two = self._of(group, self.losses), self._of(other, self.losses)
        runs = one.mean(axis=0) - two.mean(axis=0)
        means = (one.mean(axis=1), two.mean(axis=1))
        parts = [(each.var(ddof=1) / len(each), len(each) - 1) for each in (*means, runs)]
        value, half = float(runs.mean()), float(_half_width(parts, self.level))
        sizes = f"{len(one)} and {len(two)} images, {len(runs)} replicates"
        method = f"Welch t over {sizes} of shared levels and noise"
        return Gap(value, Interval(low=value - half, high=value + half, level=self.level, method=method))

    def _of(self, group: str, held: Mapping[str, Float[ndarray, "_ _"]]) -> Float[ndarray, "_ _"]:
        if group not in held:
            raise UnknownNameError("group", group, tuple(held))
        return held[group]


def group_errors(
    denoiser: Denoiser,
    groups: Mapping[str, Float[Tensor, "_ c h w"]],
    prompt: str = "",
    asked: Asked | None = None,
) -> GroupErrors:
    """Measure a model's denoising errors on the images of several groups, all under one prompt.

    Args:
        denoiser: The model.
        groups: Images of each group, as the model denoises them.
        prompt: The prompt; the empty one asks for what the model knows without text.
        asked: How much is computed, and what is kept; levels and noise are shared in any case, replicates
            are not added one image at a time, and keys are told group by group.

    Raises:
        RequestError: There are fewer than two images in a group or two replicates, or images do not fit.
        ActivationError: A prediction is NaN or infinite.
    """
    wanted = asked or Asked()
    plan = replace(wanted.plan, shared=True, enough=None)
    if len(groups) < 2 or min(len(images) for images in groups.values()) < 2 or plan.replicates < 2:
        raise RequestError("A gap between groups needs two groups, two images in each, and two replicates.")
    latents = torch.cat(list(groups.values()))
    found = measure(denoiser, latents, [prompt], [], replace(wanted, plan=plan, maps=False))
    ends = np.cumsum([len(images) for images in groups.values()])[:-1]
    errors = np.split(found.curves.errors[:, 0], ends)
    losses = np.split(found.losses.values[:, 0], ends)
    return GroupErrors(
        log_snrs=found.curves.log_snrs,
        errors=dict(zip(groups, errors, strict=True)),
        losses=dict(zip(groups, losses, strict=True)),
        level=plan.level,
    )


def _half_width(parts: list[tuple[Float[ndarray, ...], int]], level: float) -> Float[ndarray, ...]:
    """Half the width of a t interval where variances of means, each with its own freedom, add up."""
    variance = np.sum([part for part, _ in parts], axis=0)
    shares = np.sum([np.square(part) / freedom for part, freedom in parts], axis=0)
    least = min(freedom for _, freedom in parts)
    freedom = np.divide(np.square(variance), shares, out=np.full_like(variance, least), where=shares > 0)
    return np.asarray(stats.t.ppf((1 + level) / 2, freedom) * np.sqrt(variance))
