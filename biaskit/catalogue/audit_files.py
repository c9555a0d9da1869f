"""Reads one audit: a TOML file of its own, or the table `[tool.biaskit]` of a project file."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from biaskit.catalogue.lines import line_of
from biaskit.catalogue.reading import check_name, decoded, parsed, record, unusable
from biaskit.errors import CatalogueError
from biaskit.records.audit_spec import WHERE_KEYS, AuditSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic import JsonValue

PROJECT_FILE = "pyproject.toml"
_TABLE = ("tool", "biaskit")
_FORMAT = 1
_OUTSIDE = re.compile(r"^(/|~|[A-Za-z]:)|\\|(^|/)\.\.(/|$)")

Place = tuple[str | int, ...]


def read_audit_spec(path: Path) -> AuditSpec:
    """Read one audit file and check all that a single file can tell.

    Of a `pyproject.toml` the table `[tool.biaskit]` is read; without a name it has the project's.

    Raises:
        CatalogueError: The file cannot be used, or it names a path outside its folder.
    """
    text = decoded(path)
    content, root = _content(path, text)
    _check_format(path, content)
    spec: AuditSpec = record("audits", path, content, _below(text, root))
    if not root:
        check_name("audits", path, spec.name)
    for name in _named_files(spec):
        inside(path.parent, name)
    found = [_placed(text, (*root, *place), said) for place, said in _gate_problems(spec)]
    if found:
        raise unusable("audits", path, *found)
    return spec


def line_in(path: Path, place: Place) -> int:
    """Return the line of an audit file at which a key such as `("gates", 0, "metric")` stands, or 0."""
    root = _TABLE if path.name == PROJECT_FILE else ()
    return line_of(decoded(path), (*root, *place))


def has_audit(path: Path) -> bool:
    """Tell whether a project file holds an audit.

    Raises:
        CatalogueError: The file is not TOML.
    """
    return path.is_file() and "biaskit" in _tool(parsed("audits", path, decoded(path)))


def inside(folder: Path, name: str) -> Path:
    """Return the path `name` relative to `folder`, links followed.

    Raises:
        CatalogueError: The path leaves the folder.
    """
    target = (folder / name).resolve()
    if _OUTSIDE.search(name) or not target.is_relative_to(folder.resolve()):
        raise CatalogueError(
            f"The path '{name}' leaves the folder of the audit that names it.",
            why=f"An audit in '{folder}' may only name files below that folder.",
            fix="Move the file there, or give it on the command line.",
        )
    return target


def _content(path: Path, text: str) -> tuple[dict[str, Any], Place]:
    content = parsed("audits", path, text)
    if path.name != PROJECT_FILE:
        return content, ()
    own = _tool(content).get("biaskit")
    if not isinstance(own, dict):
        raise unusable("audits", path, "It has no table [tool.biaskit].")
    project = content.get("project", {})
    name = project.get("name") if isinstance(project, dict) else None
    return {"name": name or path.resolve().parent.name, **own}, _TABLE


def _tool(content: dict[str, Any]) -> dict[str, Any]:
    tool = content.get("tool", {})
    return tool if isinstance(tool, dict) else {}


def _below(text: str, root: Place) -> str:
    """Return the text with the names of tables below `root`, line for line, so that places can be found."""
    return re.sub(rf"^(\s*\[\[?\s*){'.'.join(map(str, root))}\.", r"\1", text, flags=re.M) if root else text


def _check_format(path: Path, content: dict[str, Any]) -> None:
    """Refuse a newer format first: its keys would look like mistakes."""
    version = content.get("format")
    if isinstance(version, int) and version > _FORMAT:
        said = f"format: this is format {version}, and this version of biaskit reads format {_FORMAT}"
        raise unusable("audits", path, said)


def _placed(text: str, place: Place, said: str) -> str:
    line = line_of(text, place)
    return f"line {line}, {said}" if line else said


def _named_files(spec: AuditSpec) -> Iterator[str]:
    yield from (name for name in (*spec.concepts, *spec.references) if name.endswith(".toml"))
    if spec.subject is not None:
        yield spec.subject.model
    yield from (name for one in spec.data for name in (one.path, one.shifted) if name)
    yield from (one.path for one in spec.images)
    if spec.encoder is not None:
        yield spec.encoder.model
    yield from (one.model for one in spec.classifiers)
    for analyzer in spec.analyzers:
        yield from filter(_OUTSIDE.search, _strings(list(analyzer.settings.values())))


def _strings(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def _gate_problems(spec: AuditSpec) -> Iterator[tuple[Place, str]]:
    """Yield what makes gates and waivers unusable, with the place it stands at."""
    seen: set[str] = set()
    for number, gate in enumerate(spec.gates):
        place: Place = ("gates", number)
        yield from ((place, f"gates: '{gate.id}' {problem}") for problem in gate.problems())
        if gate.id in seen:
            yield (*place, "id"), f"gates: the id '{gate.id}' stands there twice"
        seen.add(gate.id)
        for key in gate.where:
            if key not in WHERE_KEYS:
                said = f"gates: '{gate.id}' asks for an unknown '{key}'{_near(key, WHERE_KEYS)}"
                yield (*place, "where", key), said
    for number, waiver in enumerate(spec.waivers):
        if waiver.gate not in seen:
            said = f"waivers: there is no gate '{waiver.gate}'{_near(waiver.gate, sorted(seen))}"
            yield ("waivers", number, "gate"), said


def _near(name: str, known: tuple[str, ...] | list[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""
