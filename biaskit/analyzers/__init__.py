"""The analyzers by name: the built-in ones and those that other packages offer, loaded on first use.

A package offers one through an entry point in the group `biaskit.analyzers`: the name is the word on
the command line, the value is `module:Class`. A plug-in cannot take a built-in name.
"""

from __future__ import annotations

import re
from dataclasses import MISSING, dataclass, fields, replace
from difflib import get_close_matches
from enum import Enum
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from biaskit.errors import RequestError, UnknownNameError
from biaskit.records.probe_set import Modality

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import JsonValue

    from biaskit.protocols import Analyzer

GROUP = "biaskit.analyzers"
DEFAULT = "biaslens"
BUILT_IN = {
    "biaslens": "biaskit.analyzers.biaslens:BiasLens",
    "association": "biaskit.analyzers.association:Association",
    "behaviour": "biaskit.analyzers.behaviour:Behaviour",
    "sparse-probing": "biaskit.analyzers.sparse_probing:SparseProbing",
    "vig-bias": "biaskit.analyzers.vig_bias:VigBias",
    "diffusion-pid": "biaskit.analyzers.diffusion_pid:DiffusionPid",
    "representation": "biaskit.analyzers.representation:Representation",
    "bias-features": "biaskit.analyzers.bias_features:BiasFeatures",
}

_OPENS = {
    **dict.fromkeys(("biaslens", "association", "behaviour", "sparse-probing"), Modality.TEXT),
    "vig-bias": Modality.IMAGE,
    **dict.fromkeys(("diffusion-pid", "representation", "bias-features"), Modality.TEXT_TO_IMAGE),
}
"""What each built-in analyzer opens, known without loading it."""

_OWN_MATERIAL = {
    "association": ("tests",),
    "behaviour": (
        "crows_pairs",
        "stereoset",
        "winobias",
        "winogender",
        "bbq",
        "honest",
        "log_probability",
        "counterfactual",
    ),
}
"""Settings by which an analyzer is given what it reads, so that a request needs no concepts."""

_ATTRIBUTE = re.compile(r"^ {4}(?P<name>\w+): (?P<text>.+)$")
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


def tried() -> tuple[Entry, ...]:
    """List every analyzer as `entries` does, each plug-in imported, so that one that raises is broken too."""
    return tuple(
        one if one.broken or one.name in BUILT_IN else replace(one, broken=_raised(one.name))
        for one in entries()
    )


def _raised(name: str) -> str:
    try:
        load(name)
    except RequestError as error:
        return error.why or error.what
    return ""


def brings_material(name: str, settings: Mapping[str, JsonValue]) -> bool:
    """Tell whether these settings name what the analyzer reads; nothing is loaded."""
    return any(settings.get(key) for key in _OWN_MATERIAL.get(name, ()))


def check_material(name: str, settings: Mapping[str, JsonValue]) -> None:
    """Refuse a setting that resembles one by which an analyzer is given what it reads; nothing is loaded.

    Raises:
        UnknownNameError: There is one; near names are given.
    """
    known = _OWN_MATERIAL.get(name, ())
    for key in settings:
        if key not in known and get_close_matches(key, known):
            raise UnknownNameError(f"setting of {name}", key, known)


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


def modality_of(name: str) -> Modality:
    """Return the kind of model that an analyzer opens; only a plug-in is loaded.

    Raises:
        UnknownNameError: No analyzer has that name.
        RequestError: It is a plug-in that cannot be imported or is not an analyzer.
    """
    return _OPENS[name] if find(name).name in _OPENS else load(name).modality


def build_all(asked: Sequence[tuple[str, Mapping[str, JsonValue]]]) -> tuple[Analyzer, ...]:
    """Make the analyzers of a run, each with its settings.

    Raises:
        UnknownNameError: An analyzer or a setting does not exist; a setting of another one says whose it is.
        RequestError: A setting has a value that it cannot take.
    """
    known = {name: _names(load(name)) for name, _ in asked}
    for name, settings in asked:
        for key, value in settings.items():
            owner = next((one for one, own in known.items() if key in own), None)
            if key not in known[name] and owner is not None:
                fix = f"It is a setting of {owner}: write {owner}.{key}={value}."
                raise UnknownNameError(f"setting of {name}", key, known[name], fix=fix)
    return tuple(build(name, settings) for name, settings in asked)


