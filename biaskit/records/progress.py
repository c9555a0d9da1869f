"""How long work tells a waiting person how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")


class Progress(Protocol):
    """Something that shows how far the work is."""

    def track(self, items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """Pass `items` through, reporting each one that is done."""


class Silent:
    """A progress reporter that says nothing."""

    def track(self, items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """Pass `items` through; `label` and `total` are not used."""
        del label, total
        yield from items
