"""Work shared out over as many threads as torch may use, each part on one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped] # it has no types

Part = TypeVar("Part")
Result = TypeVar("Result")


def workers(parts: int) -> int:
    """Return how many threads share out so many parts."""
    return max(1, min(torch.get_num_threads(), parts))


def shared_out(work: Callable[[Sequence[Part]], list[Result]], parts: Sequence[Part]) -> list[Result]:
    """Return one result for each part, in order; each thread takes every n-th part in one call of `work`.

    Small products gain nothing from threads of their own, and lose much where another process holds a core;
    so they are held to one thread while this runs, and set back afterwards.
    """
    count = workers(len(parts))
    with _one_thread_each():
        if count == 1:
            return work(parts)
        with ThreadPoolExecutor(count) as pool:
            shares = list(pool.map(work, [parts[first::count] for first in range(count)]))
    return [shares[place % count][place // count] for place in range(len(parts))]


@contextmanager
def _one_thread_each() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
