"""Reads one file of the catalogue and says, in the file's own words, what is wrong with it."""

from __future__ import annotations

import re
import tomllib
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from biaskit.catalogue.folders import THINGS, Kind, readme
from biaskit.errors import CatalogueError
from biaskit.records.any_probe_set import AnyProbeSet
from biaskit.records.audit_spec import (
    AnalyzerSpec,
    AuditSpec,
    ClassifierSpec,
    DataSpec,
    EncoderSpec,
    Gate,
    ImageSpec,
    Subject,
    Waiver,
)
from biaskit.records.probe_set import ControlSet, ReferencePair, TargetSet
from biaskit.records.prompt_set import GroupSet, PromptCase, PromptSet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pydantic import JsonValue
    from pydantic_core import ErrorDetails

    from biaskit.records.base import Record

_SETS: Mapping[object, type[Record]] = {
    "target": TargetSet,
    "pair": ReferencePair,
    "controls": ControlSet,
    "groups": GroupSet,
    "prompts": PromptSet,
}
_SECTIONS: Mapping[object, type[Record]] = {
    "analyzers": AnalyzerSpec,
    "classifiers": ClassifierSpec,
    "data": DataSpec,
    "encoder": EncoderSpec,
    "gates": Gate,
    "images": ImageSpec,
    "subject": Subject,
    "waivers": Waiver,
}
_OUTSIDE = re.compile(r"^(/|~|[A-Za-z]:)|\\|(^|/)\.\.(/|$)")
_MOST_PROBLEMS = 5


def read_probe_set(path: Path) -> AnyProbeSet:
    """Read one probe set file and check all that a single file can tell.

    Raises:
        CatalogueError: The file cannot be used; file, line or key, and what to do are named.
    """
    record: AnyProbeSet = _record("probes", path)
    _check_name("probes", path, record.name)
    return record


def read_audit_spec(path: Path) -> AuditSpec:
    """Read one audit file and check all that a single file can tell.

    Raises:
        CatalogueError: The file cannot be used, or it names a path outside its folder.
    """
    spec: AuditSpec = _record("audits", path)
    _check_name("audits", path, spec.name)
    for name in _named_files(spec):
        inside(path.parent, name)
    problems = list(_gate_problems(spec))
    if problems:
        raise _unusable("audits", path, *problems)
    return spec


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


@cache
def _adapter(kind: Kind) -> TypeAdapter[Any]:
    return TypeAdapter(AnyProbeSet if kind == "probes" else AuditSpec)


def _record(kind: Kind, path: Path) -> Any:
    text = decoded(path)
    try:
        return _adapter(kind).validate_python(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise _unusable(kind, path, f"It is not TOML: {error}.") from error
    except RecursionError as error:
        raise _unusable(kind, path, "It is nested too deeply.") from error
    except ValidationError as error:
        # A list of which every entry is wrong is also reported as empty, which it is not.
        details = [d for d in error.errors(include_url=False) if d["type"] != "too_short" or not d["input"]]
        raise _unusable(kind, path, *(_problem(kind, detail, text) for detail in details)) from error


def _unusable(kind: Kind, path: Path, *problems: str) -> CatalogueError:
    more = [f"… and {len(problems) - _MOST_PROBLEMS} more"] if len(problems) > _MOST_PROBLEMS else []
    return CatalogueError(
        f"'{path}' is not a usable {THINGS[kind]}.",
        why="\n".join([*problems[:_MOST_PROBLEMS], *more]),
        fix=f"How to write one: {readme(kind)}",
    )


def decoded(path: Path) -> str:
    """Return the text of a UTF-8 file, without a byte-order mark.

    Raises:
        CatalogueError: It cannot be read, or is not UTF-8.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CatalogueError(f"'{path}' cannot be read.", why=error.strerror or str(error)) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CatalogueError(
            f"'{path}' is not UTF-8 text.",
            why=f"Line {line} holds the byte 0x{data[error.start]:02x}, which cannot stand there.",
            fix="Save the file as UTF-8.",
        ) from error


def _check_name(kind: Kind, path: Path, name: str) -> None:
    if name != path.stem:
        problem = f"name: the file is named '{path.stem}' and the set in it '{name}'; both must be the same"
        raise _unusable(kind, path, problem)


def _problem(kind: Kind, detail: ErrorDetails, text: str) -> str:
    loc = [part for part in detail["loc"] if part != "[key]"]
    where = loc[1:] if kind == "probes" else loc
    key = ".".join(str(part) for part in where)
    if len(where) == 1 and (line := _line(key, text)):
        key = f"line {line}, {key}"
    words = _words(detail, _fields(kind, loc))
    return f"{key}: {words}" if key else words


def _line(key: str, text: str) -> int:
    match = re.search(rf"^[ \t]*\[*\"?{re.escape(key)}\"?[ \t]*[=\]]", text, re.MULTILINE)
    return text.count("\n", 0, match.start()) + 1 if match else 0


def _fields(kind: Kind, loc: Sequence[int | str]) -> tuple[str, ...]:
    if kind == "probes":
        model: type[Record] = _SETS.get(loc[0], TargetSet) if loc else TargetSet
        model = PromptCase if tuple(loc[:2]) == ("prompts", "cases") and len(loc) > 2 else model
    else:
        model = _SECTIONS.get(loc[0], AuditSpec) if len(loc) > 1 else AuditSpec
    return tuple(model.model_fields)


def _words(detail: ErrorDetails, fields: Sequence[str]) -> str:
    problem = detail["type"]
    context = detail.get("ctx", {})
    if problem == "extra_forbidden":
        near = get_close_matches(str(detail["loc"][-1]), fields, n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known here: {', '.join(fields)}"
        return f"this key is not known; {hint}"
    kinds = ", ".join(map(str, _SETS))
    known = {
        "missing": "this key is missing",
        "too_short": "this is empty; at least one entry is needed",
        "union_tag_not_found": f"kind: this key is missing; it is one of {kinds}",
        "union_tag_invalid": f"kind: '{context.get('tag')}' is not one of {kinds}",
        "literal_error": f"this is {detail['input']!r}; expected {context.get('expected')}",
        "enum": f"this is {detail['input']!r}; expected {context.get('expected')}",
    }
    return known.get(problem) or detail["msg"].removeprefix("Value error, ").replace("tuple", "list")


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


def _gate_problems(spec: AuditSpec) -> Iterator[str]:
    ids = [gate.id for gate in spec.gates]
    for gate in spec.gates:
        if gate.at_most is None and gate.at_least is None:
            yield f"gates: '{gate.id}' has no limit; give at_most or at_least"
        elif gate.at_most is not None and gate.at_least is not None and gate.at_least > gate.at_most:
            yield f"gates: '{gate.id}' can never hold; at_least exceeds at_most"
    twice = sorted(gate for gate in set(ids) if ids.count(gate) > 1)
    yield from (f"gates: the id '{gate}' stands there twice" for gate in twice)
    for waiver in spec.waivers:
        if waiver.gate not in ids:
            near = get_close_matches(waiver.gate, ids, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield f"waivers: there is no gate '{waiver.gate}'{hint}"
