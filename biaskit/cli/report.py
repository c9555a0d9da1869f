"""`biaskit report`: show a saved run, or write it in another form."""

from __future__ import annotations

from pathlib import Path

import click

from biaskit import reporting
from biaskit.cli import options
from biaskit.cli.shown import line, show
from biaskit.records.report import Report
from biaskit.reporting.folder import read, write_file


@click.command()
@click.argument("run", type=options.EXISTING)
@click.option(
    "-o",
    "--output",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"File to write; its ending says the form: {', '.join(reporting.FORMATS)}. Can be repeated.",
)
@options.debug
def report(run: Path, output: tuple[Path, ...]) -> None:
    """Show the run in folder RUN, or write it to files."""
    found = read(run, Report)
    for path, text in [(path, reporting.render(found, path.suffix)) for path in output]:
        write_file(path, text)
        line(f"wrote {path}")
    if not output:
        show(found, run if run.is_dir() else run.parent)
