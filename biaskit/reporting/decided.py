"""Each verdict with the gate that gave it, the number it is about, and what it does to a build."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from biaskit.records.audit_spec import FailOn
from biaskit.records.consequence import Consequences, Effect
from biaskit.reporting import view, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biaskit.records.audit_spec import Gate
    from biaskit.records.estimate import Estimate
    from biaskit.records.finding import Finding
    from biaskit.records.report import Report, Verdict


@dataclass(frozen=True, slots=True)
class Decided:
    """One verdict with all that is known about it.

    Attributes:
        verdict: The verdict.
        gate: The gate that gave it; None where the spec does not hold it.
        finding: The number it is about; None where nothing was measured.
        effect: What it does to a build.
    """

    verdict: Verdict
    gate: Gate | None
    finding: Finding | None
    effect: Effect

    @property
    def about(self) -> str:
        """What was judged, in words: target, pair, group and site."""
        one = self.verdict
        parts = (words.plain(one.concept), words.pair(one.references), words.plain(one.group or ""))
        site = str(one.site or (self.finding.site if self.finding and self.finding.site else ""))
        return ", ".join(part for part in (*parts, site) if part) or "nothing"

    @property
    def key(self) -> str:
        """What names the same verdict in every run: gate, metric and what was judged; never the value."""
        one = self.verdict
        metric = one.metric or (self.gate.metric if self.gate else "")
        poles = " - ".join(one.references or ())
        return "|".join((one.gate, metric, one.concept, poles, one.group or "", str(one.site or "")))

    @property
    def word(self) -> str:
        """The outcome in one word, and whether it is advisory."""
        word = words.OUTCOME_WORDS[self.verdict.outcome]
        return f"{word} (advisory)" if self.verdict.advisory else word

    def numbers(self) -> Iterator[tuple[str, str]]:
        """Yield what a build server shows beside the verdict: name and text of limit, value, interval, n."""
        yield "outcome", self.verdict.outcome.value
        yield "severity", self.verdict.severity
        for name, limit in (("at_least", self.verdict.low), ("at_most", self.verdict.high)):
            if limit is not None:
                yield name, repr(limit)
        if self.finding is not None:
            yield "metric", self.finding.metric
            yield from _numbers(self.finding.estimate)


def _numbers(estimate: Estimate) -> Iterator[tuple[str, str]]:
    yield "unit", estimate.unit.value
    yield "n", f"{estimate.n} {estimate.resampling_unit}"
    if estimate.value is not None:
        yield "value", repr(estimate.value)
    if estimate.interval is not None:
        ends = f"[{estimate.interval.low!r}, {estimate.interval.high!r}]"
        yield "interval", f"{ends} at {estimate.interval.level:g}, {estimate.interval.method}"
    if estimate.minimum_detectable_effect is not None:
        yield "minimum_detectable_effect", repr(estimate.minimum_detectable_effect)


def decided(report: Report, fail_on: FailOn = FailOn.FAIL) -> tuple[Decided, ...]:
    """Return every verdict of a report, the gravest first, those that count before the advisory ones."""
    consequences = Consequences(report, fail_on)
    gates = {gate.id: gate for gate in report.spec.gates}
    found: dict[tuple[object, ...], Finding] = {}
    for finding in report.findings():
        concept = finding.concepts[0] if finding.concepts else ""
        about = (finding.metric, concept, finding.references, finding.group)
        found.setdefault((*about, finding.site), finding)
        found.setdefault((*about, None), finding)
    made = [
        Decided(one, gates.get(one.gate), found.get(_about(one, gates.get(one.gate))), consequences.of(one))
        for one in report.verdicts
    ]
    return tuple(sorted(made, key=lambda one: (one.verdict.advisory, view.ORDER.index(one.verdict.outcome))))


def _about(one: Verdict, gate: Gate | None) -> tuple[object, ...]:
    metric = one.metric or (gate.metric if gate else "")
    return (metric, one.concept, one.references, one.group, one.site)
