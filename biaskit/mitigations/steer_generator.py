"""Rebalance what a generator draws by turning the latents that carry a group.

After DiffLens (Shi et al. 2025, arXiv 2503.20483). A target that lacks a group beyond chance is edited: the
strength is searched at which that group gets the share that is wanted, in the noisiest steps first, where a
model decides whom it draws and can still draw that person cleanly; the first edit within the quality budget
is taken. The remedy is measured on seeds that took no part in finding it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from biaskit.concepts.sae_training import Architecture
from biaskit.concepts.site_autoencoder import SiteAutoencoder
from biaskit.concepts.site_rows import Layout
from biaskit.errors import RequestError
from biaskit.mitigations.steer_audit import SteerAudit
from biaskit.mitigations.steer_holding import noisiest
from biaskit.mitigations.steer_leans import Lean, leans
from biaskit.mitigations.steer_scene import Scene, scene_of
from biaskit.mitigations.steer_search import PARTS, EditSearch
from biaskit.mitigations.steered import SteeredTarget, SteerRecord, SteerRemedy
from biaskit.protocols import Sampling
from biaskit.records.probe_set import Modality
from biaskit.records.site import Site
from biaskit.steering.learning import Learning, learn
from biaskit.steering.making import latent_direction, random_edits
from biaskit.steering.ranking import Codes
from biaskit.steering.search import Ledger
from biaskit.steering.trajectories import Asked, Place, Stage, Trajectories, follow

if TYPE_CHECKING:
    from pathlib import Path

    from biaskit.mitigations.protocol import Remedy
    from biaskit.records.finding import Analysis
    from biaskit.session import DiffusionSession

FEWEST_AUDITED = 32
LEARNT_FROM, FOLLOWED_FROM = 1_000_000_000, 1_200_000_000
"""First seeds of images that latents are learnt and found on."""


@dataclass(frozen=True, slots=True)
class SteerGenerator:
    """Searches, for each target, the edit that gives the rarest group its share.

    Attributes:
        share: Share that the rarest group should get; 0 for equal shares.
        tolerated: Part of that share which the group may lack; less is left as it is.
        budget: How much farther from real images the drawn ones may get, as a share of the distance before.
        features: Latents of the edit; four times as many are tried where they do not do.
        site: Where the model is edited.
        layout: `map` reads the whole map as one code, `place` each place of it.
        window: Lowest and highest timestep at which the edit acts; empty tries the noisiest part, then more.
        images: Images that the autoencoder is trained on.
        latents: Latents of the autoencoder.
        active: Latents that fire for a row.
        architecture: batchtopk or topk.
        traced: Images on which the latents are found.
        fine: Images at each strength of the search, and for telling whether there is anything to mend.
        rounds: Strengths that are tried inside the bracket, each on images of its own.
        audited: Images of fresh seeds on which the remedy is measured.
        random_sets: Random sets of latents, of equal number and size of edit, that stand beside it.
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
    tolerated: float = 0.2
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
    random_sets: int = 20
    guided: int = 256
    steps: int = 20
    guidance: float = 1.0

    def __post_init__(self) -> None:
        """Refuse settings out of their range.

        Raises:
            RequestError: A number is out of its range.
        """
        if not (0 <= self.share < 1 and 0 <= self.tolerated < 1):
            raise RequestError("share must lie in [0, 1), tolerated in [0, 1).")
        if min(self.budget, self.guided) < 0 or len(self.window) not in {0, 2}:
            raise RequestError("budget and guided must be at least 0, and window have two ends or none.")
        counts = (self.features, self.traced, self.fine, self.rounds, self.random_sets, self.steps)
        if min(counts) < 1 or self.audited < FEWEST_AUDITED:
            raise RequestError(
                "features, traced, fine, rounds, random_sets and steps must be at least 1, and audited at "
                f"least {FEWEST_AUDITED}."
            )
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
        wanted = self.share or 1 / len(scene.classifier.classes)
        seen = leans(scene, stage, self.fine, wanted * (1 - self.tolerated))
        found = [self._known(scene, one, wanted) for one in seen]
        record = SteerRecord(
            model=session.model.subject.fingerprint, groups=scene.compared.groups.name, targets=tuple(found)
        )
        if not any(one.lacks for one in seen):
            return SteerRemedy(record, {})
        return self._searched(scene, stage, record, seen, work)

    def _known(self, scene: Scene, lean: Lean, wanted: float) -> SteeredTarget:
        """What is known of a target before anything is searched."""
        group, least = scene.classifier.classes[lean.number], wanted * (1 - self.tolerated)
        return SteeredTarget(
            name=lean.target,
            nouns=scene.compared.targets.targets[lean.target],
            file=None,
            group=group,
            wanted=wanted,
            found=lean.share,
            about=f"There is nothing to mitigate: {lean.share:.0%} of {self.fine} images show {group}, not "
            f"less than {least:.0%} beyond chance (p {lean.p:.2g}).",
        )

    def _searched(
        self, scene: Scene, stage: Stage, record: SteerRecord, seen: list[Lean], work: Path | None
    ) -> SteerRemedy:
        """Search the edits of the targets that lack a group."""
        autoencoder = self._autoencoder(scene, work)
        traced = Asked.of(scene.prompts(), self.traced, FOLLOWED_FROM + scene.offset)
        followed = follow(stage, traced, every=2)
        codes = _codes(scene, autoencoder, followed, scene.owners(traced.prompts))
        search = EditSearch(self, scene, stage, autoencoder, codes, Ledger(work and work / "search"))
        lacking = [one for one in seen if one.lacks]
        tracked = scene.session.progress.track(lacking, "searching strengths", len(lacking))
        places = {one.name: place for place, one in enumerate(record.targets)}
        found = [
            search.run(lean, places[lean.target], record.targets[places[lean.target]]) for lean in tracked
        ]
        known = {target.name: target for target, _ in found}
        edits = {target.name: edit for target, edit in found}
        rng = scene.session.rng("steer-generator/random")
        controls = {
            name: tuple(random_edits(autoencoder, edit, rng, self.random_sets))
            for name, edit in edits.items()
        }
        own = codes[scene.classifier.attribute]
        first = noisiest(list(own.latents), PARTS[0])
        directions = {
            lean.target: latent_direction(autoencoder, own, lean.number).within(
                *(edits[lean.target].record.window or first)
            )
            for lean in lacking
        }
        targets = tuple(known.get(one.name, one) for one in record.targets)
        return SteerRemedy(record.model_copy(update={"targets": targets}), edits, directions, controls)

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
            return self._begun(SiteAutoencoder.load(kept), fingerprint)
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

    def _begun(self, kept: SiteAutoencoder, fingerprint: str) -> SiteAutoencoder:
        """Return what an interrupted search had finished, where it is this search.

        Raises:
            RequestError: It was begun on another model, at another site or with other settings.
        """
        asked = {
            "model": (kept.record.model[:12], fingerprint[:12]),
            "site": (str(kept.record.site), str(self.place.site)),
            "layout": (kept.record.layout, self.layout),
            "images": (kept.record.images, self.images),
            "latents": (kept.sae.d_sae, self.latents),
        }
        for name, (before, now) in asked.items():
            if before != now:
                raise RequestError(
                    f"The search in this folder was begun with {name} {before}, and now {now} is asked for.",
                    why="What it has finished does not belong to what is asked now.",
                    fix="Give another --out-dir, or what it was begun with.",
                )
        return kept


def _codes(
    scene: Scene, autoencoder: SiteAutoencoder, seen: Trajectories, owners: list[str]
) -> dict[str, Codes]:
    """Return the latents of images labelled by each classifier, all else that is known held equal."""
    every = (scene.classifier, *scene.watched)
    labels = {one.attribute: one.probabilities(seen.pixels).argmax(dim=1) for one in every}
    made = {}
    for one in every:
        apart = [labels[name].numpy() for name in labels if name != one.attribute]
        codes = Codes.of(autoencoder, seen, one.classes, [owners, *apart])
        made[one.attribute] = codes.relabelled(labels[one.attribute])
    return made
