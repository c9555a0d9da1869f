"""The bias study: what a group's word adds to a target's, over targets, groups and templates."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from biaskit.analyzers.diffusion_pid.asking import Informations
from biaskit.analyzers.diffusion_pid.questions import of_groups
from biaskit.analyzers.diffusion_pid.wordings import Wording, wordings
from biaskit.decomposition.contrast import Contrast

if TYPE_CHECKING:
    from biaskit.analyzers.diffusion_pid.asking import Asker
    from biaskit.analyzers.diffusion_pid.scenes import Painter, Scene
    from biaskit.session import GroupComparison


@dataclass(frozen=True, slots=True, eq=False)
class TargetStudy:
    """What was measured on the images of one target, in nats; one row an image.

    Attributes:
        target: The target.
        groups: Names of the groups.
        scenes: The images, one scene a template.
        worded: The prompts of each template.
        templates: Number of the template of each image.
        alone: i(x; target).
        group: i(x; group).
        joint: i(x; target and group).
        given: i(x; group | target).
    """

    target: str
    groups: tuple[str, ...]
    scenes: tuple[Scene, ...]
    worded: tuple[Wording, ...]
    templates: Int[ndarray, " n"]
    alone: Informations
    group: Informations
    joint: Informations
    given: Informations

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the images."""
        return tuple(name for scene in self.scenes for name in scene.names)


def study(compared: GroupComparison, target: str, painter: Painter, asker: Asker, each: int) -> TargetStudy:
    """Draw the images of a target and measure every contrast on them, template by template.

    Args:
        compared: Targets and groups.
        target: The target.
        painter: Who draws the images.
        asker: Who measures.
        each: Images a template.
    """
    worded = wordings(compared, target)
    scenes = painter.of_target(target, worded, each)
    found = Informations.joined(
        [_asked(asker, scene, wording) for scene, wording in zip(scenes, worded, strict=True)]
    )
    count = len(compared.groups.groups)
    ends = np.cumsum([0, 1, count, count, count]).tolist()
    alone, group, joint, given = (found.columns(*pair) for pair in pairwise(ends))
    return TargetStudy(
        target=target,
        groups=tuple(compared.groups.groups),
        scenes=scenes,
        worded=worded,
        templates=np.repeat(np.arange(len(scenes)), [len(scene) for scene in scenes]),
        alone=alone,
        group=group,
        joint=joint,
        given=given,
    )


def _asked(asker: Asker, scene: Scene, wording: Wording) -> Informations:
    """Ask for the target, each group, both, and each group given the target, in that order."""
    design = of_groups(wording.alone, wording.groups, wording.joint)
    return asker.ask(scene, design.prompts, design.contrasts)


def given_target(asker: Asker, scene: Scene, wording: Wording) -> Float[ndarray, "n g"]:
    """Ask for each group given the target alone, standard."""
    pairs = [Contrast(added=1 + number, given=0) for number in range(len(wording.joint))]
    return asker.ask(scene, (wording.alone, *wording.joint), pairs).standard


@dataclass(frozen=True, slots=True, eq=False)
class Doses:
    """How likely the model takes each group to be, given the target; see `doses`.

    Attributes:
        target: The target.
        surprisals: -log of each group's share, in nats; one row an image number, one column a group.
        templates: Number of the template of each row.
        names: Name of each row's images.
    """

    target: str
    surprisals: Float[ndarray, "n g"]
    templates: Int[ndarray, " n"]
    names: tuple[str, ...]


def doses(compared: GroupComparison, target: str, painter: Painter, asker: Asker, each: int) -> Doses:
    """Measure each group's surprisal on images that are drawn with the group named.

    For images of the prompt that names the group g beside the target o, the average of i(x; g | o) is the
    divergence of p(x | g, o) from p(x | o). Where the image shows the group this is -log p(g | o): a group
    that the model would have drawn anyway adds nothing. Both estimators have this average for a denoiser that
    is exact; the orthogonal one is used because it is the steadier. Image i of every group starts from the
    same noise.
    """
    worded = wordings(compared, target)
    rows = [
        np.stack(
            [
                _surprisal(painter.draw(joint, each, whose=target, first=place * each), wording.alone, asker)
                for joint in wording.joint
            ],
            axis=1,
        )
        for place, wording in enumerate(worded)
    ]
    return Doses(
        target=target,
        surprisals=np.concatenate(rows),
        templates=np.repeat(np.arange(len(worded)), each),
        names=tuple(f"{wording.alone} #{number}" for wording in worded for number in range(each)),
    )


def _surprisal(scene: Scene, alone: str, asker: Asker) -> Float[ndarray, " k"]:
    """Read i(x; group | target) of images that were drawn with the group named."""
    found = asker.ask(scene, (alone, scene.prompt), (Contrast(added=1, given=0),))
    return np.asarray(found.orthogonal[:, 0])


def own_share(given: Float[ndarray, "n g"]) -> Float[ndarray, "n g"]:
    """Return, for each image, how likely each group is by the model's own likelihood.

    `softmax_g i(x; g | o)`, as p(x | g, o) is p(x | o) e^{i(x; g | o)} and the groups count as equally
    likely.
    """
    weights = np.exp(given - given.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
