"""Where a target lies between two reference poles, along their difference of means (Pahde et al. 2022)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ClassVar

from biaskit.concepts.mean_difference import fit_mean_difference
from biaskit.records.calibration import Planting
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Analysis, Finding
from biaskit.records.probe_set import Modality
from biaskit.records.prompt import Prompt
from biaskit.records.site import Site
from biaskit.stats.bootstrap import two_way_interval
from biaskit.stats.conformal import control_p

if TYPE_CHECKING:
    from biaskit.session import Comparison, Session


@dataclass(frozen=True)
class MeanDifference:
    """Position of each target at one site: +1 and -1 are the poles, 0 is where neutral nouns lie."""

    name: ClassVar[str] = "mean-difference"
    modality: ClassVar[Modality] = Modality.TEXT
    unit: ClassVar[str] = Unit.ONE
    nulls: ClassVar[tuple[str, ...]] = ("neutral nouns in the same templates",)
    limitations: ClassVar[tuple[str, ...]] = ("The axis is stated, not calibrated: its sign may mislead.",)
    planting: ClassVar[Planting] = Planting(metric="mean_difference.position")
    site: str = "resid_post.0"

    def analyze(self, session: Session) -> Analysis:
        """Return one finding for each target of each comparison."""
        found = tuple(
            self._score(session, c, target) for c in session.comparisons for target in c.targets.targets
        )
        return Analysis(
            analyzer=self.name, settings=asdict(self), findings=found, limitations=self.limitations
        )

    def _score(self, session: Session, c: Comparison, target: str) -> Finding:
        negatives, site = c.targets.matched_negatives(c.controls), Site.parse(self.site)
        groups = (*map(c.pair.examples, c.pair.poles), c.targets.positives(target), negatives)
        read = [session.activations([Prompt(row.text) for row in rows], [site])[site] for rows in groups]
        axis = fit_mean_difference(read[0], read[1])
        cells, neutral = (axis.position(r).reshape(len(c.targets.templates), -1).numpy() for r in read[2:])
        centred = cells - neutral.mean(axis=1, keepdims=True)
        estimate = Estimate(
            value=float(centred.mean()),
            unit=Unit.ONE,
            n=centred.size,
            resampling_unit="templates x fillers",
            method="position on the difference of means, less the neutral nouns'",
            interval=two_way_interval(centred),
            null=control_p(cells.mean(0), neutral.mean(0), rng=session.rng(target)),
        )
        metric, poles = "mean_difference.position", c.pair.poles
        return Finding(metric=metric, concepts=(target,), references=poles, site=site, estimate=estimate)
