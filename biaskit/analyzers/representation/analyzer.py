"""Representation audit: which groups a text-to-image model draws for each target, and how sure that is.

Images are drawn for each target from known seeds, the same for every target, and a classifier says which
group each shows. Shares have intervals that hold together; the fairness discrepancy (DiffLens, arXiv
2503.20483) and InvDiff's B (arXiv 2412.08480) are freed of what few images add to them; targets are tested
against a declared reference with a correction for their number; and the classifier's own errors are taken
out where its confusion table is known. Captions give the metrics of Try Before You Bias (arXiv 2312.13053)
as sets of words at equal sizes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from biaskit.analyzers.representation.confusion import read_confusions
from biaskit.analyzers.representation.study import Study
from biaskit.errors import NothingAuditedError, RequestError
from biaskit.protocols import Sampling
from biaskit.records.calibration import Planting
from biaskit.records.finding import Analysis
from biaskit.records.probe_set import Modality
from biaskit.stats.sequential import looks
from biaskit.stats.shares import images_needed, reach

if TYPE_CHECKING:
    from biaskit.session import DiffusionSession, GroupComparison

Reference: TypeAlias = Literal["uniform", "neutral"]
Correction: TypeAlias = Literal["holm", "benjamini-hochberg"]


@dataclass(frozen=True, slots=True)
class Representation:
    """Shares of groups among the images of each target.

    Attributes:
        images: Images a target; with a half-width, images before the first look.
        half_width: Half-width that every share's interval must reach; images are drawn until it does. 0
            draws `images` and no more.
        most: Most images a target where a half-width is asked for.
        reference: What shares are compared with: `uniform`, or those of neutral nouns in the same templates
            from the same noise.
        correction: Correction over targets: `holm` or `benjamini-hochberg`.
        confusion: CSV file with the columns true, said and count: what the classifier says of known images.
        named: Images a group that are drawn with the group named, to check the classifier; 0 leaves it out.
        steps: Steps of the sampler.
        guidance: Scale of guidance; 1 draws from the model itself.
        shown: Images a target that the report shows.
        discover: Groups that are looked for without labels, by how well the model denoises images; 0: none.
        nodes: Noise levels visited for that, each with a pair of noises.
    """

    name: ClassVar[str] = "representation"
    modality: ClassVar[Modality] = Modality.TEXT_TO_IMAGE
    unit: ClassVar[str] = "1"
    nulls: ClassVar[tuple[str, ...]] = (
        "drawn with the reference's shares",
        "target and neutral noun exchanged, image by image from one noise",
        "losses shuffled over images",
    )
    limitations: ClassVar[tuple[str, ...]] = (
        "A group is what the classifier takes an image for; it says nothing about a person.",
        "Intervals hold for the prompts that were asked: images are sampled, templates are not.",
        "Classes that are not in the set of groups cannot be seen; every image is put into one of them.",
        "Without a confusion table, shares are those that the classifier says, its errors included.",
        "A uniform reference is a choice: equal shares need not be what a use calls for.",
    )

    planting: ClassVar[Planting] = Planting(
        metric="representation.lean",
        plant="shares",
        lean={"shown": 0, "named": 0},
        quick={"images": 24},
    )
    full: ClassVar[dict[str, int]] = {"images": 128}

    images: int = 64
    half_width: float = 0.0
    most: int = 1024
    reference: Reference = "uniform"
    correction: Correction = "holm"
    confusion: str = ""
    named: int = 16
    steps: int = 20
    guidance: float = 1.0
    shown: int = 6
    discover: int = 0
    nodes: int = 8

    def __post_init__(self) -> None:
        """Refuse settings out of their range.

        Raises:
            RequestError: A number is out of its range, or there is no such file.
        """
        if (
            self.images < 2
            or min(self.steps, self.most) < 1
            or min(self.named, self.shown, self.guidance) < 0
        ):
            raise RequestError(
                "images must be at least 2, steps and most at least 1, named, shown and guidance at least 0."
            )
        if not 0 <= self.half_width < 0.5 or self.discover in {1} or self.discover < 0 or self.nodes < 2:
            raise RequestError("half_width lies in [0, 0.5), discover is 0 or at least 2, nodes at least 2.")
        if self.confusion and not Path(self.confusion).is_file():
            raise RequestError(
                f"There is no file '{self.confusion}' with a confusion table.",
                fix="Give a CSV file with the columns true, said and count.",
            )

    def analyze(self, session: DiffusionSession) -> Analysis:
        """Return the shares of every target and what they mean.

        Raises:
            NothingAuditedError: There is no comparison.
            RequestError: Nobody tells the groups apart, or the images asked for are too few.
            InstrumentError: The classifier never sees a group, though it was named in the prompt.
        """
        if not session.comparisons:
            raise NothingAuditedError(
                "No targets with groups were given.",
                fix="Name some, such as --concepts portrait-occupations.",
            )
        for compared in session.comparisons:
            self._check_images(len(compared.groups.groups))
        confusions = read_confusions(Path(self.confusion)) if self.confusion else ()
        parts = [
            Study(self, session, compared, Sampling(self.steps, self.guidance), confusions).run()
            for compared in _by_targets(session.comparisons)
        ]
        return Analysis(
            analyzer=self.name,
            settings=asdict(self),
            findings=tuple(one for part in parts for one in part.findings),
            summary=tuple(one for part in parts for one in part.summary),
            caveats=tuple(one for part in parts for one in part.caveats),
            notes=tuple(one for part in parts for one in part.notes),
            limitations=self.limitations,
            tables=tuple(one for part in parts for one in part.tables),
            dots=tuple(one for part in parts for one in part.dots),
            sheets=tuple(one for part in parts for one in part.sheets),
        )

    def _check_images(self, classes: int) -> None:
        """Refuse a half-width that so many images cannot reach, before any is drawn."""
        level = 0.95 if classes == 2 else 1 - 0.05 / classes
        if not self.half_width or reach(self.most, level) <= self.half_width:
            return
        needed = images_needed(self.half_width, classes=classes)
        plan = looks(self.images, self.half_width, classes)
        raise RequestError(
            f"{self.most} images a target are too few for intervals of ±{self.half_width:g}.",
            why=f"A share near one half needs {needed:,} of them, and more where one looks in between.",
            fix=f"Set most to {plan.sizes[-1]:,}, or half_width to {reach(self.most, level) * 1.4:.2f}.",
        )


def _by_targets(comparisons: tuple[GroupComparison, ...]) -> list[tuple[GroupComparison, ...]]:
    """Put the sets of groups of one set of targets together, so that its images are drawn once."""
    ordered = sorted(comparisons, key=lambda one: one.targets.name)
    return [tuple(found) for _, found in groupby(ordered, key=lambda one: one.targets.name)]
