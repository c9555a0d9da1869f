"""DiffusionPID: what each prompt word contributes to an image, alone, shared and together.

After "Diffusion PID: Interpreting Diffusion via Partial Information Decomposition" (Dewan et al. 2024, arXiv
2406.05191). Images are noised, denoised under several prompts, and the errors compared; nothing is
sampled for it. Here every prompt meets the same noise at log-SNRs spread evenly over the trained ones,
every number has an interval over templates or images, and the redundancy is a choice, since the
published one turns into a plain information where words differ in how common they are.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, get_args

from biaskit.analyzers.diffusion_pid.asking import Asker
from biaskit.analyzers.diffusion_pid.groups import GroupStudy
from biaskit.analyzers.diffusion_pid.said import Said
from biaskit.analyzers.diffusion_pid.scenes import Painter
from biaskit.analyzers.diffusion_pid.words import WordStudy
from biaskit.decomposition.density import Density, described
from biaskit.decomposition.plan import Enough, Plan
from biaskit.decomposition.priors import Frequencies, Prior, Uniform
from biaskit.decomposition.redundancy import Functional
from biaskit.errors import NothingAuditedError, RequestError, UnknownNameError
from biaskit.protocols import Sampling
from biaskit.records.calibration import Planting
from biaskit.records.finding import Analysis
from biaskit.records.probe_set import Modality

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biaskit.session import DiffusionSession

UNIFORM = "uniform"


@dataclass(frozen=True, slots=True)
class DiffusionPid:
    """What words of a prompt say about images, and which group a target's images are taken for.

    Attributes:
        images: Images a template, or a prompt that is taken apart.
        nodes: Log-SNRs visited in a replicate, each with a pair of noises.
        replicates: Independent replicates of the whole rule on each image.
        half_width: Further replicates are drawn until each information is known so well, in nats; 0: none.
        density: A file that says where this model's informations lie (`biaskit.decomposition.density`); empty
            visits all noise levels alike.
        redundancy: What counts as said by both words: ccs, min, mmi or finn-lizier.
        prior: How surprising words are, for finn-lizier: `uniform`, or a file with a word and its count
            a line.
        steps: Steps of the sampler, where the model draws the images.
        guidance: Scale of guidance, where the model draws the images; 1 draws from the model itself.
        neutral: Neutral nouns that are measured as targets are, and that a gap must exceed; 0 measures none.
        log_odds: Whether images are also drawn with each group named, to read how likely each group is.
        shown: Images a prompt, or targets, that are shown with maps.
        intervene: Whether words of a prompt are dropped and the image drawn anew from the same noise.
    """

    name: ClassVar[str] = "diffusion-pid"
    modality: ClassVar[Modality] = Modality.TEXT_TO_IMAGE
    unit: ClassVar[str] = "nat"
    nulls: ClassVar[tuple[str, ...]] = (
        "groups exchanged within templates",
        "one more neutral noun",
        "maps of other images",
        "signs of images flipped",
    )
    limitations: ClassVar[tuple[str, ...]] = (
        "Informations are the model's own: what its likelihood reads in an image, not what a person would.",
        "Images that the model drew are read by the same model; what it cannot draw it cannot read.",
        "The orthogonal information is right on average; its single values and maps are not log-ratios.",
        "What lies outside the trained noise levels is not measured; its size is estimated and told.",
        "Guidance changes what is drawn, not what is measured: figures are about the model without it.",
    )
    planting: ClassVar[Planting] = Planting(
        metric="diffusion_pid.gap",
        plant="shares",
        measures_dose=False,
        lean={"log_odds": False, "neutral": 0, "shown": 0, "intervene": False},
        quick={"images": 1, "nodes": 4},
    )

    full: ClassVar[dict[str, int]] = {"images": 16, "replicates": 4}

    images: int = 4
    nodes: int = 16
    replicates: int = 2
    half_width: float = 0.0
    density: str = ""
    redundancy: Functional = "ccs"
    prior: str = UNIFORM
    steps: int = 20
    guidance: float = 1.0
    neutral: int = 10
    log_odds: bool = True
    shown: int = 3
    intervene: bool = True

    def __post_init__(self) -> None:
        """Refuse settings out of their range.

        Raises:
            UnknownNameError: There is no redundancy of that name.
            RequestError: A number is out of its range, or the prior's file is not there.
        """
        if self.redundancy not in get_args(Functional):
            raise UnknownNameError("redundancy", self.redundancy, get_args(Functional))
        if min(self.images, self.steps) < 1 or min(self.shown, self.neutral, self.guidance) < 0:
            raise RequestError("images and steps must be at least 1, shown, neutral and guidance at least 0.")
        if self.density and not Path(self.density).is_file():
            raise RequestError(f"There is no file '{self.density}' for the density.", fix="Calibrate one.")
        self._plan(0, None)
        if self.prior != UNIFORM and not Path(self.prior).is_file():
            raise RequestError(
                f"There is no file '{self.prior}' for the prior.", fix=f"Give one, or '{UNIFORM}'."
            )

    def analyze(self, session: DiffusionSession) -> Analysis:
        """Return what words say, and the gaps between groups.

        Raises:
            NothingAuditedError: There is neither a comparison nor a prompt.
            RequestError: The density belongs to another model.
        """
        if not (session.comparisons or session.prompts):
            raise NothingAuditedError(
                "No targets with groups and no prompts were given.",
                fix="Name some, such as --concepts portrait-occupations.",
            )
        fingerprint = session.model.subject.fingerprint
        density = Density.read(Path(self.density), fingerprint) if self.density else None
        asker = Asker(session, self._plan(session.seed, density))
        painter = Painter(session, Sampling(self.steps, self.guidance))
        parts = list(self._studies(session, painter, asker))
        visits = (
            () if density is None else (f"Noise levels follow a calibrated density: {described(density)}.",)
        )
        passes = f"The network was given {asker.passes:,} noisy images, beside those it drew from."
        return Analysis(
            analyzer=self.name,
            settings=asdict(self),
            findings=tuple(one for part in parts for one in part.findings),
            summary=tuple(one for part in parts for one in part.summary),
            conflicts=tuple(one for part in parts for one in part.conflicts),
            caveats=(*asker.remarks(), *(one for part in parts for one in part.caveats)),
            notes=(passes, *visits, *(one for part in parts for one in part.notes)),
            limitations=self.limitations,
            tables=tuple(one for part in parts for one in part.tables),
            figures=tuple(one for part in parts for one in part.figures),
            dots=tuple(one for part in parts for one in part.dots),
            sheets=tuple(one for part in parts for one in part.sheets),
        )

    def _plan(self, seed: int, density: Density | None) -> Plan:
        enough = Enough(half_width=self.half_width, kinds=("standard",)) if self.half_width else None
        return Plan(nodes=self.nodes, replicates=self.replicates, enough=enough, density=density, seed=seed)

    def words_prior(self) -> Prior:
        """Return the prior over words."""
        return Uniform() if self.prior == UNIFORM else Frequencies.read(Path(self.prior))

    def _studies(self, session: DiffusionSession, painter: Painter, asker: Asker) -> Iterator[Said]:
        for compared in session.comparisons:
            yield GroupStudy(self, session, compared, painter, asker).run()
        for prompts in session.prompts:
            yield WordStudy(self, session, prompts, painter, asker).run()
