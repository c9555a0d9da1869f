"""`biaskit plan`: what an audit would do, take, and be able to see; nothing runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from biaskit.cli import options, say
from biaskit.cli.audit import audit, options_of
from biaskit.cli.shown import line, table
from biaskit.errors import RequestError
from biaskit.records.report import Report
from biaskit.reporting import words
from biaskit.reporting.reading import read
from biaskit.runner.planning import plan as planned
from biaskit.runner.request import request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from biaskit.records.plan import Plan, PlannedGate

_OF_RUNS = {"out_dir", "force", "fail_on", "quiet", "verbose", "no_cache"}
_ASKED = [one for one in audit.params if one.name not in _OF_RUNS]


@click.command(params=_ASKED)
@click.option(
    "--from",
    "earlier",
    type=options.EXISTING,
    help="An earlier run to take time, memory and the spread of the numbers from.",
)
@click.option("--json", "as_json", is_flag=True, help="Write the plan as JSON.")
def plan(earlier: Path | None, *, as_json: bool, **flags: Any) -> int:
    """Tell what an audit would do, take and be able to see; refuse a gate that promises more."""
    names = (flags["model"], flags["concepts"], flags["references"], flags["config"])
    asked = request(*names, options_of({**flags, "no_cache": True}))
    found = planned(asked, read(earlier, Report) if earlier else None)
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    else:
        _show(found)
    refused = [one for one in found.gates if one.impossible]
    for one in refused:
        say(_refusal(one), fg="red")
    return RequestError.exit_code if refused else 0


def _show(found: Plan) -> None:
    line(f"{found.model}  spec sha256 {found.spec_digest[:12]}", "bold")
    table(("work", "count"), [(one.what, f"{one.count:,}") for one in found.work])
    for download in found.downloads or ("Nothing to download.",):
        line(download)
    line(f"time {_seconds(found.duration_s)}, memory {_mib(found.memory_mib)}: {found.cost_basis}")
    if found.weights_mib is not None:
        line(f"weights on disk: {_mib(found.weights_mib)}")
    for one in found.gates:
        line(" \N{MIDDLE DOT} ".join(_parts(one)))
    for basis in dict.fromkeys(one.basis for one in found.gates):
        line(f"gates: {basis}", "dim")
    for warning in found.warnings:
        say(warning, fg="yellow")


def _parts(one: PlannedGate) -> Iterator[str]:
    """Yield what is known of a gate, part by part."""
    yield f"gate {one.gate}: {one.about}" if one.about else f"gate {one.gate}: not known what it can see"
    if one.n is not None:
        yield f"n {one.n:,}"
    if one.minimum_detectable_effect is not None:
        yield f"sees {_size(one, one.minimum_detectable_effect)} beyond its limit"
    if one.promised is not None:
        power = "" if one.power is None else f", power {one.power:.0%}"
        yield f"promises {_size(one, one.promised)}{power}"
    if one.passes is not None:
        yield f"passes the middle of its limit in {one.passes:.0%} of runs"


def _size(one: PlannedGate, value: float | None) -> str:
    unit = words.unit_name(one.unit, plural=True) if one.unit else ""
    return "" if value is None else f"{value:.3g} {unit}".rstrip()


def _refusal(one: PlannedGate) -> str:
    seen, promised = _size(one, one.minimum_detectable_effect), _size(one, one.promised)
    return (
        f"Gate '{one.gate}' promises to see {promised} of {one.about}, and this design sees {seen} or more: "
        f"it would take about {one.needed:,} units in the place of {one.n:,}, or a larger mde."
    )


def _seconds(value: float | None) -> str:
    return "not known" if value is None else f"about {value:,.0f} s"


def _mib(value: float | None) -> str:
    return "not known" if value is None else f"{value:,.1f} MiB"
