"""`biaskit gate`: judge a saved run again, on a machine without torch."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from biaskit import catalogue, gates, reporting
from biaskit.cli import options, say
from biaskit.cli.report import free
from biaskit.cli.shown import show, table
from biaskit.records.report import Report
from biaskit.reporting import view, words
from biaskit.reporting.folder import write_file
from biaskit.reporting.reading import read
from biaskit.runner import calibrated, metrics


@click.command()
@click.argument("run", type=options.EXISTING)
@options.option(
    "-c", "--config", help="An audit whose gates, waivers and statistics are used instead of the run's own."
)
@options.baseline
@options.other
@options.fail_on
@click.option(
    "-o",
    "--output",
    "files",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File for the judged run; its ending says the form, as of `biaskit report`. Can be repeated.",
)
@click.option("--force", is_flag=True, help="Write over files that exist.")
@click.option("-q", "--quiet", is_flag=True, help="Only the last line.")
@options.debug
def gate(run: Path, config: str | None, baseline: Path | None, files: tuple[Path, ...], **rest: Any) -> int:
    """Judge the run in folder RUN again; waivers are read today."""
    fail_on, quiet = gates.FailOn(rest["fail_on"]), rest["quiet"]
    forms = [reporting.form_of(path) for path in files]
    free(files, force=rest["force"])
    report, today = read(run, Report), datetime.now(UTC).date()
    report = _calibrated(_asked(report, config), config)
    before = _baseline(baseline, report, other_model=rest["other_model"], other_spec=rest["other_spec"])
    judged = gates.judged(report, today, before)
    for warning in gates.ended(report.spec.waivers, today):
        say(warning, fg="yellow")
    if not quiet and judged.verdicts:
        _show(judged)
    show(judged, None, quiet=True)
    for path, form in zip(files, forms, strict=True):
        write_file(path, reporting.render(judged, form, _spec(config), fail_on))
    return gates.exit_code(judged, fail_on)


def _spec(config: str | None) -> Path | None:
    """Return the audit's file, at whose lines SARIF puts its alerts."""
    return catalogue.audit_path(config) if config else None


def _asked(report: Report, config: str | None) -> Report:
    """Return the report with the gates that judge it, whose metrics must exist."""
    spec = report.spec
    if config:
        own = catalogue.audit_spec(config)
        kept = ("gates", "waivers", "statistics", "calibration")
        given = {key: getattr(own, key) for key in kept}
        spec = spec.model_copy(update=given)
    found = {finding.metric for finding in report.findings()}
    metrics.check(spec.gates, {one.analyzer for one in report.analyses}, found)
    return report.model_copy(update={"spec": spec})


def _calibrated(report: Report, config: str | None) -> Report:
    """Return the report with the calibrations that its spec requires.

    Raises:
        InstrumentError: One is missing, failed, or is of other settings.
    """
    folder = catalogue.audit_path(config).parent if config else None
    found = calibrated.required(report.spec, folder, cited=report.calibrations)
    calibrated.check_settings(report.spec, found, {one.analyzer: one.settings for one in report.analyses})
    return report.model_copy(update={"calibrations": found or report.calibrations})


def _baseline(path: Path | None, report: Report, *, other_model: bool, other_spec: bool) -> Report | None:
    if path is None:
        return None
    before = read(path, Report)
    gates.check_baseline(before, report, other_model=other_model, other_spec=other_spec)
    return before


def _show(judged: Report) -> None:
    """Show each verdict in two rows, what it is about and why, gravest first."""
    rows: list[tuple[str, str]] = []
    for one in sorted(judged.verdicts, key=lambda one: view.ORDER.index(one.outcome)):
        rows += [(words.OUTCOME_WORDS[one.outcome], words.verdict(one)), ("", one.reason)]
    table(("verdict", "gate, what it judged and why"), rows)
