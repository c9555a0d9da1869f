"""`biaskit report`: show a saved run, or write it in other forms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from biaskit import reporting
from biaskit.cli import options
from biaskit.cli.shown import line, show
from biaskit.errors import RequestError, UnknownNameError
from biaskit.records.audit_spec import FailOn
from biaskit.records.report import Report
from biaskit.reporting import trackers
from biaskit.reporting.folder import read, write_file

if TYPE_CHECKING:
    from collections.abc import Sequence

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("run", type=options.EXISTING)
@click.option(
    "-f",
    "--format",
    "forms",
    multiple=True,
    help=f"Form to write: {', '.join(reporting.FORMS)}. Alone it goes to the standard output.",
)
@click.option(
    "-o",
    "--output",
    "files",
    multiple=True,
    type=_FILE,
    help="File to write; its ending says the form, unless there is a --format for each. Can be repeated.",
)
@click.option(
    "--spec",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The audit's TOML file, for SARIF.",
)
@click.option(
    "--to", "hand_to", multiple=True, help="Hand the run to a tracker: mlflow or wandb. Can be repeated."
)
@options.fail_on
@click.option("--force", is_flag=True, help="Write over files that exist.")
@options.debug
def report(
    run: Path, forms: tuple[str, ...], files: tuple[Path, ...], spec: Path | None, **rest: Any
) -> None:
    """Show the run in folder RUN, or write it to files.

    Forms by ending: .html, .json, .md, .summary.md, .txt, .junit.xml, .sarif, .csv, .card.md, .eee.json.
    """
    named = _named(forms, files)
    free(files, force=rest["force"])
    found = read(run, Report)
    texts = [reporting.render(found, name, spec, FailOn(rest["fail_on"])) for name in named]
    for path, text in zip(files, texts, strict=False):
        write_file(path, text)
        line(f"wrote {path}")
    place = run if run.is_dir() else run.parent
    for tracker in rest["hand_to"]:
        line(f"handed to {tracker} as {trackers.track(found, place, tracker)}")
    if not files and texts:
        click.echo(texts[0], nl=False)
    elif not files and not rest["hand_to"]:
        show(found, place)


def _named(forms: Sequence[str], files: Sequence[Path]) -> tuple[str, ...]:
    """Return the form of each file; where there is no file, the one form for the standard output."""
    for name in forms:
        if name not in reporting.FORMS:
            raise UnknownNameError("form of report", name, reporting.FORMS)
    if files and not forms:
        return tuple(reporting.form_of(path) for path in files)
    if len(forms) != (len(files) or 1) and forms:
        raise RequestError(
            f"{len(forms)} forms were named for {len(files) or 'no'} files.",
            fix="Give one -o for each --format in the same order, or -o alone: the ending says the form.",
        )
    return tuple(forms)


def free(files: Sequence[Path], *, force: bool) -> None:
    """Refuse to write over a file before any work is done."""
    for path in files:
        if path.exists() and not force:
            raise RequestError(
                f"'{path}' exists already.", fix="Give another name, or --force to replace it."
            )
