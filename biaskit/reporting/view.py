"""What every rendering shows, worked out once: the verdict line and, for each comparison, its rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from biaskit.records.estimate import Unit
from biaskit.records.report import Outcome, Status
from biaskit.reporting import words
from biaskit.reporting.effects import is_effect
from biaskit.reporting.standing import Standing, standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from biaskit.records.estimate import Estimate
    from biaskit.records.finding import Finding
    from biaskit.records.report import Report, Verdict
    from biaskit.records.site import Site

ORDER = (Outcome.FAIL, Outcome.ERROR, Outcome.UNDECIDED, Outcome.WAIVED, Outcome.PASS)
"""Outcomes, gravest first."""

MAIN = ("score", "paper")
"""Last parts of the metrics that open a row, most wanted first."""

_LONGEST_HEADING = 20

BAND = 1.96
"""Standard deviations of the neutral words that hold 95 % of them."""


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
    def advisory(self) -> bool:
        """Whether no verdict of the row counts towards the exit code."""
        return all(verdict.advisory for verdict in self.verdicts)

    @property
    def site(self) -> Site | None:
        """Where the main number was read."""
        return next((self.findings[part].site for part in MAIN if part in self.findings), None)

    @property
    def layer(self) -> str:
        """The layer the main number was read at."""
        return str(self.site.layer) if self.site else ""


@dataclass(frozen=True, slots=True)
class Panel:
    """All targets on one reference pair in one reading, by one analyzer.

    Attributes:
        analyzer: The analyzer's name.
        references: The poles, positive first.
        group: The reading, or None.
        rows: The targets, in the order they were found.
        shared: Numbers about all the targets of a set together.
        limits: Limits of the gates that judge the main number.
    """

    analyzer: str
    references: tuple[str, str] | None
    group: str | None
    rows: tuple[Row, ...]
    shared: tuple[Finding, ...] = ()
    limits: tuple[float, ...] = ()

    def standing(self, row: Row) -> Standing:
        """Say how a row's main number stands against zero, neutral words and the tightest limit."""
        limit = min(map(abs, self.limits), default=None)
        return standing(row.estimate(self.main), self.band, limit)

    @property
    def band(self) -> float | None:
        """Largest absolute score of 95 % of the neutral words, where their spread was measured."""
        return None if self.control_sd is None else BAND * self.control_sd

    @property
    def unit(self) -> Unit:
        """The unit of the main number."""
        return next(row.findings[self.main].estimate.unit for row in self.rows if self.main in row.findings)

    @property
    def main(self) -> str:
        """The part of the metric's name under which the main number stands."""
        known = {part for row in self.rows for part in row.findings}
        headline = {part for row in self.rows for part, finding in row.findings.items() if finding.headline}
        return next(part for part in (*MAIN, *sorted(headline), *sorted(known)) if part in known)

    @property
    def heading(self) -> str:
        """What the main number is called at the head of its column."""
        if self.main in MAIN:
            return "inside"
        name = words.metric(f"{self.analyzer.replace('-', '_')}.{self.main}")
        return name if len(name) <= _LONGEST_HEADING else self.main.replace("_", " ")

    @property
    def control_sd(self) -> float | None:
        """The spread of neutral words where it was measured; the widest of several sets."""
        findings = (*self.shared, *(finding for row in self.rows for finding in row.findings.values()))
        known = [finding.estimate.value for finding in findings if _part(finding) == "control_sd"]
        return max((value for value in known if value is not None), default=None)


def panels(report: Report) -> tuple[Panel, ...]:
    """Group the findings that have a reference pair by analyzer, pair and reading.

    A view of a reading, such as `references given target / latent 3`, belongs to the reading's panel.
    """
    found: dict[tuple[str, tuple[str, str], str | None], dict[str, list[Finding]]] = {}
    for analysis in report.analyses:
        for finding in analysis.findings:
            if finding.references and in_panel(finding):
                reading = finding.group.partition(" / ")[0] if finding.group else None
                key = (analysis.analyzer, finding.references, reading)
                found.setdefault(key, {}).setdefault(finding.concepts[0], []).append(finding)
    return tuple(_panel(report, key, about) for key, about in found.items())


