"""A saved run, checked again: files, verdicts, numbers from their rows, and the weights of the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from biaskit import __version__, gates, models
from biaskit.gates.intervals import interval_again
from biaskit.gates.recomputing import recomputed
from biaskit.records.report import Report
from biaskit.reporting import folder as run_folder
from biaskit.reporting import manifest
from biaskit.reporting import measurements as tables
from biaskit.runner.offline import guard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from biaskit.records.finding import Analysis, Finding

TOLERANCE = 1e-9


@dataclass(slots=True)
class Verified:
    """What was found.

    Attributes:
        problems: What is wrong, one sentence each; empty where everything holds.
        recomputed: How many numbers were computed again from their rows and agree.
        intervals: Of how many of these the interval was too.
        unmeasured: How many findings have no value to compute.
        others: For each metric that was not computed again, how many findings and why.
        checked: What else was checked, one phrase each.
        strangers: Files in the folder that the run did not write, and that nothing vouches for.
    """

    problems: list[str] = field(default_factory=list)
    recomputed: int = 0
    intervals: int = 0
    unmeasured: int = 0
    others: dict[str, tuple[int, str]] = field(default_factory=dict)
    checked: list[str] = field(default_factory=list)
    strangers: tuple[str, ...] = ()


def verify(folder: Path) -> Verified:
    """Check a run folder; needs no torch.

    Files against the manifest, `report.json` against its canonical form, evidence and tables against the
    report, the spec's digest, the verdicts, and every value that follows from kept rows, to 1e-9 of the
    larger of 1 and the value.

    Raises:
        RequestError: There is no report, or it cannot be understood.
    """
    found = Verified(strangers=manifest.strangers(folder))
    found.problems += manifest.problems(folder)
    report = run_folder.read(folder, Report)
    found.problems += _files(report, folder)
    found.problems += _said(report)
    for analysis in report.analyses:
        for finding in analysis.findings:
            recompute(analysis, finding, found)
    found.problems = list(dict.fromkeys(found.problems))
    found.checked += ["digests", "report", "evidence", "tables", "verdicts"]
    return found


def _files(report: Report, folder: Path) -> Iterator[str]:
    """Yield what of the folder does not follow from the report."""
    expected = {
        run_folder.REPORT: run_folder.to_json(report),
        **{f"evidence/{metric}.jsonl": text for metric, text in run_folder.evidence(report).items()},
        **{name: tables.as_csv(table) for name, table in tables.files(report).items()},
    }
    for name, text in expected.items():
        try:
            same = (folder / name).read_bytes() == text.encode()
        except OSError:
            yield f"{name} is missing."
            continue
        if not same:
            yield f"{name} does not hold what the report says."


def _said(report: Report) -> Iterator[str]:
    """Yield what the report says of itself that does not follow from the rest of it."""
    if report.spec.digest != report.spec_digest:
        yield "The spec is not the one whose digest the report gives."
    if report.baseline is None and report.tool_version == __version__:
        again = gates.judged(report, report.run.started_at.date()).verdicts
        if again != report.verdicts:
            yield "The verdicts do not follow from the findings and gates."


def recompute(analysis: Analysis, finding: Finding, found: Verified) -> None:
    """Compute a finding's value again from its rows, and note in `found` what came of it."""
    value = finding.estimate.value
    if value is None:
        found.unmeasured += 1
        return
    again = recomputed(analysis, finding)
    if isinstance(again, str):
        count, _ = found.others.get(finding.metric, (0, ""))
        found.others[finding.metric] = (count + 1, again)
        return
    about = ", ".join(filter(None, (*finding.concepts, finding.group)))
    if not _near(again, value):
        found.problems.append(f"{finding.metric} of {about} is {value!r}; its rows give {again!r}.")
        return
    found.recomputed += 1
    _interval(analysis, finding, about, found)


def _interval(analysis: Analysis, finding: Finding, about: str, found: Verified) -> None:
    ends, interval = interval_again(analysis, finding), finding.estimate.interval
    if ends is None or interval is None:
        return
    if _near(ends[0], interval.low) and _near(ends[1], interval.high):
        found.intervals += 1
        return
    said, again = f"[{interval.low!r}, {interval.high!r}]", f"[{ends[0]!r}, {ends[1]!r}]"
    found.problems.append(f"The interval of {finding.metric} of {about} is {said}; its rows give {again}.")


def _near(again: float, value: float) -> bool:
    return abs(again - value) <= TOLERANCE * max(1.0, abs(value))


def verify_weights(report: Report, model: str, found: Verified, *, offline: bool) -> None:
    """Check that a model is the one that was audited; torch is loaded here.

    Raises:
        ModelLoadError: The model cannot be found or opened.
    """
    with guard(active=offline):
        opened = models.load(model, subject=report.spec.subject, offline=offline)
    fingerprint = opened.subject.fingerprint
    found.checked.append("weights")
    if fingerprint != report.subject.fingerprint:
        found.problems.append(
            f"'{model}' has other weights, tokenizer or config than what was audited: sha256 "
            f"{fingerprint[:12]}, not {report.subject.fingerprint[:12]}."
        )
