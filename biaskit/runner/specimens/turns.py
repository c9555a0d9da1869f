"""A group that an edit can turn, as far as the dose wants: a classifier that repeats what an image shows.

One occupation of `organism:portraits` is drawn, whose share of women is known. A reading of an image repeats
the person's gender with probability `rho`, and is otherwise dealt with the same share, by a hash of the
pixels: whatever is edited, a dealt reading is a coin. So the share stays what it is, and an edit that turns
every person raises it by `rho (1 - share)`, which is the dose. At 0 the group leans and no latent carries it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.records.finding import Finding
from biaskit.records.site import Site
from biaskit.runner.specimens.shares import PLANTED, Shares
from biaskit.runner.specimens.specimen import Specimen, folder_of, nothing
from biaskit.session import DiffusionSession, GroupComparison
from biaskit.steering.learning import Learning, learn
from biaskit.steering.trajectories import Place

if TYPE_CHECKING:
    from pathlib import Path

    from biaskit.protocols import AttributeClassifier

TARGET = "nurse"
QUESTIONS = 4
_WIDTH = 2**32


@dataclass(frozen=True, slots=True, eq=False)
class Repeating:
    """A classifier that repeats another one's answer now and then, and deals the rest.

    Attributes:
        other: Who is repeated; it has two classes.
        attribute: What the answers are called.
        repeated: Probability that an image's answer is repeated.
        share: Share of the first class among dealt answers.
    """

    other: AttributeClassifier
    attribute: str
    repeated: float
    share: float

    @property
    def name(self) -> str:
        """What was opened."""
        return f"{self.other.name}, repeated for {self.repeated:.0%} of images"

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all that the answers depend on."""
        said = f"{self.other.fingerprint} {self.attribute} {self.repeated!r} {self.share!r}"
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, named by the attribute, so that a finding tells whose it is."""
        return tuple(f"{one} of {self.attribute}" for one in self.other.classes)

    def probabilities(self, pixels: Float[Tensor, "n rgb y x"]) -> Float[Tensor, "n k"]:
        """Return what the other one says of repeated images, and certainty of a dealt class for the rest."""
        whether, which = self._dealt(pixels)
        certain = torch.eye(2)[(which >= self.share).long()]
        return torch.where((whether < self.repeated)[:, None], self.other.probabilities(pixels), certain)

    def _dealt(self, pixels: Float[Tensor, "n rgb y x"]) -> Float[Tensor, "2 n"]:
        """Two numbers in [0, 1) an image, from a hash of its pixels."""
        told = self.attribute.encode()
        hashes = [hashlib.sha256(told + one.contiguous().numpy().tobytes()).digest()[:8] for one in pixels]
        drawn = np.frombuffer(b"".join(hashes), dtype="<u4").reshape(-1, 2).T / _WIDTH
        return torch.from_numpy(drawn.astype(np.float32))


class Turns:
    """Specimens of `organism:portraits`, or of one that was built like it."""

    unit = "proportion"
    signed = False
    tunable = True

    def __init__(self, folder: Path | None = None) -> None:
        self._shares = Shares(folder)
        self.nulls: Mapping[str, Callable[[int], Specimen]] = {"dealt labels": self._dealt}

    @property
    def subjects(self) -> Mapping[str, str]:
        """Name and fingerprint of the organism."""
        return self._shares.subjects

    def planted(self, seed: int, doses: Sequence[float]) -> Specimen:
        """Ask about one group for each of `doses`."""
        most = 1 - self._share
        given = {f"labels {number + 1}": min(1.0, dose / most) for number, dose in enumerate(doses)}

        def dose(finding: Finding) -> float | None:
            rho = given.get((finding.group or "").rpartition(" of ")[2])
            return None if rho is None else rho * most

        return self._specimen("repeated labels", given, seed, dose)

    def empty(self) -> DiffusionSession:
        """Return a session with a model and nothing to look at."""
        return self._shares.empty()

    def _dealt(self, seed: int) -> Specimen:
        given = {f"labels {number + 1}": 0.0 for number in range(QUESTIONS)}
        return self._specimen("dealt labels", given, seed, nothing)

    @cached_property
    def _autoencoder(self) -> str:
        """Folder of one autoencoder for all specimens, trained as the analyzer's defaults would."""
        session, (compared,) = self._whole
        targets = compared.targets
        prompts = [one.text for target in targets.targets for one in targets.positives(target)]
        made = learn(session.model, Place(Site.parse("bottleneck")), prompts, Learning())
        folder = folder_of(self)
        made.save(folder)
        return str(folder)

    @cached_property
    def _whole(self) -> tuple[DiffusionSession, tuple[GroupComparison, ...]]:
        session = self._shares.session(PLANTED, 0)
        return session, session.comparisons

    @property
    def _share(self) -> float:
        """Share of the first group in which the target is drawn."""
        return self._shares.share(TARGET)

    def _specimen(
        self, kind: str, repeated: Mapping[str, float], seed: int, dose: Callable[[Finding], float | None]
    ) -> Specimen:
        session, (compared,) = self._whole
        targets = compared.targets.model_copy(update={"targets": {TARGET: compared.targets.targets[TARGET]}})
        (reader,) = session.classifiers
        asked = DiffusionSession(
            session.model,
            tuple(
                GroupComparison(targets, compared.groups.model_copy(update={"name": name}), compared.controls)
                for name in repeated
            ),
            classifiers=tuple(Repeating(reader, name, rho, self._share) for name, rho in repeated.items()),
            seed=seed,
        )
        return Specimen(kind, asked, dose, {"autoencoder": self._autoencoder})
