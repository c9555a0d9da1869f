"""Where a target lies between two reference poles, along their difference of means (Pahde et al. 2022)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ClassVar

from biaskit.concepts.mean_difference import fit_mean_difference
from biaskit.records.calibration import Planting
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Analysis, Finding, FromRows
from biaskit.records.probe_set import Modality
from biaskit.records.prompt import Prompt
from biaskit.records.site import Site
from biaskit.records.table import Cell, Table
from biaskit.stats.bootstrap import two_way_interval
from biaskit.stats.conformal import control_p

if TYPE_CHECKING:
    from biaskit.session import Comparison, Session

UNITS = ("template", "filler")
COLUMNS = {
    "target": "The target.",
    "pair": "The reference pair.",
    "template": "The template.",
    "filler": "The target's noun in it.",
    "value": "Its position, less the mean of the neutral nouns in the template.",
}


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
        """Return one finding for each target of each comparison, and the cells that it is the mean of."""
        scored = [
            self._score(session, c, target) for c in session.comparisons for target in c.targets.targets
        ]
        cells = [row for _, rows in scored for row in rows]
        return Analysis(
            analyzer=self.name,
            settings=asdict(self),
            findings=tuple(finding for finding, _ in scored),
            limitations=self.limitations,
            tables=(Table.of("cells", "Positions of targets", COLUMNS, cells),),
        )

    def _score(self, session: Session, c: Comparison, target: str) -> tuple[Finding, list[tuple[Cell, ...]]]:
        negatives, site = c.targets.matched_negatives(c.controls), Site.parse(self.site)
        groups = (*map(c.pair.examples, c.pair.poles), c.targets.positives(target), negatives)
        read = [session.activations([Prompt(row.text) for row in rows], [site])[site] for rows in groups]
        axis = fit_mean_difference(read[0], read[1])
        cells, neutral = (axis.position(r).reshape(len(c.targets.templates), -1).numpy() for r in read[2:])
        centred = cells - neutral.mean(axis=1, keepdims=True)
        finding = Finding(
            metric="mean_difference.position",
            concepts=(target,),
            references=c.pair.poles,
            site=site,
            estimate=Estimate(
                value=float(centred.mean()),
                unit=Unit.ONE,
                n=centred.size,
                resampling_unit="templates x fillers",
                method="position on the difference of means, less the neutral nouns'",
                interval=two_way_interval(centred),
                null=control_p(cells.mean(0), neutral.mean(0), rng=session.rng(target)),
            ),
            rows=FromRows(
                table="cells", column="value", where={"target": target, "pair": c.pair.name}, units=UNITS
            ),
        )
        texts = zip(groups[2], centred.ravel().tolist(), strict=True)
        return finding, [(target, c.pair.name, row.template, row.filler, value) for row, value in texts]
