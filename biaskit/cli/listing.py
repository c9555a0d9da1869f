"""`biaskit list`: what can be named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from biaskit import analyzers, catalogue, organisms
from biaskit.cli import options
from biaskit.cli.shown import table
from biaskit.errors import CatalogueError
from biaskit.records.probe_set import ControlSet, ReferencePair, TargetSet
from biaskit.records.prompt_set import GroupSet, PromptSet

if TYPE_CHECKING:
    from pathlib import Path

    from biaskit.records.any_probe_set import AnyProbeSet

Listing = tuple[Sequence[str], Sequence[tuple[str, ...]]]


@click.command("list")
@click.argument(
    "what", type=click.Choice(["concepts", "references", "controls", "analyzers", "audits", "organisms"])
)
@options.probes
@options.debug
def listing(what: str, probes: Path | None) -> None:
    """List what can be named, with what it holds and where it comes from."""
    columns, rows = _LISTINGS[what]((probes,) if probes else ())
    table(columns, rows)


def _concepts(folders: Sequence[Path]) -> Listing:
    rows = [
        (one.name, _some(one.targets), ", ".join(one.references), one.description, source)
        for one, source in _sets(folders)
        if isinstance(one, TargetSet)
    ]
    rows += [
        (one.name, f"{len(one.cases)} prompts", one.study, one.description, source)
        for one, source in _sets(folders)
        if isinstance(one, PromptSet)
    ]
    return ("concept", "targets", "compared on", "", "from"), rows


def _references(folders: Sequence[Path]) -> Listing:
    rows = [
        (one.name, " - ".join(one.poles), one.description, source)
        for one, source in _sets(folders)
        if isinstance(one, ReferencePair)
    ]
    rows += [
        (one.name, " - ".join(one.groups), one.description, source)
        for one, source in _sets(folders)
        if isinstance(one, GroupSet)
    ]
    return ("reference", "poles or groups", "", "from"), rows


def _controls(folders: Sequence[Path]) -> Listing:
    rows = [
        (one.name, f"{len(one.fillers)} nouns", one.description, source)
        for one, source in _sets(folders)
        if isinstance(one, ControlSet)
    ]
    return ("controls", "size", "", "from"), rows


def _sets(folders: Sequence[Path]) -> Iterator[tuple[AnyProbeSet, str]]:
    for origin in catalogue.probe_sets(folders).values():
        try:
            yield catalogue.read_probe_set(origin.path), origin.source
        except CatalogueError as error:
            # A broken file of one's own must not hide all the others; `validate` says more.
            click.echo(f"{origin.path} is left out: {error.what}", err=True)


def _audits(folders: Sequence[Path]) -> Listing:
    del folders
    found = catalogue.audit_specs().values()
    return ("audit", "", "from"), [
        (one.name, catalogue.read_audit_spec(one.path).description, one.source) for one in found
    ]


def _analyzers(folders: Sequence[Path]) -> Listing:
    del folders
    rows = [
        (one.name, one.provider, f"broken: {one.broken}" if one.broken else "ok", one.target)
        for one in analyzers.tried()
    ]
    return ("analyzer", "from", "state", "where"), rows


def _organisms(folders: Sequence[Path]) -> Listing:
    del folders
    return ("organism", "open it as"), [(name, f"organism:{name}") for name in organisms.names()]


def _some(targets: dict[str, tuple[str, ...]]) -> str:
    names = list(targets)
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


_LISTINGS: dict[str, Callable[[Sequence[Path]], Listing]] = {
    "concepts": _concepts,
    "references": _references,
    "controls": _controls,
    "audits": _audits,
    "analyzers": _analyzers,
    "organisms": _organisms,
}
