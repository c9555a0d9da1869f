"""`biaskit compare`: two saved runs side by side, on a machine without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from biaskit import gates
from biaskit.cli import options
from biaskit.cli.shown import line, table
from biaskit.errors import RequestError
from biaskit.records.report import Change, Report
from biaskit.reporting import comparison
from biaskit.reporting.folder import read, write_file

if TYPE_CHECKING:
    from biaskit.records.comparison import RunComparison

_SHOWN = (Change.WORSE, Change.BETTER, Change.CHANGED, Change.NEW, Change.ABSENT)


@click.command()
@click.argument("before", type=options.EXISTING)
@click.argument("after", type=options.EXISTING)
@options.other
@click.option("--metric", help="Only findings of this metric, such as biaslens.score.")
@click.option("--all", "everything", is_flag=True, help="Also what did not change.")
@click.option(
    "-o",
    "--output",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write: .json or .md. Can be repeated.",
)
@options.debug
def compare(
    before: Path,
    after: Path,
    metric: str | None,
    output: tuple[Path, ...],
    *,
    everything: bool,
    **other: bool,
) -> None:
    """Compare run BEFORE with run AFTER: what is new, unchanged, better, worse, changed or absent."""
    runs = read(before, Report), read(after, Report)
    gates.check_baseline(runs[0], runs[1], **other)
    found = comparison.narrowed(gates.compare(*runs), metric)
    written = [(path, _rendered(found, path)) for path in output]
    for path, text in written:
        write_file(path, text)
        line(f"wrote {path}")
    if not output:
        _show(found, everything=everything)


def _rendered(found: RunComparison, path: Path) -> str:
    if path.suffix == ".json":
        return found.model_dump_json(indent=2) + "\n"
    if path.suffix == ".md":
        return comparison.markdown(found)
    raise RequestError(
        f"A comparison cannot be written as '{path.suffix or path.name}'.", fix="Write .json or .md."
    )


def _show(found: RunComparison, *, everything: bool) -> None:
    shown = [one for one in found.differences if everything or one.change in _SHOWN]
    if shown:
        rows = [cells for one in shown for cells in comparison.lines(one)]
        table(("change", "number, before and after"), rows)
    for note in found.notes:
        line(note, "dim")
    line(comparison.summary(found), "bold")