def build(name: str, settings: Mapping[str, JsonValue]) -> Analyzer:
    """Make an analyzer with `settings`; what is not named keeps its default.

    Raises:
        UnknownNameError: The analyzer or one of the settings does not exist.
        RequestError: A setting has a value that it cannot take.
    """
    return make(load(name), settings)


def make(analyzer: type[Analyzer], settings: Mapping[str, JsonValue]) -> Analyzer:
    """Make an analyzer of a class that need not be registered.

    Raises:
        UnknownNameError: One of the settings does not exist.
        RequestError: A setting has a value that it cannot take.
    """
    kind: Any = analyzer
    for setting in settings:
        if setting not in _names(kind):
            raise UnknownNameError(f"setting of {kind.name}", setting, _names(kind))
    lists = {field.name for field in fields(kind) if str(field.type).startswith("tuple")}
    settings = {key: _listed(value) if key in lists else value for key, value in settings.items()}
    try:
        built: Analyzer = TypeAdapter(kind).validate_python(settings)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise _refused(kind, str(problem["loc"][0]), problem["input"]) from error
    except (PydanticUserError, NameError):
        # Annotations that only a type checker can read: the class checks its own arguments.
        built = kind(**settings)
    return built


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of an analyzer.

    Attributes:
        name: Its name.
        takes: What it takes, in words.
        default: Its default, as it is written on the command line.
        meaning: What it does, one sentence.
    """

    name: str
    takes: str
    default: str
    meaning: str


def settings_of(kind: type) -> tuple[Setting, ...]:
    """Return the settings of an analyzer's class, in order, with what its docstring says of each."""
    said = _attributes(kind.__doc__ or "")
    return tuple(
        Setting(one.name, _takes(kind, one.name), _default(one), said.get(one.name, ""))
        for one in fields(kind)
    )


def choices(kind: type, setting: str) -> tuple[str, ...]:
    """Return the values that a setting may take where they are enumerated by its type, else nothing."""
    hint = _hint(kind, setting)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return tuple(str(one.value) for one in hint)
    return tuple(map(str, get_args(hint))) if get_origin(hint) is Literal else ()


def _names(kind: Any) -> list[str]:
    return [field.name for field in fields(kind)]


def _hint(kind: type, setting: str) -> Any:
    try:
        return get_type_hints(kind).get(setting)
    except NameError:
        # Annotations that only a type checker can read.
        return None


def _refused(kind: Any, setting: str, value: object) -> RequestError:
    """Say what a setting may be, with near names where its values are enumerated."""
    allowed, what = choices(kind, setting), f"{setting} of {kind.name}"
    if allowed:
        listed = f"It is one of {', '.join(allowed)}."
        return UnknownNameError(f"value of {what}", str(value), allowed, fix=listed)
    default = next(_default(one) for one in fields(kind) if one.name == setting)
    return RequestError(
        f"The setting {what} cannot be {value!r}.",
        why=f"It takes {_takes(kind, setting)}; the default is {default or 'empty'}.",
    )


_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def _takes(kind: type, setting: str) -> str:
    hint, allowed = _hint(kind, setting), choices(kind, setting)
    if allowed:
        return " or ".join(allowed)
    if get_origin(hint) is tuple:
        return "whole numbers with commas" if get_args(hint)[0] is int else "a list with commas"
    written = next((one.type for one in fields(kind) if one.name == setting), "")
    return _WORDS.get(hint, str(written))


def _default(field: Any) -> str:
    if field.default is MISSING and field.default_factory is MISSING:
        return "required"
    value = field.default_factory() if field.default is MISSING else field.default
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _attributes(docstring: str) -> dict[str, str]:
    """Return what the section `Attributes` of a docstring says of each name."""
    said: dict[str, str] = {}
    name = ""
    for line in cleandoc(docstring).partition("Attributes:\n")[2].splitlines():
        if line.strip() and not line.startswith(" "):
            break
        head = _ATTRIBUTE.match(line)
        if head:
            name = head["name"]
            said[name] = head["text"]
        elif name and line.strip():
            said[name] += f" {line.strip()}"
    return said


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
