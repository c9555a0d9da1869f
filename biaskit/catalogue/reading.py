"""Reads one file of the catalogue and says, in the file's own words, what is wrong with it."""

from __future__ import annotations

import re
import tomllib
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from pydantic import TypeAdapter, ValidationError

from biaskit.catalogue.folders import THINGS, Kind, readme
from biaskit.catalogue.lines import line_of
from biaskit.errors import CatalogueError
from biaskit.records.any_probe_set import AnyProbeSet
from biaskit.records.audit_spec import AuditSpec
from biaskit.records.base import Record
from biaskit.records.probe_set import ControlSet, ReferencePair, TargetSet
from biaskit.records.prompt_set import GroupSet, PromptCase, PromptSet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pydantic_core import ErrorDetails

_SETS: Mapping[object, type[Record]] = {
    "target": TargetSet,
    "pair": ReferencePair,
    "controls": ControlSet,
    "groups": GroupSet,
    "prompts": PromptSet,
}
_MOST_PROBLEMS = 5


def read_probe_set(path: Path) -> AnyProbeSet:
    """Read one probe set file and check all that a single file can tell.

    Raises:
        CatalogueError: The file cannot be used; file, line or key, and what to do are named.
    """
    text = decoded(path)
    found: AnyProbeSet = record("probes", path, parsed("probes", path, text), text)
    check_name("probes", path, found.name)
    return found


@cache
def _adapter(kind: Kind) -> TypeAdapter[Any]:
    return TypeAdapter(AnyProbeSet if kind == "probes" else AuditSpec)


def record(kind: Kind, path: Path, content: Mapping[str, object], text: str) -> Any:
    """Return the record that a file's content is.

    Raises:
        CatalogueError: It is none; every mistake has its line.
    """
    try:
        return _adapter(kind).validate_python(content)
    except RecursionError as error:
        raise unusable(kind, path, "It is nested too deeply.") from error
    except ValidationError as error:
        # A list of which every entry is wrong is also reported as empty, which it is not.
        details = [d for d in error.errors(include_url=False) if d["type"] != "too_short" or not d["input"]]
        raise unusable(kind, path, *(_problem(kind, detail, text) for detail in details)) from error


def parsed(kind: Kind, path: Path, text: str) -> dict[str, Any]:
    """Return what a TOML text holds.

    Raises:
        CatalogueError: It is not TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise unusable(kind, path, f"It is not TOML: {error}.") from error
    except RecursionError as error:
        raise unusable(kind, path, "It is nested too deeply.") from error


def unusable(kind: Kind, path: Path, *problems: str) -> CatalogueError:
    """Return the error of a file with mistakes, the first few of them named."""
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


def check_name(kind: Kind, path: Path, name: str) -> None:
    """Refuse a file whose name is not that of what it holds.

    Raises:
        CatalogueError: The two differ.
    """
    if name != path.stem:
        problem = f"name: the file is named '{path.stem}' and the set in it '{name}'; both must be the same"
        raise unusable(kind, path, problem)


def _problem(kind: Kind, detail: ErrorDetails, text: str) -> str:
    loc = [part for part in detail["loc"] if part != "[key]"]
    where = loc[1:] if kind == "probes" else loc
    key = ".".join(str(part) for part in where)
    if line := line_of(text, where):
        key = f"line {line}, {key}"
    words = _words(detail, _fields(kind, loc))
    return f"{key}: {words}" if key else words


def _fields(kind: Kind, loc: Sequence[int | str]) -> tuple[str, ...]:
    """Return the keys that may stand where an unknown one does."""
    if kind == "audits":
        return tuple(_record_at(AuditSpec, loc[:-1]).model_fields)
    model: type[Record] = _SETS.get(loc[0], TargetSet) if loc else TargetSet
    model = PromptCase if tuple(loc[:2]) == ("prompts", "cases") and len(loc) > 2 else model
    return tuple(model.model_fields)


def _record_at(model: type[Record], way: Sequence[int | str]) -> type[Record]:
    """Return the record that stands at the end of `way` through another one's fields."""
    for step in way:
        field = model.model_fields.get(str(step))
        model = next(_records(field.annotation), model) if field else model
    return model


def _records(annotation: object) -> Iterator[type[Record]]:
    if isinstance(annotation, type) and issubclass(annotation, Record):
        yield annotation
    for inner in get_args(annotation):
        yield from _records(inner)


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
        "literal_error": _choice(detail, context),
        "enum": _choice(detail, context),
        "string_type": f"this must be text, in quotes; it is {detail['input']!r}",
        "tuple_type": f'this must be a list, such as ["{detail["input"]}"]',
        "date_from_datetime_parsing": f"this is {detail['input']!r}; write a date as 2027-03-31",
        "date_parsing": f"this is {detail['input']!r}; write a date as 2027-03-31",
        "date_type": f"this is {detail['input']!r}; write a date as 2027-03-31",
        "float_parsing": f"this must be a number; it is {detail['input']!r}",
        "float_type": f"this must be a number; it is {detail['input']!r}",
    }
    return known.get(problem) or detail["msg"].removeprefix("Value error, ").replace("tuple", "list")


def _choice(detail: ErrorDetails, context: Mapping[str, object]) -> str:
    """Name the values that may stand here, the nearest one first."""
    expected = str(context.get("expected", ""))
    near = get_close_matches(str(detail["input"]), re.findall(r"'([^']*)'", expected), n=1, cutoff=0.5)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"this is {detail['input']!r}; expected {expected}{hint}"
