"""From a name to what it names: probe sets, audits, single targets and poles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biaskit.catalogue.audit_files import read_audit_spec
from biaskit.catalogue.folders import Origin, find, listing
from biaskit.catalogue.reading import read_probe_set
from biaskit.errors import CatalogueError, UnknownNameError
from biaskit.records.any_probe_set import AnyProbeSet
from biaskit.records.probe_set import Modality, ReferencePair, TargetSet
from biaskit.records.prompt_set import GroupSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from biaskit.records.audit_spec import AuditSpec

_LISTED = {"reference pair": "references", "set of groups": "references", "control set": "controls"}


def probe_sets(folders: Sequence[str | Path] = ()) -> dict[str, Origin]:
    """Return every probe set that can be named, sorted by name; nothing is read yet.

    Raises:
        CatalogueError: One of `folders`, or of the environment's, is not there.
    """
    return listing("probes", folders)


def audit_specs(folders: Sequence[str | Path] = ()) -> dict[str, Origin]:
    """Return every audit that can be named, sorted by name; nothing is read yet.

    Raises:
        CatalogueError: One of `folders`, or of the environment's, is not there.
    """
    return listing("audits", folders)


def probe_set(name_or_path: str | Path, folders: Sequence[str | Path] = ()) -> AnyProbeSet:
    """Find and read a probe set.

    Raises:
        UnknownNameError: No set has this name; the nearest sets, targets and poles are named.
        CatalogueError: The file cannot be used; file, line or key, and what to do are named.
    """
    origin = find("probes", name_or_path, folders)
    if origin is None:
        raise unknown("probe set", str(name_or_path), folders)
    return read_probe_set(origin.path)


def audit_spec(name_or_path: str | Path, folders: Sequence[str | Path] = ()) -> AuditSpec:
    """Find and read an audit.

    Raises:
        UnknownNameError: No audit has this name; the nearest are named.
        CatalogueError: The file cannot be used; file, line or key, and what to do are named.
    """
    return read_audit_spec(audit_path(name_or_path, folders))


def audit_path(name_or_path: str | Path, folders: Sequence[str | Path] = ()) -> Path:
    """Return the file of an audit; the paths that it names are relative to that file's folder.

    Raises:
        UnknownNameError: No audit has this name; the nearest are named.
        CatalogueError: The path is not there.
    """
    origin = find("audits", name_or_path, folders)
    if origin is None:
        fix = "See `biaskit list audits`, or give the path of a .toml file."
        raise UnknownNameError("audit", str(name_or_path), audit_specs(folders), fix=fix)
    return origin.path


def usable(folders: Sequence[str | Path]) -> Iterator[AnyProbeSet]:
    """Read every probe set of the catalogue, leaving out what cannot be read.

    One broken file must not stand in the way of every other name.
    """
    for origin in probe_sets(folders).values():
        try:
            yield read_probe_set(origin.path)
        except CatalogueError:
            continue


def unknown(kind: str, name: str, folders: Sequence[str | Path]) -> UnknownNameError:
    """Return the error for a name that nothing has, with near names over sets, targets and poles.

    Where only one kind of model can be meant, the near names are those of sets for it.
    """
    if kind == "set of groups":
        known = {one.name for one in usable(folders) if isinstance(one, GroupSet)}
    elif kind == "reference pair":
        texts = [one for one in usable(folders) if one.modality is not Modality.TEXT_TO_IMAGE]
        known = {*(one.name for one in texts), *_inner(texts, full="/" in name)}
    else:
        known = {*probe_sets(folders), *_inner(usable(folders), full="/" in name)}
    listed = _LISTED.get(kind, "concepts")
    fix = f"See `biaskit list {listed}`, or give the path of a .toml file."
    return UnknownNameError(kind, name, known, fix=fix)


def _inner(sets: Iterable[AnyProbeSet], *, full: bool) -> Iterator[str]:
    for found in sets:
        if isinstance(found, ReferencePair):
            yield from found.poles
        elif isinstance(found, TargetSet):
            yield from (f"{found.name}/{target}" if full else target for target in found.targets)
