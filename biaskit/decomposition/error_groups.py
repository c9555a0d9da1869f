"""Groups of images, found without labels, on which a model's denoising error differs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float
from torch import Tensor

from biaskit.decomposition.measure import Asked, measure
from biaskit.decomposition.plan import Plan
from biaskit.errors import RequestError
from biaskit.stats.loss_groups import LossGroups, loss_groups

if TYPE_CHECKING:
    from biaskit.decomposition.denoiser import Denoiser

REPLICATES = 4


class Told(NamedTuple):
    """Prompts that images are denoised under.

    Attributes:
        prompt: The prompt; the empty one asks for what the model knows without text.
        baseline: A prompt whose loss is taken off, at the same noise: what then differs between images is
            what the prompt says of them, and not how hard they are in themselves. None takes nothing off.
    """

    prompt: str = ""
    baseline: str | None = None


def error_groups(
    denoiser: Denoiser,
    latents: Float[Tensor, "n c h w"],
    groups: int = 2,
    told: Told | None = None,
    asked: Asked | None = None,
) -> LossGroups:
    """Find groups of images that a model explains well and badly, all under one prompt.

    The loss of an image is half the integral of its denoising error over log-SNR, `1/2 INT E ||eps - e(z)||^2
    d alpha` in nats: but for a part that all images share, -log p(x | prompt). All images meet the same
    levels, spread evenly over log-SNR, and the same noise, so that no group is a group of noise levels.
    Groups are cut on half of the replicates and judged on the others; see `loss_groups`.

    Args:
        denoiser: The model.
        latents: The images, as the model denoises them.
        groups: How many groups.
        told: The prompt, and what is taken off; the empty prompt and nothing where it is None.
        asked: How much is computed; levels and noise are shared in any case.

    Raises:
        RequestError: There are too few images or replicates for so many groups.
        ActivationError: A prediction is NaN or infinite.
    """
    wanted = asked or Asked(plan=Plan(replicates=REPLICATES))
    plan = replace(wanted.plan, shared=True, enough=None)
    under = told or Told()
    prompts = [under.prompt] if under.baseline is None else [under.prompt, under.baseline]
    found = measure(denoiser, latents, prompts, [], replace(wanted, plan=plan, maps=False)).losses.values
    losses = found[:, 0] if under.baseline is None else found[:, 0] - found[:, 1]
    try:
        return loss_groups(losses, groups, np.random.default_rng(plan.seed), plan.level)
    except ValueError as error:
        raise RequestError(
            f"No {groups} groups can be found: {error}.", fix="Give more images, or ask for fewer groups."
        ) from error
