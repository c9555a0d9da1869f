"""`biaskit validate`: check probe sets and audits before a run does."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from biaskit import analyzers, catalogue, gates
from biaskit.cli import options, say, tell
from biaskit.cli.shown import line
from biaskit.errors import BiaskitError, CatalogueError, NothingAuditedError, RequestError, UnknownNameError
from biaskit.runner import images, metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biaskit.records.audit_spec import AuditSpec, Gate

_KIND = re.compile(r"^kind\s*=", re.MULTILINE)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="PATH...")
@options.probes
@options.debug
def validate(names: tuple[str, ...], probes: Path | None) -> int:
    """Check TOML files, folders of them, or names: probe sets and audits."""
    folders = (probes,) if probes else ()
    files = [file for name in names for file in _files(name, folders)]
    if not files:
        raise NothingAuditedError(
            "There is no .toml file there.", fix="Give a file, a folder of files, or a name."
        )
    failed = [file for file in files if not _valid(file, folders)]
    line(f"{len(files) - len(failed)} of {len(files)} can be used")
    return RequestError.exit_code if failed else 0


def _files(name: str, folders: tuple[Path, ...]) -> Iterator[Path]:
    path = Path(name)
    if path.is_dir():
        yield from sorted(path.rglob("*.toml"))
    elif name.endswith(".toml") or path.is_file():
        yield path
    else:
        known, audits = catalogue.probe_sets(folders), catalogue.audit_specs()
        if name not in known and name not in audits:
            catalogue.probe_set(name, folders)  # says which names are near
        yield from (listed[name].path for listed in (audits, known) if name in listed)


def _valid(path: Path, folders: tuple[Path, ...]) -> bool:
    try:
        what = _audit(path, folders) if _is_audit(path) else _probe_set(path)
    except BiaskitError as error:
        tell(error)
        return False
    line(f"ok  {path}  {what}")
    return True


def _is_audit(path: Path) -> bool:
    """Tell an audit from a probe set, which names its kind, also where the file is no TOML yet."""
    if path.name == "pyproject.toml":
        return True
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return not _KIND.search(text) and path.parent.name != "probes"


def _probe_set(path: Path) -> str:
    one = catalogue.read_probe_set(path)
    return f"{one.kind} {one.name}, sha256 {one.digest[:12]}"


def _audit(path: Path, folders: tuple[Path, ...]) -> str:
    spec = catalogue.read_audit_spec(path)
    for analyzer in spec.analyzers:
        analyzers.find(analyzer.name)
    for number, gate in enumerate(spec.gates):
        _check_metric(gate, path, number)
    for warning in gates.ended(spec.waivers, datetime.now(UTC).date()):
        say(f"{path}: {warning}", fg="yellow")
    held = [catalogue.labelled_texts(one, path.parent) for one in spec.data]
    data = (f"data {one.name}" for one in held)
    pictures = (f"images {one.name}" for one in images.find(spec.images, (), path.parent, None))
    parts = (_compared(spec, path, folders), *data, *pictures, f"{len(spec.gates)} gates")
    return f"audit {spec.name}, {', '.join(parts)}, sha256 {spec.digest[:12]}"


def _check_metric(gate: Gate, path: Path, number: int) -> None:
    """Refuse a gate on a metric that does not exist, and say where it stands."""
    gates.check(gate)
    try:
        metrics.check([gate])
    except UnknownNameError as error:
        line_number = catalogue.line_in(path, ("gates", number, "metric"))
        fix = f"The gate '{gate.id}' names it, in line {line_number} of '{path}'."
        raise CatalogueError(error.what, why=error.why, fix=fix) from error


def _compared(spec: AuditSpec, path: Path, folders: tuple[Path, ...]) -> str:
    drawn = catalogue.drawn(spec.concepts, spec.references, folders, path.parent)
    if drawn is None:
        compared = catalogue.comparisons(spec.concepts, spec.references, folders=folders, base=path.parent)
        return f"{len(compared)} comparisons"
    prompts = sum(len(one.cases) for one in drawn.prompts)
    return f"{len(drawn.comparisons)} comparisons over groups, {prompts} prompts"
