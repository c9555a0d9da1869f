"""The analyzers by name: the built-in ones and those that other packages offer, loaded on first use.

A package offers one through an entry point in the group `biaskit.analyzers`: the name is the word on
the command line, the value is `module:Class`. A plug-in cannot take a built-in name.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from biaskit.errors import RequestError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

    from biaskit.protocols import Analyzer

GROUP = "biaskit.analyzers"
DEFAULT = "biaslens"
BUILT_IN = {
    "biaslens": "biaskit.analyzers.biaslens:BiasLens",
    "sparse-probing": "biaskit.analyzers.sparse_probing:SparseProbing",
}

_MUST_HAVE = ("name", "modality", "unit", "nulls", "limitations", "analyze")


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known about an analyzer without loading it.

    Attributes:
        name: The word on the command line.
        target: Where it stands, `module:Class`.
        provider: The distribution it comes from, with its version where it is a plug-in.
        broken: Why it cannot be used; empty when nothing is known against it.
    """

    name: str
    target: str
    provider: str = "biaskit"
    broken: str = ""


def entries() -> tuple[Entry, ...]:
    """List every analyzer, the built-in ones first; plug-ins that cannot be used say why."""
    plugins = sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))
    return (*(Entry(name, target) for name, target in BUILT_IN.items()), *map(_plugin, plugins))


def find(name: str) -> Entry:
    """Return what is known about `name`, without loading it.

    Raises:
        UnknownNameError: No analyzer has that name; near names are given.
        RequestError: It is a plug-in that cannot be used.
    """
    for entry in entries():
        if entry.name == name and entry.broken and name not in BUILT_IN:
            raise RequestError(f"The analyzer '{name}' of {entry.provider} is broken.", why=entry.broken)
        if entry.name == name:
            return entry
    raise UnknownNameError("analyzer", name, (entry.name for entry in entries() if not entry.broken))


def load(name: str) -> type[Analyzer]:
    """Import the analyzer's class.

    Raises:
        UnknownNameError: No analyzer has that name.
        RequestError: It is a plug-in that cannot be imported or is not an analyzer.
    """
    entry = find(name)
    module, _, attribute = entry.target.partition(":")
    if entry.name in BUILT_IN:
        built_in: type[Analyzer] = getattr(import_module(module), attribute)
        return built_in
    try:
        loaded: type[Analyzer] = getattr(import_module(module), attribute)
    except Exception as error:  # whatever a plug-in raises must not look like our fault
        raise RequestError(
            f"The analyzer '{name}' of {entry.provider} is broken.", why=f"{type(error).__name__}: {error}"
        ) from error
    lacking = [needed for needed in _MUST_HAVE if not hasattr(loaded, needed)]
    if lacking:
        raise RequestError(
            f"'{entry.target}' of {entry.provider} is not an analyzer.", why=f"It lacks {', '.join(lacking)}."
        )
    return loaded


def build(name: str, settings: Mapping[str, JsonValue]) -> Analyzer:
    """Make an analyzer with `settings`; what is not named keeps its default.

    Raises:
        UnknownNameError: The analyzer or one of the settings does not exist.
        RequestError: A setting has a value that it cannot take.
    """
    kind: Any = load(name)
    known = [field.name for field in fields(kind)]
    for setting in settings:
        if setting not in known:
            raise UnknownNameError(f"setting of {name}", setting, known)
    lists = {field.name for field in fields(kind) if str(field.type).startswith("tuple")}
    settings = {key: _listed(value) if key in lists else value for key, value in settings.items()}
    try:
        built: Analyzer = TypeAdapter(kind).validate_python(settings)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise RequestError(f"The setting '{place}' of {name} cannot be that.", why=problem["msg"]) from error
    except (PydanticUserError, NameError):
        # Annotations that only a type checker can read: the class checks its own arguments.
        built = kind(**settings)
    return built


def _listed(value: JsonValue) -> JsonValue:
    """Read `stated,cav` as a list, as every list on the command line is written, and one number as one."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [value] if isinstance(value, int | float) else value


def _plugin(point: EntryPoint) -> Entry:
    provider = f"{point.dist.name} {point.dist.version}" if point.dist else "unknown"
    return Entry(point.name, point.value, provider, _trouble(point))


def _trouble(point: EntryPoint) -> str:
    if point.name in BUILT_IN:
        return "It takes the name of a built-in analyzer; the built-in one is used."
    module, _, attribute = point.value.partition(":")
    if not attribute:
        return f"'{point.value}' is not of the form module:Class."
    try:
        found = find_spec(module)
    except Exception as error:  # noqa: BLE001  looking up a submodule runs its package, which can raise anything
        return f"{type(error).__name__}: {error}"
    return "" if found else f"There is no module '{module}'."
