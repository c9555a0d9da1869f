"""How much of an orthogonal information rounding alone can make: a check of a number format."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from biaskit.decomposition.contrast import Contrast
from biaskit.decomposition.denoiser import Denoiser
from biaskit.decomposition.noise import image_key
from biaskit.decomposition.passes import Passes
from biaskit.decomposition.plan import Plan
from biaskit.decomposition.rule import rule
from biaskit.errors import RequestError

SHARE = 0.05
_FEW = Plan(nodes=6, replicates=1)


class PrecisionWarning(UserWarning):
    """Rounding makes a good part of an information."""


@dataclass(frozen=True, slots=True, eq=False)
class PrecisionFloor:
    """What rounding adds to the orthogonal information of each contrast, a mean over the images tried.

    Attributes:
        dtype: The number format.
        prompts: The prompts.
        contrasts: What was compared with what.
        floor: Nats that rounding adds: what two prompts that say the same would seem to say.
        value: The orthogonal information in the reference's format, in nats.
        error: Root mean square error of a difference of predictions, as a share of the noise's standard
            deviation (1): tau in `floor = d tau^2 (range of log-SNR) / 2`.
    """

    dtype: torch.dtype
    prompts: tuple[str, ...]
    contrasts: tuple[Contrast, ...]
    floor: Float[ndarray, " c"]
    value: Float[ndarray, " c"]
    error: Float[ndarray, " c"]

    def remarks(self, share: float = SHARE) -> tuple[str, ...]:
        """Say for each contrast whose floor exceeds a share of its value how high it is, the worst first."""
        worst = np.argsort(-self.floor / np.maximum(self.value, np.finfo(float).tiny), kind="stable")
        return tuple(
            f"Rounding to {str(self.dtype).removeprefix('torch.')} adds about {floor:.2g} nats to what "
            f"'{self.prompts[pair.added]}' seems to say over '{self.prompts[pair.given]}' ({value:.2g} nats "
            "in float32). Run the model in float16 or float32 for orthogonal informations."
            for pair, floor, value in ((self.contrasts[at], self.floor[at], self.value[at]) for at in worst)
            if floor > share * value
        )

    def warn(self, share: float = SHARE) -> None:
        """Warn with `PrecisionWarning` where a floor exceeds a share of its value."""
        for remark in self.remarks(share):
            warnings.warn(remark, PrecisionWarning, stacklevel=2)


def precision_floor(
    denoiser: Denoiser,
    reference: Denoiser,
    latents: Float[Tensor, "n c h w"],
    prompts: Sequence[str],
    contrasts: Sequence[Contrast],
) -> PrecisionFloor:
    """Compare a model with itself in float32 at the same noisy images, at 6 log-SNRs an image.

    With D = e(z | given) - e(z | added) in the denoiser's format and D* in float32, the floor is `1/2 INT
    E ||D - D*||^2 d alpha`: what rounding errors, which know nothing of the image, add to `1/2 INT
    E ||D*||^2 d alpha`. It nearly cancels in the standard information.

    Args:
        denoiser: The model in the format that is asked about.
        reference: The same model in float32.
        latents: A few images.
        prompts: The prompts.
        contrasts: Which prompts are compared.

    Raises:
        RequestError: The reference is not float32 or float64, or has other levels.
        ActivationError: A prediction is NaN or infinite.
    """
    _check(denoiser, reference, latents)
    pairs = tuple(Contrast(*one) for one in contrasts)
    both = [_passes(one, prompts, pairs) for one in (denoiser, reference)]
    found = np.mean([_floor_and_value(both, latent) for latent in latents], axis=0)
    log_snrs = denoiser.log_snrs
    whole = float(log_snrs[-1] - log_snrs[0]) * latents[0].numel() / 2
    return PrecisionFloor(
        dtype=denoiser.dtype,
        prompts=tuple(prompts),
        contrasts=pairs,
        floor=found[0],
        value=found[1],
        error=np.sqrt(found[0] / whole),
    )


def _passes(denoiser: Denoiser, prompts: Sequence[str], contrasts: tuple[Contrast, ...]) -> Passes:
    return Passes(
        denoiser=denoiser,
        conditioning=denoiser.encode_prompts(prompts),
        contrasts=contrasts,
        rule=rule(denoiser.log_snrs.numpy()),
        plan=_FEW,
        maps=False,
    )


def _floor_and_value(both: Sequence[Passes], latent: Float[Tensor, "c h w"]) -> Float[ndarray, "2 _"]:
    nodes, noise = both[0].drawn(image_key(latent), 0)
    added, given = (list(column) for column in zip(*both[0].contrasts, strict=True))
    predicted = (torch.cat([one for _, one in each.predicted(latent, nodes, noise)]) for each in both)
    own, exact = ((each[:, :, given].double() - each[:, :, added].double()).cpu() for each in predicted)
    squares = torch.stack([own - exact, exact]).square().sum(dim=(4, 5, 6)).mean(dim=2)
    return np.asarray(torch.einsum("k,mkc->mc", torch.from_numpy(nodes.weights) / 2, squares))


def _check(denoiser: Denoiser, reference: Denoiser, latents: Float[Tensor, "n c h w"]) -> None:
    if reference.dtype not in {torch.float32, torch.float64}:
        raise RequestError(
            f"The reference runs in {reference.dtype}, which rounds as well.", fix="Load it in float32."
        )
    if not torch.equal(denoiser.log_snrs, reference.log_snrs) or denoiser.shape != reference.shape:
        raise RequestError("The reference must be the same model: its noise levels or its shape differ.")
    if not len(latents) or not bool(torch.isfinite(latents).all()):
        raise RequestError("A precision floor needs an image at least, without NaN.")
