"""How a waiting person is told how far the work is."""

from __future__ import annotations

import time
from contextlib import contextmanager
from operator import length_hint
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from biaskit.records.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from biaskit.records.progress import Progress as Reporter

T = TypeVar("T")

_BETWEEN_LINES_S, _WORTH_A_LINE_S = 10.0, 1.0


class Bars:
    """A bar for each piece of work under way, gone when it is done."""

    def __init__(self, bars: Progress) -> None:
        """Draw on `bars`, which its owner starts and stops."""
        self._bars = bars

    def track(self, items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """Pass `items` through, moving a bar on with each one that is done."""
        task = self._bars.add_task(label, total=total or length_hint(items) or None)
        try:
            for item in items:
                yield item
                self._bars.advance(task)
        finally:
            self._bars.remove_task(task)


class Lines:
    """A line every ten seconds of a piece of work, and one when it is done if it took more than a second."""

    def __init__(self, console: Console) -> None:
        """Write to `console`."""
        self._console = console

    def track(self, items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """Pass `items` through, writing a line now and then."""
        known = total or length_hint(items)
        started = said = time.monotonic()
        done = 0
        for item in items:
            yield item
            done += 1
            if time.monotonic() - said > _BETWEEN_LINES_S:
                said = time.monotonic()
                self._say(f"{label}: {done}{f' of {known}' if known else ''}")
        took = time.monotonic() - started
        if took > _WORTH_A_LINE_S:
            self._say(f"{label}: {done} done in {took:.1f} s")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)


@contextmanager
def reporter(*, quiet: bool) -> Iterator[Reporter]:
    """Choose the reporter: none when quiet, bars on a terminal, lines elsewhere; all on the error stream."""
    console = Console(stderr=True)
    if quiet:
        yield Silent()
    elif console.is_terminal:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, transient=True) as bars:
            yield Bars(bars)
    else:
        yield Lines(console)
