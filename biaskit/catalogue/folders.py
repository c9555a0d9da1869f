"""Where the files of the catalogue are: the user's, the environment's, plug-ins' and shipped folders."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from biaskit.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Kind = Literal["probes", "audits"]

THINGS: Mapping[Kind, str] = {"probes": "probe set", "audits": "audit"}
_VARIABLES: Mapping[Kind, str] = {"probes": "BIASKIT_PROBES", "audits": "BIASKIT_AUDITS"}
_PACKAGE = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a file of the catalogue was found.

    Attributes:
        name: The file's name without `.toml`, which is also the name of the set or audit.
        path: The file.
        source: `path`, `folder`, `environment`, `plug-in NAME` or `biaskit`.
    """

    name: str
    path: Path
    source: str


def listing(kind: Kind, folders: Sequence[str | Path]) -> dict[str, Origin]:
    """Return every file of one kind by name, sorted; of files with one name the first found counts.

    Raises:
        CatalogueError: A folder is not there.
    """
    found: dict[str, Origin] = {}
    for folder, source in _places(kind, folders):
        for path in folder.glob("*.toml"):
            found.setdefault(path.stem, Origin(path.stem, path, source))
    return dict(sorted(found.items()))


def find(kind: Kind, name_or_path: str | Path, folders: Sequence[str | Path]) -> Origin | None:
    """Return the file that a name or a path ending in `.toml` means, None if no file has the name.

    Raises:
        CatalogueError: The path, or a folder, is not there.
    """
    path, name = Path(name_or_path), str(name_or_path)
    if name.endswith(".toml"):
        if not path.is_file():
            raise CatalogueError(f"There is no file '{path}'.", fix="Check the path, or give a name.")
        return Origin(path.stem, path, "path")
    return listing(kind, folders).get(name)


def readme(kind: Kind) -> Path:
    """Return the page that says how a file of this kind is written."""
    return _shipped(kind) / "README.md"


def _places(kind: Kind, folders: Sequence[str | Path]) -> Iterator[tuple[Path, str]]:
    for folder in folders:
        yield _existing(Path(folder), f"The folder of {THINGS[kind]}s"), "folder"
    variable = _VARIABLES[kind]
    for entry in filter(None, os.environ.get(variable, "").split(os.pathsep)):
        yield _existing(Path(entry), f"The folder that {variable} names,"), "environment"
    yield from _plug_ins(kind)
    yield _shipped(kind), "biaskit"


def _existing(folder: Path, what: str) -> Path:
    if not folder.is_dir():
        raise CatalogueError(f"{what} '{folder}' is not there.", fix="Check the path; it must be a folder.")
    return folder


def _plug_ins(kind: Kind) -> Iterator[tuple[Path, str]]:
    for entry in sorted(entry_points(group="biaskit.catalogues"), key=lambda entry: entry.name):
        locations = _locations(entry.value)
        if not locations:
            warnings.warn(
                f"The plug-in '{entry.name}' names the package '{entry.value}', which cannot be found; "
                "its catalogue is left out. Reinstall the plug-in or remove it.",
                stacklevel=2,
            )
        for location in locations:
            if (location / kind).is_dir():
                yield location / kind, f"plug-in {entry.name}"


def _locations(package: str) -> list[Path]:
    # The package is found, not imported: reading a plug-in's words must not run its code.
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return []
    return [Path(place) for place in (spec and spec.submodule_search_locations) or ()]


def _shipped(kind: Kind) -> Path:
    packaged, checkout = _PACKAGE / "_catalogue" / kind, _PACKAGE.parent / kind
    if packaged.is_dir():
        return packaged
    # Without a project file beside it, this would be some other package's folder in site-packages.
    if (_PACKAGE.parent / "pyproject.toml").is_file() and checkout.is_dir():
        return checkout
    raise CatalogueError(
        f"The {kind} that ship with biaskit are missing.",
        why="This installation is not complete.",
        fix="Install biaskit again.",
    )
