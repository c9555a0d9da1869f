"""Whether the arguments of a call are of the kinds they must be, said in words before anything is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from platformdirs import user_cache_path

from biaskit.errors import RequestError, UnknownNameError

_PATH, _COUNT = (str, Path), (int,)
_KINDS: Mapping[str, tuple[type, ...]] = {
    "settings": (Mapping,),
    "changes": (Mapping,),
    "seed": _COUNT,
    "limit": _COUNT,
    "batch_size": _COUNT,
    "out_dir": _PATH,
    "probes": _PATH,
    "profile": (str,),
    "baseline": _PATH,
    "cache": (*_PATH, bool),
    "offline": (bool,),
}
_WORDS = {
    Mapping: "names with a value each",
    int: "a whole number",
    bool: "True or False",
    str: "text",
    Path: "a path",
}
FEWEST_EXAMPLES = 2


def check(given: Mapping[str, object], known: Iterable[str]) -> None:
    """Refuse an option that does not exist or is of the wrong kind; None stands for its default.

    Raises:
        UnknownNameError: There is no such option; near names are given.
        RequestError: It cannot be that.
    """
    names = tuple(known)
    for name, value in given.items():
        if name not in names:
            raise UnknownNameError("option of audit", name, names)
        if value is not None and name in _KINDS and not _is(value, _KINDS[name]):
            kinds = " or ".join(_WORDS[kind] for kind in _KINDS[name])
            raise RequestError(f"'{name}' cannot be {value!r}.", fix=f"Give {kinds}.")
    limit = given.get("limit")
    if isinstance(limit, int) and limit < FEWEST_EXAMPLES:
        raise RequestError(f"'limit' cannot be {limit}.", fix=f"Give {FEWEST_EXAMPLES} or more.")


def names(kind: str, given: object) -> tuple[str, ...]:
    """Return the names in one text with commas, or in a list of such texts.

    Raises:
        RequestError: It is neither.
    """
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, Iterable) or isinstance(listed, Mapping):
        raise RequestError(f"'{kind}' cannot be {given!r}.", fix="Give a name, or a list of names.")
    items = tuple(listed)
    for item in items:
        if not isinstance(item, str):
            raise RequestError(f"'{kind}' cannot hold {item!r}.", fix="Give names, as text.")
    return tuple(name.strip() for item in items for name in item.split(",") if name.strip())


def cache_folder(given: str | Path | bool | None) -> Path | None:  # noqa: FBT001  the value of an option
    """Return the folder of the activation store: the user's cache for True, none for False and None."""
    if given is None or isinstance(given, bool):
        return default_cache() if given else None
    return Path(given).expanduser()


def default_cache() -> Path:
    """Return the folder in the user's cache where the command line keeps activations."""
    return user_cache_path("biaskit") / "activations"


def _is(value: object, kinds: tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and not (isinstance(value, bool) and bool not in kinds)
