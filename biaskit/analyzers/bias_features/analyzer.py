"""Bias features: which latents of a denoiser carry a group, and whether turning them turns what it draws.

After "Dissecting and Mitigating Diffusion Bias via Mechanistic Interpretability" (DiffLens, Shi et al. 2025,
arXiv 2503.20483): a sparse autoencoder of the bottleneck, a probe of the attribute at each timestep, and
attributions of its probability to latents. Here attributions are exact, edits leave what the autoencoder
misses untouched, and no latent is named before an edit of it has turned images of fresh seeds, beside random
latents of equal number and size.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ClassVar, get_args

from biaskit.analyzers.bias_features.features import obtained
from biaskit.analyzers.bias_features.study import GroupStudy
from biaskit.concepts.sae_training import Architecture
from biaskit.concepts.site_rows import Layout
from biaskit.errors import NothingAuditedError, RequestError, UnknownNameError
from biaskit.protocols import Sampling
from biaskit.records.calibration import Planting
from biaskit.records.finding import Analysis
from biaskit.records.probe_set import Modality
from biaskit.records.site import Site
from biaskit.steering.learning import Learning
from biaskit.steering.trajectories import Asked, Place, Trajectories

if TYPE_CHECKING:
    from biaskit.session import DiffusionSession


@dataclass(frozen=True, slots=True)
class BiasFeatures:
    """Which latents carry a group, how the model leans, and what turning the latents does to it.

    Attributes:
        site: Where the model is opened: `bottleneck`, or a block such as `resid_pre.12`.
        layout: `map` reads an activation's whole map as one code, `place` each place of it.
        autoencoder: Folder of a trained autoencoder of this model and site; empty trains one.
        images: Images that an autoencoder is trained on.
        latents: Latents of an autoencoder that is trained.
        active: Latents that fire for a row, exactly (topk) or on average (batchtopk).
        architecture: topk or batchtopk; batchtopk can be read latent by latent.
        traced: Images that are followed and classified, over all targets of a comparison.
        every: One step of the sampler in so many is read.
        features: Latents of an edit.
        named: Latents that are tested one by one.
        fresh: Images of fresh seeds that an edit is tested on.
        strengths: Strengths at which the edit of all features is tested; 0 is added.
        random_sets: Random sets of latents that it is compared with.
        shuffles: Times that labels are shuffled and everything is ranked again.
        tolerated: How far a share may be from equal before it is called a lean.
        half_width: Widest interval of a target's share, to either side, that is accepted.
        shown: Images a feature that are shown.
        steps: Steps of the sampler.
        guidance: Scale of guidance; 1 draws from the model itself.
    """

    name: ClassVar[str] = "bias-features"
    modality: ClassVar[Modality] = Modality.TEXT_TO_IMAGE
    unit: ClassVar[str] = "proportion"
    nulls: ClassVar[tuple[str, ...]] = (
        "a share no further from equal than is tolerated",
        "labels shuffled over images, probes fitted again",
        "random latents of equal number and size of edit",
        "images changed by an edit as often away as toward (McNemar)",
    )
    limitations: ClassVar[tuple[str, ...]] = (
        "Groups are what the classifier makes of an image: how a person looks, not who a person is.",
        "A latent that turns a group may carry other things too; see what else moves when it is edited.",
        "Latents are those of this autoencoder; another training run finds others.",
        "An edit is tested on one target, the one that leans most; it may do less or more for another.",
        "A group that the model never draws has no direction and cannot be found.",
    )

    planting: ClassVar[Planting] = Planting(
        metric="bias_features.effect",
        plant="turns",
        lean={"autoencoder": "", "named": 0, "shown": 0, "shuffles": 1},
        quick={"traced": 160, "fresh": 24, "strengths": [1.0], "steps": 10},
    )

    site: str = "bottleneck"
    layout: Layout = "map"
    autoencoder: str = ""
    images: int = 384
    latents: int = 512
    active: int = 24
    architecture: Architecture = "batchtopk"
    traced: int = 320
    every: int = 2
    features: int = 20
    named: int = 3
    fresh: int = 64
    strengths: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0)
    random_sets: int = 20
    shuffles: int = 19
    tolerated: float = 0.1
    half_width: float = 0.25
    shown: int = 8
    steps: int = 20
    guidance: float = 1.0

    def __post_init__(self) -> None:
        """Refuse settings out of their range.

        Raises:
            UnknownNameError: A layout, architecture or kind of site is not known.
            RequestError: A number is out of its range.
        """
        for setting, given, known in (
            ("layout", self.layout, get_args(Layout)),
            ("architecture", self.architecture, get_args(Architecture)),
        ):
            if given not in known:
                raise UnknownNameError(setting, given, known)
        Site.parse(self.site)
        self.learning.check()
        counts = (
            self.traced,
            self.every,
            self.features,
            self.fresh,
            self.random_sets,
            self.shuffles,
            self.steps,
        )
        if min(counts) < 1 or min(self.named, self.shown, self.guidance) < 0 or not self.strengths:
            raise RequestError(
                "traced, every, features, fresh, random_sets, shuffles and steps must be at least 1, named, "
                "shown and guidance at least 0, and there must be strengths."
            )
        if not (0 <= self.tolerated < 0.5 and 0 < self.half_width < 1 and min(self.strengths) > 0):
            raise RequestError(
                "tolerated must lie in [0, 0.5), half_width in (0, 1), and strengths must be above 0."
            )

    def analyze(self, session: DiffusionSession) -> Analysis:
        """Return how the model leans, the latents that carry the groups, and what turning them does.

        Raises:
            NothingAuditedError: There is no comparison over groups that a classifier tells apart.
            RequestError: There are too few images for the interval, or a class is never seen.
            SparseAutoencoderMismatchError: The autoencoder was trained on another model or site.
        """
        readable = {one.attribute: one for one in session.classifiers}
        chosen = [one for one in session.comparisons if one.groups.name in readable]
        if not chosen:
            raise NothingAuditedError(
                "No classifier tells the groups apart, or no groups were given.",
                fix="Name targets with groups, and who tells them: --classifier MODEL, or --encoder MODEL.",
            )
        parts, drawn = [], dict[Asked, Trajectories]()
        for compared in chosen:
            autoencoder, note = obtained(self, session, compared.targets)
            classifier = readable[compared.groups.name]
            parts.append(GroupStudy(self, session, compared, classifier, autoencoder, drawn).run(note))
        return Analysis(
            analyzer=self.name,
            settings={**asdict(self), "strengths": list(self.strengths)},
            findings=tuple(one for part in parts for one in part.findings),
            summary=tuple(one for part in parts for one in part.summary),
            notes=tuple(dict.fromkeys(one for part in parts for one in part.notes)),
            limitations=self.limitations,
            tables=tuple(one for part in parts for one in part.tables),
            figures=tuple(one for part in parts for one in part.figures),
            dots=tuple(one for part in parts for one in part.dots),
            sheets=tuple(one for part in parts for one in part.sheets),
        )

    @property
    def learning(self) -> Learning:
        """How an autoencoder is trained."""
        return Learning(
            images=self.images, latents=self.latents, active=self.active, architecture=self.architecture
        )

    @property
    def place(self) -> Place:
        """Where the model is opened."""
        return Place(Site.parse(self.site), self.layout, Sampling(self.steps, self.guidance))
