"""Which targets lack a group by more than is tolerated, beyond chance: those alone are mended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int
from numpy import ndarray
from scipy import stats

from biaskit.stats.multiplicity import holm

if TYPE_CHECKING:
    from biaskit.mitigations.steer_scene import Scene
    from biaskit.steering.trajectories import Stage

LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Lean:
    """What a target's images show before anything is edited.

    Attributes:
        target: The target.
        number: Number of the rarest group.
        share: Its share.
        p: Exact p that it has what is tolerated, corrected by Holm over targets.
    """

    target: str
    number: int
    share: float
    p: float

    @property
    def lacks(self) -> bool:
        """Whether the group is too rare beyond chance."""
        return self.p <= LEVEL


def leans(scene: Scene, stage: Stage, images: int, least: float) -> list[Lean]:
    """Draw every target and test its rarest group.

    `p = min(1, G P(X <= count))` with X binomial of the images and `least`, the smallest share that is
    tolerated, and G the number of groups that could have been the rarest; Holm's correction over targets.
    """
    names, counts = list(scene.compared.targets.targets), []
    tracked = scene.session.progress.track(names, "looking for leans", len(names))
    for place, name in enumerate(tracked):
        seen = scene.labels(stage.draw(scene.searched(name, place, images)))
        counts.append(np.bincount(seen, minlength=len(scene.classifier.classes)))
    return rarest_groups(names, counts, least)


def rarest_groups(names: Sequence[str], counts: Sequence[Int[ndarray, " g"]], least: float) -> list[Lean]:
    """Test the rarest group of each target; see `leans`."""
    rarest = [int(one.argmin()) for one in counts]
    alone = [
        min(1.0, len(one) * float(stats.binom.cdf(one[number], one.sum(), least)))
        for one, number in zip(counts, rarest, strict=True)
    ]
    adjusted = holm(np.array(alone))
    return [
        Lean(name, number, float(one[number] / one.sum()), float(p))
        for name, number, one, p in zip(names, rarest, counts, adjusted, strict=True)
    ]
