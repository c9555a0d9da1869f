"""Rebalance what a generator draws by turning the latents that carry a group.

After DiffLens (Shi et al. 2025, arXiv 2503.20483). For each target the strength is searched at which the
rarest group gets the share that is wanted; the number of latents is the smallest tried that keeps within the
quality budget. The remedy is measured on seeds that took no part in finding it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from biaskit.concepts.sae_training import Architecture
from biaskit.concepts.site_autoencoder import SiteAutoencoder
from biaskit.concepts.site_rows import Layout
from biaskit.errors import RequestError
from biaskit.mitigations.steer_audit import SteerAudit
from biaskit.mitigations.steer_scene import Scene, scene_of
from biaskit.mitigations.steered import SteeredTarget, SteerRecord, SteerRemedy
from biaskit.protocols import Sampling
from biaskit.records.probe_set import Modality
from biaskit.records.site import Site
from biaskit.steering.learning import Learning, learn
from biaskit.steering.making import feature_edit, latent_direction
from biaskit.steering.ranking import Codes, Ranking, rank
from biaskit.steering.search import Ledger, Search
from biaskit.steering.trajectories import Asked, Place, Stage, follow

if TYPE_CHECKING:
    from pathlib import Path

    from biaskit.concepts.site_edit import SiteEdit
    from biaskit.mitigations.protocol import Remedy
    from biaskit.records.finding import Analysis
    from biaskit.session import DiffusionSession

LEARNT_FROM, FOLLOWED_FROM = 1_000_000_000, 1_200_000_000
"""First seeds of images that latents are learnt and found on."""


@dataclass(frozen=True, slots=True)
class SteerGenerator:
    """Searches, for each target, the edit that gives the rarest group its share.

    Attributes:
        share: Share that the rarest group should get; 0 for equal shares.
        budget: How much farther from real images the drawn ones may get, as a share of the distance before.
        features: Latents of the edit; twice and four times as many are tried where they do not do.
        site: Where the model is edited.
        layout: `map` reads the whole map as one code, `place` each place of it.
        window: Lowest and highest timestep at which the edit acts; empty for all.
        images: Images that the autoencoder is trained on.
        latents: Latents of the autoencoder.
        active: Latents that fire for a row.
        architecture: batchtopk or topk.
        traced: Images on which the latents are found.
        fine: Images at each strength of the search.
        rounds: Strengths that are tried inside the bracket.
        audited: Images of fresh seeds on which the remedy is measured.
        guided: Images that the baseline after InvDiff is learnt from, for each target; 0 leaves it out.
        steps: Steps of the sampler.
        guidance: Scale of guidance.
    """

    name: ClassVar[str] = "steer-generator"
    modality: ClassVar[Modality] = Modality.TEXT_TO_IMAGE
    limitations: ClassVar[tuple[str, ...]] = (
        "Groups are what the classifier makes of an image: how a person looks, not who a person is.",
        "The strength is right for these prompts, sampler and guidance; others are to be measured again.",
        "A share on average says nothing about a single image, nor about groups that are not named.",
        "Distances to real images are taken in the autoencoder's latents and are no FID.",
    )

    share: float = 0.0
    budget: float = 0.1
    features: int = 20
    site: str = "bottleneck"
    layout: Layout = "map"
    window: tuple[float, ...] = ()
    images: int = 384
    latents: int = 512
    active: int = 24
    architecture: Architecture = "batchtopk"
    traced: int = 320
    fine: int = 384
    rounds: int = 3
    audited: int = 512
    guided: int = 256
    steps: int = 20
    guidance: float = 1.0

    def __post_init__(self) -> None:
        """Refuse settings out of their range.

        Raises:
            RequestError: A number is out of its range.
        """
        if not 0 <= self.share < 1 or min(self.budget, self.guided) < 0 or len(self.window) not in {0, 2}:
            raise RequestError(
                "share must lie in [0, 1), budget and guided be at least 0, window have two ends or none."
            )
        if min(self.features, self.traced, self.fine, self.rounds, self.steps) < 1 or self.audited < 32:
            raise RequestError("Counts must be at least 1, and audited at least 32.")
        Site.parse(self.site)

    @property
    def place(self) -> Place:
        """Where the model is edited."""
        return Place(Site.parse(self.site), self.layout, Sampling(self.steps, self.guidance))

    def find(self, session: DiffusionSession, work: Path | None) -> SteerRemedy:
        """Search the edit of every target of the first comparison.

        Raises:
            NothingAuditedError: No classifier tells the groups apart.
            RequestError: A class is never seen, or no strength reaches the share.
        """
        scene = scene_of(session)
        stage = Stage(session.model, self.place, scene.classifier)
        session.model.locate(self.place.site)
        autoencoder = self._autoencoder(scene, work)
        asked = Asked.of(scene.prompts(), self.traced, FOLLOWED_FROM + scene.offset)
        codes = Codes.of(autoencoder, follow(stage, asked, every=2), scene.classifier.classes)
        finding = _Finding(self, scene, stage, autoencoder, codes, Ledger(work and work / "search"))
        targets = list(scene.compared.targets.targets)
        tracked = session.progress.track(targets, "searching strengths", len(targets))
        found = [finding.target(place, one) for place, one in enumerate(tracked)]
        record = SteerRecord(
            model=session.model.subject.fingerprint,
            groups=scene.compared.groups.name,
            targets=tuple(one for one, _ in found),
        )
        edits = {one.name: edit for one, edit in found if edit is not None}
        numbers = {one.name: codes.classes.index(one.group) for one, _ in found if one.name in edits}
        directions = {name: latent_direction(autoencoder, codes, number) for name, number in numbers.items()}
        return SteerRemedy(record, edits, directions)

    def audit(self, session: DiffusionSession, remedy: SteerRemedy) -> Analysis:
        """Measure the remedy on fresh seeds."""
        scene = scene_of(session)
        return SteerAudit(self, scene, Stage(session.model, self.place, scene.classifier), remedy).run()

    def load(self, folder: Path) -> Remedy:
        """Read a remedy that was saved."""
        return SteerRemedy.load(folder)

    def _autoencoder(self, scene: Scene, work: Path | None) -> SiteAutoencoder:
        fingerprint = scene.session.model.subject.fingerprint
        kept = None if work is None else work / "autoencoder"
        if kept is not None and kept.is_dir():
            return SiteAutoencoder.load(kept).require(fingerprint, self.place.site)
        how = Learning(
            images=self.images,
            latents=self.latents,
            active=self.active,
            architecture=self.architecture,
            seed=LEARNT_FROM + scene.offset,
        )
        made = learn(scene.session.model, self.place, scene.prompts(), how, scene.session.progress)
        if kept is not None:
            made.save(kept)
        return made


@dataclass(frozen=True, slots=True, eq=False)
class _Finding:
    """Searches target by target."""

    settings: SteerGenerator
    scene: Scene
    stage: Stage
    autoencoder: SiteAutoencoder
    codes: Codes
    ledger: Ledger

    def target(self, place: int, name: str) -> tuple[SteeredTarget, SiteEdit | None]:
        """Return the edit that gives the target's rarest group its share, or None where it has it."""
        asked = self.scene.searched(name, place, self.settings.fine)
        said = self.stage.classifier.probabilities(self.stage.draw(asked)).argmax(dim=1)
        shares = np.bincount(said.numpy(), minlength=len(self.codes.classes)) / len(asked)
        number = int(shares.argmin())
        wanted = self.settings.share or 1 / len(self.codes.classes)
        known = SteeredTarget(
            name=name,
            nouns=self.scene.compared.targets.targets[name],
            file=None,
            group=self.codes.classes[number],
            wanted=wanted,
            found=float(shares[number]),
            about="The rarest group has its share without an edit.",
        )
        if shares[number] >= wanted - 1 / len(asked) ** 0.5 / 2:
            return known, None
        edit, about = self._chosen(rank(self.codes, self.autoencoder), number, asked, name)
        costly = " beyond the budget" in about
        found = {"file": f"{self.scene.slug(name)}.safetensors", "about": about, "costly": costly}
        return known.model_copy(update=found), edit

    def _chosen(self, ranking: Ranking, number: int, asked: Asked, name: str) -> tuple[SiteEdit, str]:
        """Try few latents first; take the first edit within the budget, else the one that costs least."""
        wanted = self.settings.share or 1 / len(self.codes.classes)
        search = Search(wanted, fine=self.settings.fine, rounds=self.settings.rounds)
        tried: list[tuple[float, SiteEdit]] = []
        for count in (self.settings.features, 2 * self.settings.features, 4 * self.settings.features):
            edit = self._windowed(
                feature_edit(self.autoencoder, self.codes, number, ranking.top(number, count))
            )
            try:
                strength = search.run(self.stage, number, edit, asked, self.ledger).strength
            except RequestError:
                if count == 4 * self.settings.features and not tried:
                    raise
                continue
            stronger = edit.stronger(strength)
            tried.append((self.scene.cost(self.stage, name, stronger, asked), stronger))
            if tried[-1][0] <= self.settings.budget:
                break
        cost, edit = min(tried, key=lambda one: one[0])
        kept = "within" if cost <= self.settings.budget else "beyond"
        about = (
            f"{len(edit.record.features)} latents at strength {edit.record.strength:g}; the distance to the "
            f"nearest reference image changed by {cost:+.0%} on the search's images, {kept} the budget of "
            f"{self.settings.budget:.0%}."
        )
        return replace(edit, record=edit.record.model_copy(update={"about": about})), about

    def _windowed(self, edit: SiteEdit) -> SiteEdit:
        window: Sequence[float] = self.settings.window
        return edit.within(window[0], window[1]) if window else edit