def _panel(
    report: Report, key: tuple[str, tuple[str, str], str | None], about: dict[str, list[Finding]]
) -> Panel:
    """Tell the targets from the sets: a target has a main number of its own."""
    own = [name for name, findings in about.items() if any(_is_main(finding) for finding in findings)]
    targets = own or list(about)
    shared = [finding for name, findings in about.items() if name not in targets for finding in findings]
    rows = tuple(_row(report, name, key[2], about[name]) for name in targets)
    panel = Panel(*key, rows, tuple(_nearest(shared, rows[0].site).values()))
    return replace(panel, limits=tuple(_limits(report, panel)))


def _limits(report: Report, panel: Panel) -> Iterator[float]:
    """Yield the limits of the gates that judged this panel's main number."""
    judged = {verdict.gate for row in panel.rows for verdict in row.verdicts}
    for gate in report.spec.gates:
        if gate.id in judged and gate.metric.endswith(f".{panel.main}"):
            yield from () if gate.at_least is None else (gate.at_least,)
            yield from () if gate.at_most is None else (-gate.at_most, gate.at_most)


def _row(report: Report, target: str, reading: str | None, findings: list[Finding]) -> Row:
    main = next((one for part in MAIN for one in findings if _part(one) == part), findings[0])
    profile = [finding for finding in findings if _part(finding) == "profile" and finding.site]
    others = [finding for finding in findings if _part(finding) not in {"profile", "latent"}]
    return Row(
        target=target,
        findings=_nearest(others, main.site),
        profile=tuple(sorted(profile, key=lambda finding: finding.site.layer if finding.site else 0)),
        latents=tuple(finding for finding in findings if _part(finding) == "latent"),
        verdicts=tuple(
            one
            for one in report.verdicts
            if (one.concept, one.references) == (target, main.references)
            and (one.group or "").partition(" / ")[0] == (reading or "")
        ),
    )


def _nearest(findings: Iterable[Finding], site: Site | None) -> dict[str, Finding]:
    """Keep one finding a metric: of several that at the row's own site, and of the reading, not of a view."""
    ranked = sorted(findings, key=lambda one: (one.site != site, " / " in (one.group or "")))
    kept: dict[str, Finding] = {}
    for finding in ranked:
        kept.setdefault(_part(finding), finding)
    return kept


def _part(finding: Finding) -> str:
    return finding.metric.rpartition(".")[2]


def _is_main(finding: Finding) -> bool:
    return finding.headline or _part(finding) in MAIN


def unpaired(report: Report) -> tuple[Finding, ...]:
    """Return the findings that no panel holds."""
    return tuple(finding for finding in report.findings() if not in_panel(finding))


def in_panel(finding: Finding) -> bool:
    """Whether a number is about a target on a pair of poles; what a remedy did to it is not."""
    return bool(finding.references and finding.concepts) and not is_effect(finding)


def counts(verdicts: Iterable[Verdict]) -> str:
    """Count the verdicts in words, gravest first: `1 failed, 2 undecided, 3 passed`."""
    seen = Counter(verdict.outcome for verdict in verdicts)
    return ", ".join(f"{seen[one]} {words.OUTCOME_WORDS[one]}" for one in ORDER if seen[one])


def title(report: Report) -> str:
    """Return the model's name; of a path, only what it was opened as."""
    name = report.subject.name
    return source(report) if name.startswith((".", "/", "~")) or "\\" in name else name


def source(report: Report) -> str:
    """Return what was opened, a commit in it cut to twelve digits."""
    opened, revision = report.subject.source, report.subject.revision
    return opened.replace(revision, revision[:12]) if revision else opened


def tone(report: Report) -> str:
    """Return the gravest thing the report says.

    An outcome of the gates that count; where none counts, `advisory` if an advisory gate failed, else `none`.
    """
    counted = [verdict.outcome for verdict in report.verdicts if not verdict.advisory]
    gravest = min(counted, key=ORDER.index, default=None)
    if report.run.status is not Status.COMPLETE and gravest in {None, Outcome.PASS, Outcome.WAIVED}:
        return Outcome.UNDECIDED.value
    if gravest is None:
        return "advisory" if any(one.outcome is Outcome.FAIL for one in report.verdicts) else "none"
    return gravest.value
