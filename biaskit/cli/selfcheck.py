"""`biaskit selfcheck`: prove analyzers on nulls and planted doses, and write the calibration."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from biaskit import analyzers
from biaskit.cli import options
from biaskit.cli.progress import reporter
from biaskit.cli.shown import line, table
from biaskit.errors import InstrumentError, MissingExtraError, RequestError
from biaskit.records.calibration import CalibrationFile
from biaskit.runner.calibrated import DEFAULT_FILE
from biaskit.runner.request import parse_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from biaskit.records.calibration import Calibration
    from biaskit.records.estimate import Estimate

_MINUTES = "quick: minutes; standard: at the analyzers' own settings; full: builds null twins as well"


@click.command()
@options.option(
    "--analyzers", multiple=True, help="Which analyzers; commas or repeated.  [default: biaslens]"
)
@click.option(
    "--profile",
    type=click.Choice(["quick", "standard", "full"]),
    default="quick",
    show_default=True,
    help=f"How much is run. {_MINUTES}.",
)
@click.option("-A", "settings", multiple=True, metavar="KEY=VALUE", help="A setting of the analyzers.")
@options.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of nulls and plants."
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path(DEFAULT_FILE),
    show_default=True,
    help="The calibration file to write.",
)
@click.option("-q", "--quiet", is_flag=True, help="Only one line an analyzer.")
@options.debug
def selfcheck(analyzers: tuple[str, ...], settings: tuple[str, ...], out: Path, **flags: Any) -> None:
    """Show that analyzers stay silent on nulls and find what was planted."""
    names = _named(analyzers)
    given = options.pairs(settings, "-A", parse_value)
    if not out.absolute().parent.is_dir():
        raise RequestError(f"There is no folder '{out.parent}' for the calibration file.")
    made = []
    with reporter(quiet=flags["quiet"]) as progress:
        for name in names:
            made.append(_checked(name, {**flags, "settings": given, "progress": progress}))
    for one in made:
        _show(one, quiet=flags["quiet"])
    text = CalibrationFile(calibrations=tuple(made)).model_dump_json(indent=1)
    out.write_text(text + "\n", encoding="utf-8")
    line(f"calibration: {out}")
    _refuse(made)


def _named(given: Sequence[str]) -> list[str]:
    names = [part.strip() for one in given for part in one.split(",") if part.strip()] or [analyzers.DEFAULT]
    for name in names:
        analyzers.find(name)
    return list(dict.fromkeys(names))


def _checked(name: str, asked: Mapping[str, Any]) -> Calibration:
    try:
        check = import_module("biaskit.selfcheck").selfcheck
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "all") from error
    made: Calibration = check(
        name,
        asked["profile"],
        seed=asked["seed"],
        settings=asked["settings"],
        progress=asked["progress"],
    )
    return made


def _show(made: Calibration, *, quiet: bool) -> None:
    if not quiet:
        line(f"{made.analyzer} {made.tool_version}, {made.metric}, profile {made.profile}, seed {made.seed}")
        table(("specimens", "dose", "found or alarmed", "95% interval", "tests"), _rows(made))
    line(made.sentence)
    if made.agrees is False:
        line("The measured dose and the stated one differ by more than a quarter: rely on the measured one.")


def _rows(made: Calibration) -> Iterator[tuple[str, str, str, str, str]]:
    for null in made.nulls:
        yield (f"null: {null.null}", "0", *_cells(null.rate))
    for point in made.power:
        yield ("plant", f"{point.dose:.3g} {made.dose_unit}", *_cells(point.rate))


def _cells(rate: Estimate) -> tuple[str, str, str]:
    interval = rate.interval
    ends = f"{interval.low:.1%} to {interval.high:.1%}" if interval else ""
    return f"{rate.value or 0:.1%}", ends, str(rate.n)


def _refuse(made: Sequence[Calibration]) -> None:
    """Fail where an instrument did.

    Raises:
        InstrumentError: One did not pass its own check.
    """
    failed = [one for one in made if not one.valid]
    if failed:
        names = ", ".join(one.analyzer for one in failed)
        raise InstrumentError(
            f"The instrument failed its own check: {names}.",
            why=" ".join(sentence for one in failed for sentence in one.trouble),
            fix="Do not decide on its numbers with these settings; a larger design may pass.",
        )
