"""What a mitigation of a generator works on: targets, groups, prompts, seeds that do not meet, references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from biaskit.errors import NothingAuditedError
from biaskit.records.probe_set import SLOT
from biaskit.records.table import slug
from biaskit.steering.quality import Reference, evened
from biaskit.steering.trajectories import Asked

if TYPE_CHECKING:
    from biaskit.protocols import AttributeClassifier
    from biaskit.session import DiffusionSession, GroupComparison
    from biaskit.steering.trajectories import Stage

STRIDE = 1_000_003
SEARCHED_FROM, AUDITED_FROM, REFERENCE_FROM = 0, 200_000_000, 400_000_000
"""First seeds of images of the search, of the audit, and of references; none of them meet."""
REFERENCES = 256


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """The first comparison of a session, the one that is balanced, and what else is watched.

    Attributes:
        session: Model and seed.
        compared: Targets and the groups that are balanced.
        classifier: Who tells the groups.
        watched: Classifiers of other groups, which should not move.
        references: References that were drawn or read so far, by target.
    """

    session: DiffusionSession
    compared: GroupComparison
    classifier: AttributeClassifier
    watched: tuple[AttributeClassifier, ...]
    references: dict[str, tuple[Reference, str]] = field(default_factory=dict, repr=False)

    @property
    def offset(self) -> int:
        """What the run's seed adds to the seeds of images."""
        return self.session.seed * STRIDE

    def prompts(self) -> list[str]:
        """Return prompts of every target and of neutral nouns, mixed."""
        targets, controls = self.compared.targets, self.compared.controls
        said = [one.text for name in targets.targets for one in targets.positives(name)]
        neutral = [one.text for one in targets.matched_negatives(controls)]
        both = [*said, *neutral]
        order = self.session.rng("steer-generator/prompts").permutation(len(both)).tolist()
        return [both[place] for place in order]

    def of_target(self, name: str) -> list[str]:
        """Return the prompts of a target."""
        return [one.text for one in self.compared.targets.positives(name)]

    def searched(self, name: str, place: int, count: int) -> Asked:
        """Ask for images of a target to search on."""
        return Asked.of(self.of_target(name), count, SEARCHED_FROM + self.offset + place * 10_007)

    def audited(self, name: str, place: int, count: int) -> Asked:
        """Ask for images of a target on seeds that took no part in the search."""
        return Asked.of(self.of_target(name), count, AUDITED_FROM + self.offset + place * 10_007)

    def rewritten(self, name: str, asked: Asked, shares: Sequence[float] = ()) -> Asked:
        """Return the same seeds with a group's word in each prompt, the groups in turn or in shares."""
        groups, targets = self.compared.groups, self.compared.targets
        named = list(groups.groups.values())
        prompts = []
        for number in range(len(asked)):
            words = named[_turn(number, len(named), shares)]
            noun = targets.targets[name][number % len(targets.targets[name])]
            joined = groups.joined(words[number % len(words)], noun, groups.forms[number % len(groups.forms)])
            prompts.append(targets.templates[number % len(targets.templates)].replace(SLOT, joined))
        return Asked(tuple(prompts), asked.seeds)

    def owners(self, prompts: Sequence[str]) -> list[str]:
        """Return the target of each prompt; neutral prompts share an empty name."""
        known = {prompt: name for name in self.compared.targets.targets for prompt in self.of_target(name)}
        return [known.get(prompt, "") for prompt in prompts]

    def labels(self, pixels: Float[Tensor, "n rgb y x"]) -> Int[ndarray, " n"]:
        """Return the number of the group that each image shows."""
        return np.asarray(self.classifier.probabilities(pixels).argmax(dim=1).numpy())

    def shares(self, group: str, wanted: float) -> tuple[float, ...]:
        """Return the wanted share of a group, and of all others in equal parts."""
        classes = self.classifier.classes
        rest = (1 - wanted) / (len(classes) - 1)
        return tuple(wanted if one == group else rest for one in classes)

    def reference(self, stage: Stage, name: str, shares: Sequence[float]) -> tuple[Reference, str]:
        """Return what images of a target should look like, and what stands for that.

        The user's own images of the target where there are any; else images that the model itself draws with
        each group named equally often. Of either as many are taken as have the groups in the wanted shares.
        """
        if name not in self.references:
            self.references[name] = self._reference(stage, name, shares)
        return self.references[name]

    def _reference(self, stage: Stage, name: str, shares: Sequence[float]) -> tuple[Reference, str]:
        own = [
            images.pictures.read(row)
            for images in self.session.images
            for row, label in enumerate(images.labels)
            if label == name
        ]
        if own:
            latents, what = self.session.model.encode_images(own), "images of your own"
            groups = self.labels(self.session.model.decode(latents))
        else:
            asked = Asked.of(self.of_target(name), REFERENCES, REFERENCE_FROM + self.offset)
            drawn = stage.drawn(self.rewritten(name, asked))
            latents, what = drawn.latents, "images drawn with each group named equally often"
            groups = self.labels(drawn.pixels)
        kept = evened(groups, shares)
        return Reference.of(latents[torch.from_numpy(kept)]), f"{len(kept)} {what}, in the wanted shares"

    @staticmethod
    def slug(name: str) -> str:
        """Return a name as part of a file's name."""
        return slug(name) or "target"


def scene_of(session: DiffusionSession) -> Scene:
    """Return the first comparison whose groups a classifier tells apart, and all other classifiers.

    Raises:
        NothingAuditedError: There is none.
    """
    known = {one.attribute: one for one in session.classifiers}
    for compared in session.comparisons:
        name = compared.groups.name
        if name in known:
            watched = tuple(one for one in session.classifiers if one.attribute != name)
            return Scene(session, compared, known[name], watched)
    raise NothingAuditedError(
        "No classifier tells the groups apart, or no groups were given.",
        fix="Name targets with groups, and who tells them: --classifier MODEL, or --encoder MODEL.",
    )


def _turn(number: int, groups: int, shares: Sequence[float]) -> int:
    """Which group image `number` is dealt: in turn, or by shares along a low-discrepancy sequence."""
    if not shares:
        return number % groups
    mark, total = (number + 0.5) * 0.6180339887498949 % 1.0, 0.0
    for group, share in enumerate(shares):
        total += share
        if mark < total:
            return group
    return groups - 1
