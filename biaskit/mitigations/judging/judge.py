"""Judging a text remedy by seven points, none of which looks at what it was fitted on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from biaskit.errors import RequestError
from biaskit.mitigations.judging.case import Case
from biaskit.mitigations.judging.gap import against_controls, doses, gap, overcorrection, run_controls
from biaskit.mitigations.judging.keeping import Margins, capability, leakage
from biaskit.mitigations.judging.outside import extrinsic
from biaskit.mitigations.judging.points import sentence, verdict
from biaskit.mitigations.judging.rows import cells_table
from biaskit.mitigations.judging.worth import gap_before, gap_findings, nothing_shown
from biaskit.records.finding import Analysis

if TYPE_CHECKING:
    from collections.abc import Iterable

    from biaskit.mitigations.erase.remedy import TextRemedy
    from biaskit.records.figure import Figure
    from biaskit.records.finding import Finding
    from biaskit.session import Session

FEWEST_SHARES = 2
LIMITATIONS = (
    "What is left on these held-out words and stems says little about words of another kind.",
    "A probe that reads nothing does not show that nothing is there, only that this probe finds nothing.",
    "Neutral text is the targets' own sentences with neutral nouns; other text may be disturbed more.",
    "The remedy acts while the model runs; the weights keep what they hold.",
)


@dataclass(frozen=True, slots=True)
class JudgeRemedy:
    """The seven points, with what they are judged by.

    Attributes:
        least_gap: Smallest gap that is worth a remedy, in nats: odds of 105 to 100.
        least_reduction: Least share of the gap that must be gone.
        random_directions: Random changes of equal rank or length; p cannot reach 5 % with fewer than 19.
        shuffles: Refits to shuffled labels; p cannot reach 5 % with fewer than 19.
        shares: Shares of the remedy's strength for the dose response, 0 first and 1 last.
        samples: Continuations of each prompt in written text.
        margins: The largest changes of ability that count as none.
    """

    least_gap: float = 0.05
    least_reduction: float = 0.8
    random_directions: int = 20
    shuffles: int = 19
    shares: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    samples: int = 8
    margins: Margins = field(default_factory=Margins)

    def __post_init__(self) -> None:
        """Refuse settings that could not judge.

        Raises:
            RequestError: A count or share is out of range.
        """
        ordered = len(self.shares) >= FEWEST_SHARES and list(self.shares) == sorted(set(self.shares))
        if not ordered or (self.shares[0], self.shares[-1]) != (0.0, 1.0):
            raise RequestError("shares must grow from 0 to 1.")
        if min(self.random_directions, self.shuffles, self.samples) < 1 or not 0 < self.least_reduction < 1:
            raise RequestError(
                "random_directions, shuffles and samples must be at least 1, and least_reduction in (0, 1)."
            )
        if not self.least_gap >= 0:
            raise RequestError("least_gap is a size in nats: it must be at least 0.")

    def judge(self, session: Session, remedy: TextRemedy) -> Analysis:
        """Measure every point on the held-out units of the remedy's own split.

        Where these show no gap beyond that of neutral words, no point is judged, and the summary says so.

        Raises:
            RequestError: The remedy belongs to another model or to other probe sets, or has strength 0.
        """
        if not remedy.record.strength:
            raise RequestError("A remedy of strength 0 changes nothing.", fix="Give it a strength with at().")
        case = Case.of(session, remedy)
        told, neutral = gap_before(case)
        gaps = gap_findings(case, told, neutral)
        nothing = nothing_shown(told, neutral, self.least_gap)
        if nothing is not None:
            return self._analysis(case, gaps, (nothing,))
        controls = run_controls(case, self.random_directions, self.shuffles)
        bias, first = gap(case, controls, told, self.least_reduction)
        leaks, second = leakage(case)
        kept = capability(case, controls, self.margins)
        nulls, fourth = against_controls(case, controls, kept.kl, kept.random_kl)
        steps, figure, fifth = doses(case, controls, self.shares)
        written, sixth = extrinsic(case, self.samples)
        turned, seventh = overcorrection(case, 1 - self.least_reduction)
        points = [one for one in (first, second, kept.point, fourth, fifth, sixth, seventh) if one]
        findings = (*gaps, *bias, *leaks, *kept.findings, *nulls, *steps, *written, *turned)
        return self._analysis(case, findings, (verdict(points), *map(sentence, points)), (figure,))

    def _analysis(
        self, case: Case, findings: Iterable[Finding], said: tuple[str, ...], figures: tuple[Figure, ...] = ()
    ) -> Analysis:
        record = case.remedy.record
        return Analysis(
            analyzer="erase",
            settings={**_plain(asdict(self)), "method": record.method, "remedy": record.digest},
            findings=tuple(findings),
            summary=said,
            notes=(record.chosen,),
            limitations=LIMITATIONS,
            tables=(cells_table(case), *case.parts.table()),
            figures=figures,
        )


def _plain(settings: dict[str, object]) -> dict[str, object]:
    return settings | {"shares": list(settings["shares"])}  # type: ignore[call-overload]  # a tuple of floats
