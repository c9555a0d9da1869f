"""What every rendering shows, worked out once: the verdict line and, for each comparison, its rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from biaskit.records.estimate import Unit
from biaskit.records.report import Outcome, Status
from biaskit.reporting import words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from biaskit.records.estimate import Estimate
    from biaskit.records.finding import Finding
    from biaskit.records.report import Report, Verdict

ORDER = (Outcome.FAIL, Outcome.UNDECIDED, Outcome.WAIVED, Outcome.PASS)
"""Outcomes, gravest first."""

_SEEN = 0.05


@dataclass(frozen=True, slots=True)
class Row:
    """One target on one reference pair in one reading.

    Attributes:
        target: The target concept.
        findings: What was found about it, by the last part of the metric's name; without profile and latents.
        profile: The score at each layer, bottom first.
        latents: SAE latents that carry it.
        verdicts: What the gates said about it.
    """

    target: str
    findings: dict[str, Finding]
    profile: tuple[Finding, ...]
    latents: tuple[Finding, ...]
    verdicts: tuple[Verdict, ...]

    def estimate(self, part: str) -> Estimate | None:
        """Return one estimate of the row, such as `score`, or None."""
        finding = self.findings.get(part)
        return finding.estimate if finding else None

    @property
    def outcome(self) -> Outcome | None:
        """The gravest outcome among the verdicts that count, then among the advisory ones."""
        counted = [verdict for verdict in self.verdicts if not verdict.advisory] or self.verdicts
        return min((verdict.outcome for verdict in counted), key=ORDER.index, default=None)

    @property
    def layer(self) -> str:
        """The layer the score was read at."""
        finding = self.findings.get("score") or self.findings.get("paper")
        return str(finding.site.layer) if finding and finding.site else ""


@dataclass(frozen=True, slots=True)
class Panel:
    """All targets on one reference pair in one reading, by one analyzer.

    Attributes:
        analyzer: The analyzer's name.
        references: The poles, positive first.
        group: The reading, or None.
        rows: The targets, in the order they were found.
    """

    analyzer: str
    references: tuple[str, str] | None
    group: str | None
    rows: tuple[Row, ...]

    @property
    def unit(self) -> Unit:
        """The unit of the main number."""
        return next(row.findings[self.main].estimate.unit for row in self.rows if self.main in row.findings)

    @property
    def main(self) -> str:
        """The part of the metric's name under which the main number stands."""
        known = {part for row in self.rows for part in row.findings}
        headline = {part for row in self.rows for part, finding in row.findings.items() if finding.headline}
        ranked = ("score", "paper", *sorted(headline), *sorted(known))
        return next(part for part in ranked if part in known)

    @property
    def control_sd(self) -> float | None:
        """The spread of neutral words, where it was measured."""
        known = (row.estimate("control_sd") for row in self.rows)
        return next((one.value for one in known if one and one.value is not None), None)


def panels(report: Report) -> tuple[Panel, ...]:
    """Group the findings that have a reference pair by analyzer, pair and reading."""
    found: dict[tuple[str, tuple[str, str], str | None], dict[str, list[Finding]]] = {}
    for analysis in report.analyses:
        for finding in analysis.findings:
            if finding.references and finding.concepts:
                key = (analysis.analyzer, finding.references, finding.group)
                found.setdefault(key, {}).setdefault(finding.concepts[0], []).append(finding)
    return tuple(
        Panel(analyzer, pair, group, tuple(_row(report, target, rest) for target, rest in rows.items()))
        for (analyzer, pair, group), rows in found.items()
    )


def _row(report: Report, target: str, findings: list[Finding]) -> Row:
    parts = [(finding.metric.rpartition(".")[2], finding) for finding in findings]
    profile = [finding for part, finding in parts if part == "profile" and finding.site]
    first = findings[0]
    return Row(
        target=target,
        findings={part: finding for part, finding in parts if part not in {"profile", "latent"}},
        profile=tuple(sorted(profile, key=lambda finding: finding.site.layer if finding.site else 0)),
        latents=tuple(finding for part, finding in parts if part == "latent"),
        verdicts=tuple(
            verdict
            for verdict in report.verdicts
            if (verdict.concept, verdict.references, verdict.group) == (target, first.references, first.group)
        ),
    )


def unpaired(report: Report) -> tuple[Finding, ...]:
    """Return the findings that no panel holds."""
    return tuple(finding for finding in report.findings() if not (finding.references and finding.concepts))


def counts(verdicts: Iterable[Verdict]) -> str:
    """Count the verdicts in words, gravest first: `1 failed, 2 undecided, 3 passed`."""
    seen = Counter(verdict.outcome for verdict in verdicts)
    return ", ".join(f"{seen[one]} {words.OUTCOME_WORDS[one]}" for one in ORDER if seen[one])


def tone(report: Report) -> str:
    """Return the gravest thing the report says: an outcome, or `none` where no gate was declared."""
    counted = [verdict.outcome for verdict in report.verdicts if not verdict.advisory]
    gravest = min(counted, key=ORDER.index, default=None)
    if report.run.status is not Status.COMPLETE and gravest in {None, Outcome.PASS, Outcome.WAIVED}:
        return Outcome.UNDECIDED.value
    return gravest.value if gravest else "none"


def headline(report: Report) -> str:
    """Say in one line what the gates decided, or what was seen where there are none."""
    counted = [verdict for verdict in report.verdicts if not verdict.advisory]
    advisory = [verdict for verdict in report.verdicts if verdict.advisory]
    if counted:
        extra = f" (advisory: {counts(advisory)})" if advisory else ""
        return f"{counts(counted)}{extra}"
    scores = [
        finding
        for finding in report.findings()
        if finding.headline and finding.site and finding.estimate.null and finding.estimate.value is not None
    ]
    if not scores:
        return "No gate was declared: nothing was judged"
    seen = sum(_p(finding.estimate) <= _SEEN for finding in scores)
    verb = "differs" if seen == 1 else "differ"
    return (
        f"{seen} of {len(scores)} scores {verb} from neutral words; no gate was declared, nothing was judged"
    )


def _p(estimate: Estimate) -> float:
    null = estimate.null
    if null is None:
        return 1.0
    return null.p if null.adjusted is None else null.adjusted
