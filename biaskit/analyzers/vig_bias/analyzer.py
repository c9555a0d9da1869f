"""ViG-Bias: on which slices does a vision model fail, and what is it looking at there?

After "ViG-Bias: Visually Grounded Bias Discovery and Mitigation" (Marani et al. 2024, arXiv 2407.01996):
images are cut down to what the audited model looks at before slices are sought among their embeddings. Here
the map explains the class that was predicted against the others, its layer and method are chosen by
faithfulness, an exact share of the pixels is kept, and every figure stands beside whole images, control masks
and baselines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from biaskit.analyzers.vig_bias.discovery import BASELINES, SLICERS
from biaskit.analyzers.vig_bias.one_set import OneSet
from biaskit.analyzers.vig_bias.remedies import check
from biaskit.analyzers.vig_bias.said import Said
from biaskit.errors import RequestError, UnknownNameError
from biaskit.records.calibration import Planting
from biaskit.records.finding import Analysis
from biaskit.records.probe_set import Modality
from biaskit.records.site import Site
from biaskit.retraining.heads import RULES
from biaskit.saliency.fills import Fill
from biaskit.saliency.grounding import Masking
from biaskit.saliency.methods import METHODS

if TYPE_CHECKING:
    from biaskit.session import VisionSession

AUTO = "auto"
FEWEST_CALIBRATING = 12


@dataclass(frozen=True, slots=True)
class VigBias:
    """Slices on which a classifier fails, found among what it looks at, and tested by intervention.

    Attributes:
        method: How maps are computed, such as `grad-cam` or `occlusion`; `auto` takes the most faithful.
        site: The layer that maps are read at, such as `conv_out.5`; `auto` takes the most faithful.
        keep: Share of the pixels that the mask keeps.
        fill: What stands in the place of the others: mean, blur, zero or noise.
        slicers: Methods of slice discovery: domino, facts.
        baselines: What stands beside them: confidence-ranking, k-means, predictions-only, random.
        keywords: Whether captions of mistakes are searched for keywords (Bias-to-Text), where there are any.
        phrases: Further words that slices may be named with.
        shown: Most slices that are reported with images.
        tiles: Images shown of a slice.
        shuffles: How often errors are shuffled; with 19 or more, p can reach 0.05.
        remedies: Rules by which the head is fitted again: erm, group-balanced, group-dro, just-train-twice,
            last-layer, useful.
        calibration: Images on which method and layer are chosen and judged.
        most_images: Most images of a part that are looked at.
    """

    name: ClassVar[str] = "vig-bias"
    modality: ClassVar[Modality] = Modality.IMAGE
    unit: ClassVar[str] = "proportion"
    nulls: ClassVar[tuple[str, ...]] = (
        "the same discovery with predictions shuffled within each class",
        "groups shuffled over images",
        "a region of the same size and form elsewhere",
    )
    limitations: ClassVar[tuple[str, ...]] = (
        "A slice is a hypothesis: its name describes the images it holds, not why the model fails on them.",
        "A map shows what moves this prediction at one layer; evidence by absence has no place in an image.",
        "Erased and swapped regions give images that the model was not trained on.",
        "A failure that the encoder cannot see is not found by slices of its embeddings.",
    )
    planting: ClassVar[Planting] = Planting(
        metric="vig_bias.accuracy_gap",
        plant="attributes",
        lean={
            "method": "grad-cam",
            "slicers": [],
            "baselines": [],
            "keywords": False,
            "shown": 0,
            "shuffles": 0,
            "remedies": [],
            "calibration": 12,
        },
    )

    full: ClassVar[dict[str, int]] = {"shuffles": 199, "calibration": 256, "most_images": 20000}

    method: str = AUTO
    site: str = AUTO
    keep: float = 0.3
    fill: Literal["mean", "blur", "zero", "noise"] = "mean"
    slicers: tuple[str, ...] = tuple(SLICERS)
    baselines: tuple[str, ...] = tuple(BASELINES)
    keywords: bool = True
    phrases: tuple[str, ...] = ()
    shown: int = 6
    tiles: int = 12
    shuffles: int = 39
    remedies: tuple[str, ...] = tuple(RULES)
    calibration: int = 96
    most_images: int = 2000

    def __post_init__(self) -> None:
        """Refuse settings that name nothing.

        Raises:
            UnknownNameError: A method, fill, slicer, baseline, remedy or site kind is not known.
            RequestError: A number is out of its range.
        """
        known = {
            "map method": ((self.method,), (AUTO, *METHODS)),
            "fill": ((self.fill,), tuple(map(str, Fill))),
            "slicer": (self.slicers, tuple(SLICERS)),
            "baseline": (self.baselines, tuple(BASELINES)),
        }
        for kind, (given, allowed) in known.items():
            for name in given:
                if name not in allowed:
                    raise UnknownNameError(kind, name, allowed)
        check(self.remedies)
        if self.site != AUTO:
            Site.parse(self.site)
        Masking(keep=self.keep)
        if min(self.tiles, self.most_images) < 1 or min(self.shown, self.shuffles) < 0:
            raise RequestError("tiles and most_images must be at least 1, shown and shuffles at least 0.")
        if self.calibration < FEWEST_CALIBRATING:
            raise RequestError(f"calibration must be at least {FEWEST_CALIBRATING} images.")

    def analyze(self, session: VisionSession) -> Analysis:
        """Return where the model fails, what it looks at there, and what a new head would change.

        Raises:
            RequestError: A set has too few images, or images of one class alone.
            UnknownNameError: The model has no site of that name; near names are given.
        """
        said = [OneSet(self, session, images).audit() for images in session.images]
        return Analysis(
            analyzer=self.name,
            settings={
                key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
            },
            findings=tuple(one for part in said for one in part.findings),
            summary=_each(said, "summary"),
            conflicts=_each(said, "conflicts"),
            caveats=_each(said, "caveats"),
            notes=_each(said, "notes"),
            limitations=self.limitations,
            tables=tuple(one for part in said for one in part.tables),
            dots=tuple(one for part in said for one in part.dots),
            sheets=tuple(one for part in said for one in part.sheets),
        )


def _each(said: list[Said], what: str) -> tuple[str, ...]:
    def texts() -> Iterator[str]:
        for part in said:
            yield from getattr(part, what)

    return tuple(dict.fromkeys(texts()))
