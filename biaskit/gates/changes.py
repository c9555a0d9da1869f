"""Two runs side by side: which findings are new, unchanged, better, worse, changed or absent."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from biaskit.errors import RequestError
from biaskit.gates.differences import paired_difference, paired_rows, unpaired_difference
from biaskit.gates.evidence import benjamini_hochberg, violation_p
from biaskit.gates.limits import Limit
from biaskit.records.audit_spec import Statistics
from biaskit.records.comparison import ComparedRun, Difference, RunComparison
from biaskit.records.estimate import Estimate
from biaskit.records.finding import Direction
from biaskit.records.report import Change

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biaskit.gates.differences import Placed
    from biaskit.records.audit_spec import AuditSpec
    from biaskit.records.finding import Finding
    from biaskit.records.report import Report

Identity = tuple[object, ...]
_ZERO = Limit(0.0, 0.0, "no change")


def identity(finding: Finding) -> Identity:
    """Return what a finding is about, which is the same in another run."""
    site = str(finding.site) if finding.site else None
    return finding.metric, finding.concepts, finding.references, site, finding.group


def check_baseline(
    before: Report, after: Report, *, other_model: bool = False, other_spec: bool = False
) -> None:
    """Refuse a baseline that measured something else.

    Args:
        before: The earlier run.
        after: The later run.
        other_model: Whether models of another name or shape may be compared.
        other_spec: Whether other probe sets, analyzers, settings or seeds may be compared.

    Raises:
        RequestError: The runs differ in that; both are named.
    """
    if not other_model and (was := _model(before)) != (now := _model(after)):
        raise RequestError(
            f"The baseline is of another model: '{before.subject.name}', not '{after.subject.name}'.",
            why=f"Baseline: {_shape(was)}; this run: {_shape(now)}.",
            fix="Give a run of the same model, or say --other-model where the two are meant to be compared.",
        )
    if not other_spec and (parts := _differing(before, after)):
        raise RequestError(
            f"The baseline measured something else: {', '.join(parts)} differ.",
            fix="Audit both with the same suite, or say --other-spec to compare what they have in common.",
        )


def check_asked(before: Report, spec: AuditSpec) -> None:
    """Refuse a baseline of another model or of other measurements before a run is made.

    Raises:
        RequestError: The runs would differ in that.
    """
    asked = spec.subject.model if spec.subject else ""
    if before.subject.name != asked:
        raise RequestError(
            f"The baseline is of another model: '{before.subject.name}', not '{asked}'.",
            fix="Give a run of the same model, or compare the runs with `biaskit compare --other-model`.",
        )
    if parts := _parts(before.spec, spec):
        raise RequestError(
            f"The baseline measured something else: {', '.join(parts)} differ.",
            fix="Audit both with the same suite, or compare the runs with `biaskit compare --other-spec`.",
        )


def _model(report: Report) -> tuple[object, ...]:
    subject = report.subject
    return subject.name, subject.architecture, subject.layers, subject.width, subject.parameters


def _shape(model: tuple[object, ...]) -> str:
    name, architecture, layers, width, parameters = model
    return f"{name} ({architecture}, {layers} layers of width {width}, {parameters} weights)"


def _differing(before: Report, after: Report) -> list[str]:
    """Name the parts of what was measured that differ; gates, waivers and the model are not among them."""
    parts = _parts(before.spec, after.spec)
    sets = [{(one.name, one.digest) for one in report.probe_sets} for report in (before, after)]
    return parts + (["probe sets"] if sets[0] != sets[1] and not parts else [])


def _parts(before: AuditSpec, after: AuditSpec) -> list[str]:
    was, now = before.measured, after.measured
    return [key for key in now if was[key] != now[key]]


def compare(before: Report, after: Report, statistics: Statistics | None = None) -> RunComparison:
    """Compare every finding of two runs; `check_baseline` says whether they should be.

    A change is better or worse where its q-value (Benjamini-Hochberg over all findings that were compared)
    is at most one minus the level; any other number is unchanged, as far as the runs can tell.
    """
    how = statistics or after.spec.statistics
    known = differences_by_finding(before, after, how)
    return RunComparison(
        before=_compared(before),
        after=_compared(after),
        level=how.level,
        differences=tuple(known.values()),
        notes=_notes(before, after),
    )


def differences_by_finding(
    before: Report, after: Report, statistics: Statistics | None = None
) -> Mapping[object, Difference]:
    """Return what became of every finding of either run, by what it is about."""
    how = statistics or after.spec.statistics
    was, now = _placed(before), _placed(after)
    found: dict[object, Difference] = {key: _difference(was.get(key), one, how) for key, one in now.items()}
    found |= {key: _absent(one[1]) for key, one in was.items() if key not in now}
    return _decided(found, 1 - how.level, how)


def _placed(report: Report) -> dict[Identity, Placed]:
    """Return each finding with its analysis; of findings about one thing the first."""
    placed: dict[Identity, Placed] = {}
    for analysis in report.analyses:
        for finding in analysis.findings:
            placed.setdefault(identity(finding), (analysis, finding))
    return placed


def _about(finding: Finding) -> Difference:
    return Difference(
        metric=finding.metric,
        concepts=finding.concepts,
        references=finding.references,
        site=finding.site,
        group=finding.group,
        direction=finding.direction,
    )


def _absent(finding: Finding) -> Difference:
    update = {"before": finding.estimate, "change": Change.ABSENT, "reason": "it is not in the later run"}
    return _about(finding).model_copy(update=update)


def _difference(was: Placed | None, now: Placed, how: Statistics) -> Difference:
    finding, after = now[1], now[1].estimate
    about = _about(finding).model_copy(update={"after": after})
    if was is None:
        return about.model_copy(update={"change": Change.NEW, "reason": "it is not in the baseline"})
    before = was[1].estimate
    about = about.model_copy(update={"before": before})
    if before.value is None or after.value is None or before.unit != after.unit:
        why = "it has another unit" if before.unit != after.unit else "one of the runs has no value"
        return about.model_copy(update={"reason": why})
    rows = paired_rows(was, now)

    def moved(signs: tuple[float, float]) -> Estimate | str:
        if isinstance(rows, str):
            return unpaired_difference(before, after, signs, how)
        return paired_difference(rows, signs, after, how)

    plain, worse = moved((1.0, 1.0)), moved(_signs(finding.direction, before.value, after.value))
    if isinstance(plain, str) or isinstance(worse, str):
        return about.model_copy(update={"reason": str(plain)})
    return about.model_copy(
        update={
            "change_in_value": plain,
            "worsening": None if finding.direction is Direction.NONE else worse,
            "paired": not isinstance(rows, str),
            "reason": f"not paired: {rows}" if isinstance(rows, str) else None,
        }
    )


def _signs(direction: Direction, before: float, after: float) -> tuple[float, float]:
    """Return what each number is multiplied by so that their difference says how much worse it is."""
    if direction is Direction.HIGHER:
        return -1.0, -1.0
    if direction is Direction.TOWARD_ZERO:
        return (-1.0 if before < 0 else 1.0), (-1.0 if after < 0 else 1.0)
    return 1.0, 1.0


def _decided(
    found: Mapping[object, Difference], alpha: float, how: Statistics
) -> Mapping[object, Difference]:
    """Say what each change amounts to, corrected over all that were compared."""
    tested = {key: moved for key, one in found.items() if (moved := _moved(one)) is not None}
    q = benjamini_hochberg([violation_p(moved, _ZERO, how) for moved in tested.values()])
    decided = dict(found)
    for (key, moved), value in zip(tested.items(), q, strict=True):
        change = _change(moved, found[key].direction) if value <= alpha else Change.UNCHANGED
        decided[key] = found[key].model_copy(update={"change": change, "p": value})
    return decided


def _moved(one: Difference) -> Estimate | None:
    return one.worsening or one.change_in_value


def _change(moved: Estimate, direction: Direction) -> Change:
    if direction is Direction.NONE:
        return Change.CHANGED
    return Change.WORSE if (moved.value or 0.0) > 0 else Change.BETTER


def _compared(report: Report) -> ComparedRun:
    return ComparedRun(
        id=report.run.id,
        model=report.subject.name,
        fingerprint=report.subject.fingerprint,
        spec_digest=report.spec_digest,
        tool_version=report.tool_version,
    )


def _notes(before: Report, after: Report) -> tuple[str, ...]:
    """Say what else differs: status, versions, weights, and findings that appear twice."""
    notes = []
    if before.subject.fingerprint == after.subject.fingerprint:
        notes.append("Both runs are of the same weights.")
    if before.tool_version != after.tool_version:
        notes.append(f"biaskit {before.tool_version} ran the earlier one, {after.tool_version} the later.")
    notes += [
        f"The {name} run is {report.run.status}; what it lacks is not a change of the model."
        for name, report in (("earlier", before), ("later", after))
        if report.run.status.value != "complete"
    ]
    if parts := _differing(before, after):
        notes.append(f"The runs differ in {', '.join(parts)}.")
    for report in (before, after):
        twice = [key for key, count in Counter(map(identity, report.findings())).items() if count > 1]
        notes += [f"{len(twice)} findings stand twice in a run; the first is compared."] if twice else []
    return tuple(dict.fromkeys(notes))
