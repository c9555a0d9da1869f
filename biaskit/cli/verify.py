"""`biaskit verify`: check a saved run again, on a machine without torch unless weights are checked too."""

from __future__ import annotations

from pathlib import Path

import click

from biaskit.cli import options, say
from biaskit.cli.shown import line
from biaskit.errors import InstrumentError
from biaskit.records.report import Report
from biaskit.reporting import manifest
from biaskit.reporting.reading import read
from biaskit.runner.verifying import Verified, verify_weights
from biaskit.runner.verifying import verify as check


@click.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@options.option("--model", help="Also check that these are the weights that were audited; needs torch.")
@options.option("--offline", is_flag=True, help="Make any attempt to reach the network an error.")
@options.debug
def verify(run: Path, model: str | None, *, offline: bool) -> int:
    """Check the run in folder RUN: digests, verdicts, and numbers from their rows."""
    found = check(run)
    if model is not None:
        verify_weights(read(run, Report), model, found, offline=offline)
    _show(found)
    if found.problems:
        return InstrumentError.exit_code
    line(f"verified  manifest sha256 {manifest.digest(run / manifest.NAME)}", "bold")
    return 0


def _show(found: Verified) -> None:
    for problem in found.problems:
        say(problem, fg="red")
    line(f"checked: {', '.join(found.checked)}")
    numbers = (
        f"{found.recomputed} numbers and {found.intervals} of their intervals computed again from their rows"
    )
    line(f"{numbers}, {found.unmeasured} have no value" if found.unmeasured else numbers)
    for metric, (count, why) in sorted(found.others.items()):
        line(f"not computed again: {count} x {metric}: {why}", "dim")
    for name in found.strangers:
        line(f"not written by the run, nothing vouches for it: {name}", "yellow")
