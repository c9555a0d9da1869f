"""The digests of a run folder's files, so that a changed byte is seen."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

NAME = "manifest.json"
_FORMAT = 1


def text_of(folder: Path, names: Iterable[str]) -> str:
    """Return the manifest of files in a run folder: the SHA-256 of each, in hex, sorted by name."""
    files = {name: digest(folder / name) for name in sorted(names)}
    return json.dumps({"format": _FORMAT, "files": files}, indent=2, ensure_ascii=False) + "\n"


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def problems(folder: Path) -> Iterator[str]:
    """Yield what in a run folder is not as its manifest says, one sentence each."""
    files = _files(folder / NAME)
    if isinstance(files, str):
        yield files
        return
    for name, expected in files.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            yield f"{NAME} names '{name}', which is outside the folder."
        elif not path.is_file():
            yield f"{name} is missing."
        elif digest(path) != expected:
            yield f"{name} was changed after the run was written."


def strangers(folder: Path) -> tuple[str, ...]:
    """Return the files in a run folder that its manifest does not list, by name."""
    listed = _files(folder / NAME)
    known = {NAME, *(listed if isinstance(listed, dict) else ())}
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return tuple(sorted(set(found) - known))


def _files(path: Path) -> dict[str, str] | str:
    """Return name and digest of each file, or what is wrong with the manifest."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return f"{path.name} is missing, so nothing says what the files were."
    except ValueError:
        return f"{path.name} is not readable."
    files = content.get("files") if isinstance(content, dict) else None
    whole = isinstance(files, dict) and all(isinstance(one, str) for one in files.values())
    if not whole or content.get("format") != _FORMAT:
        return f"{path.name} is not a manifest that this version reads."
    return dict(files or {})
