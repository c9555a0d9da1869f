"""Teacher-forced information: images noised, denoised under several prompts, errors compared.

    i^s(x; y | c) = 1/2 INT E_eps[ ||eps - e(z | c)||^2 - ||eps - e(z | c, y)||^2 ] d alpha
    i^o(x; y | c) = 1/2 INT E_eps ||e(z | c) - e(z | c, y)||^2 d alpha

over log-SNR alpha, z = sqrt(sigmoid(alpha)) x + sqrt(sigmoid(-alpha)) eps (Kong et al. 2023,
"Information-Theoretic Diffusion"; 2024, "Interpretable Diffusion via Information Decomposition"). Both are
cut to the log-SNRs that the model was trained at. All prompts meet the same noisy image, so their difference
is what is left, and no image is ever sampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.decomposition.contrast import Contrast
from biaskit.decomposition.denoiser import Denoiser
from biaskit.decomposition.gathering import Summary, beyond, curves, mapped, pointwise, summed_up
from biaskit.decomposition.ledger import Ledger
from biaskit.decomposition.measured import Measured, half_widths
from biaskit.decomposition.noise import image_key
from biaskit.decomposition.passes import Passes, Replicate
from biaskit.decomposition.plan import Enough, Kind, Plan
from biaskit.decomposition.rule import Rule, rule
from biaskit.errors import RequestError
from biaskit.records.progress import Progress, Silent

_STANDARD = Plan()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is wanted beside the numbers.

    Attributes:
        plan: How much is computed.
        maps: Whether informations are kept pixel by pixel.
        keys: What stands for each image in the noise and in the ledger; by default a digest of its latent.
        ledger: Where finished replicates are kept, so that a killed run goes on; None keeps nothing.
        progress: Who is told how far the work is.
    """

    plan: Plan = _STANDARD
    maps: bool = False
    keys: tuple[str, ...] = ()
    ledger: Ledger | None = None
    progress: Progress = field(default_factory=Silent)


def measure(
    denoiser: Denoiser,
    latents: Float[Tensor, "n c h w"],
    prompts: Sequence[str],
    contrasts: Sequence[Contrast],
    asked: Asked | None = None,
) -> Measured:
    """Measure what prompts say about images over other prompts.

    Equal prompts are run once, so a contrast of two equal prompts is exactly 0; prompts are run in the
    order of their texts, so their order here does not matter.

    Args:
        denoiser: The model.
        latents: The images, as the model denoises them.
        prompts: The prompts.
        contrasts: Which prompts are compared; none where the denoising errors alone are wanted.
        asked: How much is computed, and what is kept.

    Raises:
        RequestError: Latents, contrasts or keys do not fit.
        ActivationError: A prediction is NaN or infinite.
    """
    wanted = asked or Asked()
    contrasts = tuple(Contrast(*one) for one in contrasts)
    _check(denoiser, latents, prompts, contrasts, wanted)
    work = _Work.of(denoiser, latents, tuple(prompts), contrasts, wanted)
    found = [work.image(row) for row in wanted.progress.track(range(len(latents)), "measuring", len(latents))]
    return work.gathered(found)


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """Images, prompts that differ, and how they are run."""

    latents: Float[Tensor, "n c h w"]
    prompts: tuple[str, ...]
    contrasts: tuple[Contrast, ...]
    places: tuple[int, ...]
    passes: Passes
    asked: Asked

    @classmethod
    def of(
        cls,
        denoiser: Denoiser,
        latents: Float[Tensor, "n c h w"],
        prompts: tuple[str, ...],
        contrasts: tuple[Contrast, ...],
        asked: Asked,
    ) -> _Work:
        different = sorted(set(prompts))
        places = tuple(different.index(prompt) for prompt in prompts)
        log_snrs = denoiser.log_snrs.numpy()
        density = asked.plan.density
        chosen: Rule = rule(log_snrs, None if density is None else density.on(log_snrs))
        passes = Passes(
            denoiser=denoiser,
            conditioning=denoiser.encode_prompts(different),
            contrasts=tuple(Contrast(places[one.added], places[one.given]) for one in contrasts),
            rule=chosen,
            plan=asked.plan,
            maps=asked.maps,
        )
        return cls(latents, prompts, contrasts, places, passes, asked)

    def image(self, row: int) -> Summary:
        """Compute the replicates of one image until there are enough, and sum them up."""
        found: list[Replicate] = []
        for count in self.asked.plan.looks():
            found += [self._replicate(row, number) for number in range(len(found), count)]
            if _known_well_enough(found, self.asked.plan):
                break
        return summed_up(found, self.passes.denoiser.log_snrs)

    def _replicate(self, row: int, number: int) -> Replicate:
        latent = self.latents[row]
        key = self.asked.keys[row] if self.asked.keys else image_key(latent)
        if self.asked.ledger is None:
            return self.passes.run(latent, key, number)
        return self.asked.ledger.replicate(self.passes, latent, key, number)

    def gathered(self, found: Sequence[Summary]) -> Measured:
        """Put the images together."""
        plan, places = self.asked.plan, list(self.places)
        replicates = sum(one.losses.shape[1] for one in found)
        return Measured(
            prompts=self.prompts,
            contrasts=self.contrasts,
            standard=pointwise([one.standard for one in found], plan.level),
            orthogonal=pointwise([one.orthogonal for one in found], plan.level),
            losses=pointwise([one.losses[places] for one in found], plan.level),
            curves=curves(found, places),
            tails=beyond(found),
            maps=mapped(found) if self.asked.maps else None,
            passes=replicates * 2 * plan.nodes * len(self.passes.conditioning),
        )


def _known_well_enough(found: Sequence[Replicate], plan: Plan) -> bool:
    enough = plan.enough
    return enough is None or all(_met(found, kind, enough, plan.level) for kind in enough.kinds)


def _met(found: Sequence[Replicate], kind: Kind, enough: Enough, level: float) -> bool:
    values = torch.stack([getattr(one, kind) for one in found], dim=1).numpy()[None]
    half = half_widths(values, level)[0]
    allowed = np.maximum(enough.half_width, enough.relative * np.abs(values[0].mean(axis=1)))
    return bool((half <= allowed).all())


def _check(
    denoiser: Denoiser,
    latents: Float[Tensor, "n c h w"],
    prompts: Sequence[str],
    contrasts: Sequence[Contrast],
    asked: Asked,
) -> None:
    if tuple(latents.shape[1:]) != denoiser.shape or not len(latents):
        raise RequestError(
            f"The model denoises images of shape {denoiser.shape}, and was given {tuple(latents.shape)}.",
            fix="Encode the images with the model's own encode_images.",
        )
    if not bool(torch.isfinite(latents).all()):
        raise RequestError("An image is not a number somewhere (NaN or infinite).", fix="Leave it out.")
    if any(not 0 <= number < len(prompts) for pair in contrasts for number in pair):
        raise RequestError(f"A contrast names two of the {len(prompts)} prompts by their numbers.")
    if asked.keys and len(set(asked.keys)) != len(latents):
        raise RequestError("Each image needs a key of its own.")
