"""Asking a model what prompts say about images, with the settings of the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from biaskit.decomposition.ledger import Ledger
from biaskit.decomposition.measure import Asked, measure
from biaskit.decomposition.measured import SHARE_OF_TAIL
from biaskit.decomposition.precision import PrecisionFloor, precision_floor

if TYPE_CHECKING:
    from biaskit.analyzers.diffusion_pid.scenes import Scene
    from biaskit.decomposition.contrast import Contrast
    from biaskit.decomposition.measured import Measured
    from biaskit.decomposition.plan import Plan
    from biaskit.session import DiffusionSession

HALF = (torch.float16, torch.bfloat16)


@dataclass(frozen=True, slots=True, eq=False)
class Informations:
    """Both kinds of information, one row an image, one column a contrast, in nats.

    Attributes:
        standard: Signed log-ratios.
        orthogonal: Never negative.
    """

    standard: Float[ndarray, "n c"]
    orthogonal: Float[ndarray, "n c"]

    def columns(self, start: int, end: int) -> Informations:
        """Return some of the contrasts."""
        return Informations(self.standard[:, start:end], self.orthogonal[:, start:end])

    @staticmethod
    def joined(found: Sequence[Informations]) -> Informations:
        """Put the images of several scenes below each other."""
        return Informations(
            np.concatenate([one.standard for one in found]),
            np.concatenate([one.orthogonal for one in found]),
        )


@dataclass(eq=False)
class Asker:
    """Measures scenes.

    Attributes:
        session: Model, cache and progress.
        plan: How much is computed.
        passes: Rows the network was given so far.
        outside: Largest share of a contrast's orthogonal information outside the trained noise levels.
        floor: What rounding adds, on the first image, where the model runs in half precision.
    """

    session: DiffusionSession
    plan: Plan
    passes: int = 0
    outside: float = 0.0
    floor: PrecisionFloor | None = None

    def measured(
        self, scene: Scene, prompts: Sequence[str], contrasts: Sequence[Contrast], *, maps: bool = False
    ) -> Measured:
        """Measure contrasts of prompts on the images of a scene."""
        self._check_format(scene, prompts, contrasts)
        asked = Asked(plan=self.plan, maps=maps, keys=scene.names, ledger=self._ledger)
        found = measure(self.session.model, scene.latents, prompts, contrasts, asked)
        self.passes += found.passes
        self.outside = max(self.outside, _outside(found))
        return found

    def asked(self, names: tuple[str, ...]) -> Asked:
        """Return the request for denoising errors of images; intervals need two replicates at least."""
        plan = replace(self.plan, replicates=max(2, self.plan.replicates))
        self.passes += len(names) * plan.passes
        return Asked(plan=plan, keys=names, ledger=self._ledger)

    def ask(self, scene: Scene, prompts: Sequence[str], contrasts: Sequence[Contrast]) -> Informations:
        """Return means over replicates of both informations."""
        found = self.measured(scene, prompts, contrasts)
        return Informations(found.standard.mean, found.orthogonal.mean)

    def remarks(self) -> tuple[str, ...]:
        """Say what trained noise levels miss, above one part in a hundred, and what rounding adds."""
        rounding = self.floor.remarks()[:1] if self.floor else ()
        if self.outside <= SHARE_OF_TAIL:
            return rounding
        return (
            *rounding,
            f"By estimate up to {self.outside:.0%} of what words say lies outside the noise levels that the "
            "model was trained on; it is not in the figures.",
        )

    def _check_format(self, scene: Scene, prompts: Sequence[str], contrasts: Sequence[Contrast]) -> None:
        """Compare the model with itself in float32 once, where it runs in less."""
        model = self.session.model
        if self.floor is None and model.dtype in HALF:
            self.floor = precision_floor(model, model.in_float32(), scene.latents[:1], prompts, contrasts)

    @property
    def _ledger(self) -> Ledger | None:
        if self.session.cache is None:
            return None
        subject = self.session.model.subject
        return Ledger(self.session.cache, f"{subject.fingerprint}/{subject.dtype}/{subject.device}")


def _outside(found: Measured) -> float:
    """The largest share, over contrasts, of the orthogonal information that lies outside."""
    missed = (found.tails.low + found.tails.high).sum(axis=0)
    whole = found.orthogonal.mean.sum(axis=0) + missed
    return float(np.max(missed / np.where(whole > 0, whole, 1.0)))
