"""The line of a TOML file at which a key stands, so that a mistake can be pointed at."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_KEY = re.compile(rf"^\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=")
_LONG = re.compile(r'"""|' + "'''")
_STRING = re.compile(r""""(?:\\.|[^"\\])*"|'[^']*'|#.*""")

Place = tuple[str | int, ...]


def line_of(text: str, place: Sequence[str | int]) -> int:
    """Return the line of the key at `place`, such as `("gates", 1, "at_most")`; counted from 1.

    A key that is not written gives the line of the table it belongs in; 0 where that is not written either.
    """
    known = _places(text)
    wanted = tuple(place)
    while wanted:
        if wanted in known:
            return known[wanted]
        wanted = wanted[:-1]
    return 0


@lru_cache(maxsize=8)
def _places(text: str) -> Mapping[Place, int]:
    """Return the line of every table and key that begins a line; inside values nothing is looked for."""
    known: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    table: Place = ()
    inside, depth = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        if not inside and depth == 0:
            if header := _HEADER.match(line):
                table = _table(header.group(2), counts, array=header.group(1) == "[[")
                _know(known, table, number)
                continue
            if key := _KEY.match(line):
                _know(known, (*table, *_parts(key.group(1))), number)
        inside, depth = _after(line, inside, depth)
    return known


def _know(known: dict[Place, int], place: Place, number: int) -> None:
    """Note a place and every table around it that was not written itself."""
    for length in range(1, len(place) + 1):
        known.setdefault(place[:length], number)


def _table(name: str, counts: dict[Place, int], *, array: bool) -> Place:
    """Return the place of a table; of an array of tables the one that was begun last."""
    place: Place = ()
    *way, last = _parts(name)
    for part in way:
        place = (*place, part)
        place = (*place, counts[place]) if place in counts else place
    place = (*place, last)
    if not array:
        return (*place, counts[place]) if place in counts else place
    counts[place] = counts.get(place, -1) + 1
    return (*place, counts[place])


def _parts(name: str) -> list[str]:
    return [
        part.strip().strip("\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[^.]+", name) if part.strip()
    ]


def _after(line: str, inside: str, depth: int) -> tuple[str, int]:
    """Return whether the next line begins within a long string, and in how many brackets."""
    rest = line
    while True:
        if inside:
            _, found, rest = rest.partition(inside)
            if not found:
                return inside, depth
            inside = ""
        mark = _LONG.search(rest)
        before = rest[: mark.start()] if mark else rest
        bare = _STRING.sub("", before)
        depth = max(0, depth + sum(map(bare.count, "[{")) - sum(map(bare.count, "]}")))
        if mark is None or "#" in _STRING.sub(lambda one: one.group()[:1], before):
            return "", depth
        inside, rest = mark.group(), rest[mark.end() :]
