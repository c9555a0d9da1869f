"""`biaskit cache`: what the store of activations holds, and making it smaller."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click
from platformdirs import user_cache_path

from biaskit.cli import options
from biaskit.cli.shown import line, table
from biaskit.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", re.IGNORECASE)


def _folder(function: Any) -> Any:
    return options.option("--folder", type=options.FOLDER, help="The store.  [default: the user's cache]")(
        function
    )


@click.group()
def cache() -> None:
    """The store of activations: `audit` reads each prompt once and keeps what it read there."""


@cache.command("list")
@_folder
@options.debug
def list_(folder: Path | None) -> None:
    """List what was read, where, and when it was last used."""
    rows = [
        (one.origin, f"{one.shards:,}", _mib(one.bytes), one.used_at.strftime("%Y-%m-%d %H:%M"))
        for one in _store(folder).contents()
    ]
    if rows:
        table(("activations", "shards", "size", "last used"), rows)
    else:
        line(f"There is nothing in {_place(folder)}.")


@cache.command()
@_folder
@options.debug
def size(folder: Path | None) -> None:
    """Tell how much the store holds."""
    held = _store(folder).size()
    line(f"{held.shards:,} shards, {_mib(held.bytes)} in {_place(folder)}")


@cache.command()
@click.option(
    "--keep", default="0", show_default=True, metavar="SIZE", help="How much may stay, such as 2GiB."
)
@_folder
@options.debug
def prune(keep: str, folder: Path | None) -> None:
    """Remove what was used longest ago until at most --keep is held."""
    most = _bytes(keep)
    store = _store(folder)
    freed, held = store.prune(most), store.size()
    line(f"freed {_mib(freed)}; {held.shards:,} shards, {_mib(held.bytes)} are left in {_place(folder)}")


def _bytes(text: str) -> int:
    """Read a size such as `500`, `200 MB` or `2GiB`; a k is 1024."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise RequestError(f"'{text}' is no size.", fix="Write a number with k, M, G or T, such as 2GiB.")
    return int(float(found[1]) * _UNITS[found[2].lower()])


def _mib(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB"


def _place(folder: Path | None) -> Path:
    return folder or user_cache_path("biaskit") / "activations"


def _store(folder: Path | None) -> Any:
    place = _place(folder)
    if folder is not None and not place.is_dir():
        raise RequestError(
            f"There is no folder '{place}'.", fix="Leave --folder out for the user's own store."
        )
    return import_module("biaskit.hooks.shelf").DiskShelf(place)
