"""The edit that gives a group its share at the least cost: how many latents, at which steps, how strongly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from biaskit.concepts.site_edit import SiteEdit
from biaskit.errors import RequestError
from biaskit.mitigations.steer_holding import Held, held, noisiest
from biaskit.steering.making import feature_edit
from biaskit.steering.quality import Distances, farther
from biaskit.steering.ranking import Codes, Ranking, rank
from biaskit.steering.search import Ledger, Search

if TYPE_CHECKING:
    from biaskit.concepts.site_autoencoder import SiteAutoencoder
    from biaskit.mitigations.steer_generator import SteerGenerator
    from biaskit.mitigations.steer_leans import Lean
    from biaskit.mitigations.steer_scene import Scene
    from biaskit.mitigations.steered import SteeredTarget
    from biaskit.steering.quality import Reference
    from biaskit.steering.trajectories import Asked, Stage

COSTED = 128
PARTS = (0.5, 0.7, 1.0)
"""Noisiest parts of the timesteps, in the order in which they are tried."""
MORE = 4


@dataclass(frozen=True, slots=True)
class _Cost:
    """What a target's images are compared with."""

    reference: Reference
    before: Distances
    shares: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class EditSearch:
    """Searches target by target.

    Attributes:
        settings: The mitigation's settings.
        scene: Targets, groups, seeds.
        stage: Who draws and who reads.
        autoencoder: Latents of the site.
        codes: Latents of images labelled by each classifier, by its attribute.
        ledger: What was measured before.
    """

    settings: SteerGenerator
    scene: Scene
    stage: Stage
    autoencoder: SiteAutoencoder
    codes: Mapping[str, Codes]
    ledger: Ledger

    @property
    def own(self) -> Codes:
        """Latents of images labelled by the groups that are balanced."""
        return self.codes[self.scene.classifier.attribute]

    @cached_property
    def ranking(self) -> Ranking:
        """How much each latent carries each group."""
        return rank(self.own, self.autoencoder)

    def run(self, lean: Lean, place: int, known: SteeredTarget) -> tuple[SteeredTarget, SiteEdit]:
        """Take the first edit within the budget, else the one that costs least.

        Raises:
            RequestError: No edit brings the group to its share.
        """
        settings = self.settings
        search = Search(known.wanted, fine=settings.fine, rounds=settings.rounds)
        asked = self.scene.searched(known.name, place, settings.fine * settings.rounds)
        against, failed = self._against(known, asked), list[RequestError]()
        tried: list[tuple[float, SiteEdit, Held]] = []
        for edit in self._candidates(lean.number):
            try:
                found, kept = self._at_share(search, lean.number, edit, asked)
            except RequestError as error:
                failed.append(error)
                continue
            tried.append((self._cost(against, found, asked), found, kept))
            if tried[-1][0] <= settings.budget:
                break
        if not tried:
            raise failed[-1]
        return self._told(known, *min(tried, key=lambda one: one[0]))

    def _at_share(self, search: Search, number: int, edit: SiteEdit, asked: Asked) -> tuple[SiteEdit, Held]:
        """Return the edit at the strength that gives the share, what else moved being turned back."""
        found = edit.stronger(search.run(self.stage, number, edit, asked, self.ledger).strength)
        kept = held(self, found, asked.first(2 * self.settings.fine))
        if not kept.turned:
            return found, kept
        return kept.edit.stronger(
            search.run(self.stage, number, kept.edit, asked, self.ledger).strength
        ), kept

    def _candidates(self, number: int) -> Iterator[SiteEdit]:
        """Yield edits of unit strength: the noisiest steps before more of them, few latents before many."""
        steps, given = list(self.own.latents), self.settings.window
        windows = [(given[0], given[1])] if given else [noisiest(steps, part) for part in PARTS]
        for low, high in windows:
            for count in (self.settings.features, MORE * self.settings.features):
                top = self.ranking.top(number, count)
                yield feature_edit(self.autoencoder, self.own, number, top).within(low, high)

    def _against(self, known: SteeredTarget, asked: Asked) -> _Cost:
        shares = self.scene.shares(known.group, known.wanted)
        reference, _ = self.scene.reference(self.stage, known.name, shares)
        return _Cost(reference, self._distances(reference, asked, None), shares)

    def _cost(self, against: _Cost, edit: SiteEdit, asked: Asked) -> float:
        """Return how much farther from the nearest reference image an edit takes images, as a share."""
        after = self._distances(against.reference, asked, edit)
        return farther(against.before, after, against.shares)

    def _distances(self, reference: Reference, asked: Asked, edit: SiteEdit | None) -> Distances:
        drawn = self.stage.drawn(asked.first(COSTED), edit)
        return Distances(reference.nearest(drawn.latents), self.scene.labels(drawn.pixels))

    def _told(
        self, known: SteeredTarget, cost: float, edit: SiteEdit, kept: Held
    ) -> tuple[SteeredTarget, SiteEdit]:
        """Write down how the edit was chosen."""
        record, costly = edit.record, cost > self.settings.budget
        from_step = record.window[0] if record.window else 0.0
        about = (
            f"{len(record.features)} latents at strength {record.strength:g}, at timesteps from "
            f"{from_step:.0f} on; {kept.said}the distance to the nearest reference image changed by "
            f"{cost:+.0%} on the search's images, {'beyond' if costly else 'within'} the budget of "
            f"{self.settings.budget:.0%}."
        )
        file = f"{self.scene.slug(known.name)}.safetensors"
        told = known.model_copy(update={"file": file, "about": about, "costly": costly})
        return told, replace(edit, record=record.model_copy(update={"about": about}))
