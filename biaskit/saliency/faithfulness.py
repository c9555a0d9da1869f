"""Does a map show what the model uses? Measured on the model itself, no true region needed.

Two questions, both asked on one grid of cells for every map, so that maps of different layers compare: does
it weigh the cells as taking each of them away does (occlusion agreement), and does the class go sooner when
its highest cells are deleted first, and come sooner when they are restored first, than in random order. Where
a model looks at one small place, most cells hold noise alone and ranks over all cells count it in full: a map
that lies wholly on a planted patch can have a rank correlation near 0. So agreement is the correlation of
values (as in Bhatt et al. 2020), and ranks stand beside it. One draws on single cells, the other on many at
once; no explanation wins at everything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from biaskit.errors import RequestError
from biaskit.records.estimate import Unit
from biaskit.saliency.classifier import Classifier
from biaskit.saliency.fills import Fill, filling
from biaskit.saliency.maps import Maps
from biaskit.saliency.occlusion import GRID, cell_numbers, occlusion
from biaskit.saliency.per_image import PerImage, agreement, averaged, rank_agreement
from biaskit.saliency.scores import ScoreName, score_named

STEPS = 8
RANDOM_ORDERS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Faithfulness:
    """How far the maps of some images agree with the model.

    Attributes:
        agreement: Correlation with the occlusion map over the cells, in [-1, 1]; 0 is chance.
        ranks: The same of their ranks (Spearman).
        deletion: How much lower the area under the class's probability is than in random order when the
            highest cells are deleted first, mean over fills; 0 is chance, larger is better.
        insertion: How much higher it is when they are restored first, likewise.
    """

    agreement: PerImage
    ranks: PerImage
    deletion: PerImage
    insertion: PerImage

    def rows(self, rows: Int[ndarray, " m"]) -> Faithfulness:
        """Return the same for these images alone."""
        parts = (self.agreement, self.ranks, self.deletion, self.insertion)
        return Faithfulness(*(part.rows(rows) for part in parts))


@dataclass(frozen=True, slots=True)
class TrialSettings:
    """How maps are put to the test.

    Attributes:
        grid: Cells on which all maps are compared.
        fills: What stands where cells are deleted; results are averaged over them.
        score: The score whose occlusion map is the reference.
        seed: Seed of the random orders and of a noise fill.
    """

    grid: tuple[int, int] = GRID
    fills: tuple[Fill, ...] = (Fill.MEAN, Fill.BLUR)
    score: ScoreName = ScoreName.CONTRASTIVE
    seed: int = 0


class Trial:
    """Images on which maps are tested; what no map changes is computed once.

    Raises:
        RequestError: There are other targets than images, no fill, or a grid finer than the image.
    """

    def __init__(
        self,
        classifier: Classifier,
        pixels: Float[Tensor, "n c h w"],
        targets: Int[Tensor, " targets"],
        settings: TrialSettings = TrialSettings(),
    ) -> None:
        """Draw the random orders and what is behind the images."""
        if len(targets) != len(pixels) or not settings.fills:
            raise RequestError("A trial needs one target an image, and at least one fill.")
        if settings.grid[0] > pixels.shape[2] or settings.grid[1] > pixels.shape[3]:
            raise RequestError(f"A grid of {settings.grid} is finer than the image.", fix="Take fewer cells.")
        self._classifier, self._pixels, self._targets = classifier, pixels, targets
        self._settings = settings
        rng = torch.Generator().manual_seed(settings.seed)
        self._behind = {fill: filling(pixels, fill, rng) for fill in settings.fills}
        cells = settings.grid[0] * settings.grid[1]
        self._random = torch.rand(RANDOM_ORDERS, len(pixels), cells, generator=rng).argsort(2)
        self._ties = torch.rand(len(pixels), cells, generator=rng)
        self._cell = cell_numbers(pixels.shape[2], pixels.shape[3], settings.grid)

    @cached_property
    def reference(self) -> Float[Tensor, "n h w"]:
        """The occlusion map, mean over the fills."""
        score = score_named(self._settings.score, self._targets)
        found = [
            occlusion(self._classifier, self._pixels, score, self._settings.grid, behind)
            for behind in self._behind.values()
        ]
        return torch.stack(found).mean(0)

    def agreement(self, maps: Maps) -> PerImage:
        """Correlation with the occlusion map; 0 for a dead map, undefined where nothing counts."""
        return self._compared(maps, agreement, "correlation")

    def ranks(self, maps: Maps) -> PerImage:
        """Spearman correlation with the occlusion map, likewise."""
        return self._compared(maps, rank_agreement, "rank correlation")

    def faithfulness(self, maps: Maps) -> Faithfulness:
        """All measures; a dead map gains nothing over random order."""
        ranks, live = self._ranks(maps), ~maps.dead.numpy()
        gains = [self._gains(ranks, fill) for fill in self._settings.fills]
        deletion, insertion = (
            averaged([_gain(part[i] * live, name) for part in gains])
            for i, name in enumerate(("deletion", "insertion"))
        )
        return Faithfulness(self.agreement(maps), self.ranks(maps), deletion, insertion)

    def curves(self, maps: Maps, fill: Fill) -> Float[Tensor, "two n steps"]:
        """Probability of the target after each step: first deleted, then inserted, highest cells first."""
        return self._curves(self._ranks(maps), fill)

    def _compared(
        self, maps: Maps, measure: Callable[[ndarray, ndarray], Float[ndarray, " n"]], name: str
    ) -> PerImage:
        cells = maps.pooled(self._settings.grid) * ~maps.dead[:, None, None]
        found = measure(cells.flatten(1).numpy(), self.reference.flatten(1).numpy())
        grid = "x".join(map(str, self._settings.grid))
        return PerImage(found, Unit.ONE, f"{name} with occlusion over {grid} cells, mean over images")

    def _gains(self, ranks: Tensor, fill: Fill) -> tuple[Float[ndarray, " n"], Float[ndarray, " n"]]:
        own = _areas(self._curves(ranks, fill))
        chance = self._chance[fill]
        return (chance[0] - own[0]).numpy(), (own[1] - chance[1]).numpy()

    @cached_property
    def _chance(self) -> dict[Fill, Tensor]:
        return {
            fill: torch.stack([_areas(self._curves(order, fill)) for order in self._random]).mean(0)
            for fill in self._settings.fills
        }

    def _ranks(self, maps: Maps) -> Int[Tensor, "n cells"]:
        """Place of every cell in the order of the map, highest first; ties in random order."""
        shuffle = self._ties.argsort(1)
        cells = maps.pooled(self._settings.grid).flatten(1).gather(1, shuffle)
        order = shuffle.gather(1, cells.argsort(stable=True, dim=1, descending=True))
        places = torch.arange(order.shape[1]).expand_as(order)
        return torch.empty_like(order).scatter_(1, order, places)

    def _curves(self, ranks: Int[Tensor, "n cells"], fill: Fill) -> Float[Tensor, "two n steps"]:
        pixels, behind = self._pixels, self._behind[fill]
        places = ranks[:, self._cell][:, None]
        counts = [round(step * ranks.shape[1] / STEPS) for step in range(STEPS + 1)]
        deleted = [self._probability(torch.where(places < count, behind, pixels)) for count in counts]
        restored = [self._probability(torch.where(places < count, pixels, behind)) for count in counts[1:-1]]
        # All deleted is none restored, and the other way round.
        inserted = [deleted[-1], *restored, deleted[0]]
        return torch.stack([torch.stack(deleted, 1), torch.stack(inserted, 1)])

    def _probability(self, pixels: Tensor) -> Float[Tensor, " n"]:
        return self._classifier.logits(pixels).softmax(1).gather(1, self._targets.long()[:, None])[:, 0]


def _areas(curves: Float[Tensor, "two n steps"]) -> Float[Tensor, "two n"]:
    return torch.trapezoid(curves, dx=1 / (curves.shape[2] - 1), dim=2)


def _gain(values: Float[ndarray, " n"], name: str) -> PerImage:
    how = "area under the class's probability against random order, mean over fills and images"
    return PerImage(values.astype(float), Unit.PROPORTION, f"{name}: {how}")
