"""The second half of `biaskit audit`: run what was asked, write it, show it, and choose the exit code."""

from __future__ import annotations

import sys
import tempfile
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biaskit import gates
from biaskit.cli import say, tell
from biaskit.cli.progress import reporter
from biaskit.cli.shown import show
from biaskit.errors import RunError
from biaskit.reporting.folder import folder_name
from biaskit.runner.audit import perform

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biaskit.runner.request import Request
    from biaskit.runner.run import Run

RUNS = Path("biaskit-runs")


def carry_out(asked: Request, flags: Mapping[str, Any]) -> int:
    """Carry out a resolved request and return the exit code."""
    with reporter(quiet=flags["quiet"]) as progress:
        run = perform(replace(asked, progress=progress))
    saved = _save(run, flags["out_dir"])
    show(run, run.folder, quiet=flags["quiet"], verbose=flags["verbose"])
    if isinstance(run.failure, Exception):
        tell(run.failure)
        if "--debug" in sys.argv:
            traceback.print_exception(run.failure)
    code = gates.exit_code(run, gates.FailOn(flags["fail_on"]))
    return code if saved else gates.first_code({code, RunError.exit_code} - {0})


def _save(run: Run, folder: Path | None) -> bool:
    """Write the run folder; where that fails, to a temporary place; tell whether it stands."""
    target = folder or RUNS / folder_name(run)
    try:
        run.save(target)
    except OSError as error:
        return _rescue(run, f"The run could not be written to {target} ({error.strerror or error})")
    return True


def _rescue(run: Run, trouble: str) -> bool:
    try:
        say(f"{trouble}; it is in {run.save(Path(tempfile.mkdtemp(prefix='biaskit-run-')))}.")
    except OSError as error:
        say(
            f"{trouble}, nor to a temporary folder ({error.strerror or error}). "
            "Only what follows is left of it."
        )
        return False
    return True
