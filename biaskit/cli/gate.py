"""`biaskit gate`: judge a saved run again, on a machine without torch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from biaskit import catalogue, gates
from biaskit.cli import options
from biaskit.cli.shown import show, table
from biaskit.records.report import Report
from biaskit.reporting import words
from biaskit.reporting.folder import read
from biaskit.runner import metrics

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("run", type=options.EXISTING)
@options.option("-c", "--config", help="An audit whose gates and waivers are used instead of the run's own.")
@options.fail_on
@click.option("-q", "--quiet", is_flag=True, help="Only the last line.")
@options.debug
def gate(run: Path, config: str | None, fail_on: str, *, quiet: bool) -> int:
    """Judge the run in folder RUN again; waivers are read today."""
    report = read(run, Report)
    spec = catalogue.audit_spec(config) if config else report.spec
    found = {finding.metric for finding in report.findings()}
    metrics.check(spec.gates, {one.analyzer for one in report.analyses}, found)
    verdicts = gates.judge(report, spec.gates, spec.waivers, datetime.now(UTC).date())
    asked = report.spec.model_copy(update={"gates": spec.gates, "waivers": spec.waivers})
    judged = report.model_copy(update={"verdicts": verdicts, "spec": asked})
    if not quiet and verdicts:
        rows = [
            (
                words.OUTCOME_WORDS[one.outcome],
                one.gate,
                one.concept,
                words.pair(one.references),
                one.group or "",
                one.reason,
            )
            for one in verdicts
        ]
        table(("verdict", "gate", "target", "pair", "group", "why"), rows)
    show(judged, None, quiet=True)
    return gates.exit_code(judged, gates.FailOn(fail_on))
