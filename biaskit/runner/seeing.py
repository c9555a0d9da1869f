"""What each gate could see: smallest effect and power, from the spread that an earlier run measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from biaskit import gates
from biaskit.errors import MissingExtraError
from biaskit.gates.evidence import freedom, scales
from biaskit.gates.student import quantile, tail
from biaskit.records.audit_spec import Rule
from biaskit.records.plan import PlannedGate
from biaskit.reporting import words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from biaskit.gates.limits import Limit
    from biaskit.records.audit_spec import AuditSpec, Gate
    from biaskit.records.comparison import Difference
    from biaskit.records.estimate import Estimate
    from biaskit.records.finding import Finding
    from biaskit.records.report import Report
    from biaskit.runner.request import Request

_NO_RUN = "not known before a run: the spread is this model's own; give an earlier run with --from"
_HARMLESS = {"seed", "profile", "concepts"}


@dataclass(frozen=True, slots=True)
class _Seen:
    """One finding that a gate will judge, as an earlier run measured it."""

    gate: Gate
    finding: Finding
    estimate: Estimate


def planned_gates(request: Request, earlier: Report | None) -> tuple[PlannedGate, ...]:
    """Return what each gate of a request could see.

    Without an earlier run nothing is known, because no spread is. With one, the numbers are those of its
    design: it must have measured the same things in the same way.

    Raises:
        MissingExtraError: numpy or scipy is not installed.
    """
    spec = request.spec
    why = _NO_RUN if earlier is None else _unlike(request, earlier)
    if earlier is None or why:
        return tuple(_unknown(gate, why) for gate in spec.gates)
    known = None if request.baseline is None else gates.differences_by_finding(request.baseline, earlier)
    found = {gate.id: _matching(gate, earlier, known) for gate in spec.gates}
    sizes = _families(spec, found)
    planned = []
    for gate in spec.gates:
        planned += [_planned(seen, spec, sizes[gate.id], earlier) for seen in found[gate.id]]
        planned += [] if found[gate.id] else [_unknown(gate, _nothing(gate, earlier))]
    return tuple(planned)


def _unlike(request: Request, earlier: Report) -> str:
    """Say why an earlier run's spread is not that of the request; empty where it is."""
    name = f"run {earlier.run.id[:8]}"
    if earlier.run.status.value != "complete":
        return f"not known: {name} was {earlier.run.status}, so its design is another"
    asked, measured = request.spec.measured, earlier.spec.measured
    if parts := [key for key in asked if asked[key] != measured[key] and key not in _HARMLESS]:
        return f"not known: {name} measured something else ({', '.join(parts)} differ)"
    digests = {one.name: one.digest for one in earlier.probe_sets}
    used = {one.name: one.digest for parts in request.comparisons for one in (parts[1], parts[2])}
    if changed := [one for one, digest in used.items() if digests.get(one, digest) != digest]:
        return f"not known: {', '.join(changed)} changed since {name}"
    return ""


def _matching(gate: Gate, earlier: Report, known: Mapping[object, Difference] | None) -> list[_Seen]:
    found = []
    for finding in earlier.findings():
        if not gates.matches(gate, finding):
            continue
        estimate: Estimate | None = finding.estimate
        if gate.against is not None:
            difference = known.get(gates.identity(finding)) if known else None
            estimate = difference.worsening if difference else None
        if estimate is not None and estimate.value is not None and estimate.interval is not None:
            found.append(_Seen(gate, finding, estimate))
    return found


def _nothing(gate: Gate, earlier: Report) -> str:
    if gate.against is not None:
        return "not known: the spread of a change takes two runs; give --baseline beside --from"
    return f"not known: run {earlier.run.id[:8]} has no interval of {gate.metric} that the gate would judge"


def _unknown(gate: Gate, why: str) -> PlannedGate:
    return PlannedGate(gate=gate.id, about="", promised=gate.mde, basis=why)


def _families(spec: AuditSpec, found: Mapping[str, Sequence[_Seen]]) -> dict[str, int]:
    """Return how many verdicts stand in the family of each gate."""
    how = spec.statistics
    if how.multiplicity == "none":
        return dict.fromkeys(found, 1)
    if how.family == "gate":
        return {name: max(1, len(seen)) for name, seen in found.items()}
    totals = {flag: sum(len(found[g.id]) for g in spec.gates if g.advisory is flag) for flag in (True, False)}
    return {gate.id: max(1, totals[gate.advisory]) for gate in spec.gates}


def _planned(seen: _Seen, spec: AuditSpec, family: int, earlier: Report) -> PlannedGate:
    """Return what a gate sees of one finding, at the level that Holm asks of the first of its family."""
    gate, how, power = seen.gate, spec.statistics, _power()
    error = max(scales(seen.estimate, how))
    df = freedom(seen.estimate, how)
    known = {"alpha": (1 - how.level) / family, "df": None if math.isinf(df) else df}
    smallest = power.minimum_detectable_effect(error, power=how.power, **known)
    reached = None
    if gate.mde is not None:
        reached = power.achieved_power(gate.mde, error, **known) if error > 0 else 1.0
    short = gate.mde is not None and smallest > gate.mde
    n = seen.estimate.n
    return PlannedGate(
        gate=gate.id,
        about=_about(seen.finding),
        unit=seen.estimate.unit,
        n=n,
        minimum_detectable_effect=smallest,
        promised=gate.mde,
        power=reached,
        passes=_passes(gate, gates.limit_of(gate, seen.finding.direction), (error, df), how.level),
        needed=math.ceil(n * (smallest / gate.mde) ** 2) if short and gate.mde else None,
        basis=f"spread of run {earlier.run.id[:8]}; {family} verdicts in the family",
    )


def _power() -> Any:
    try:
        return import_module("biaskit.stats.power")
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "scipy", "text") from error


def _passes(gate: Gate, limit: Limit, spread: tuple[float, float], level: float) -> float | None:
    """Return the probability that a number in the middle of the limit passes: `P(|T| < c / se - t)`."""
    half, (error, df) = (limit.high - limit.low) / 2, spread
    if math.isinf(half):
        return None
    alpha = (1 - level) if gate.rule is Rule.EVIDENCE_OF_COMPLIANCE else (1 - level) / 2
    if error == 0:
        return 1.0
    room = half / error - quantile(1 - alpha, df)
    return max(0.0, 1 - 2 * tail(room, df)) if room > 0 else 0.0


def _about(finding: Finding) -> str:
    site = str(finding.site) if finding.site else ""
    return ", ".join(part for part in (words.about(finding), site) if part)
